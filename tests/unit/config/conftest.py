from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from forewatch.config.check import check_file
from forewatch.config.files import ConfigFiles
from forewatch.config.loader import load_files, parse
from forewatch.config.models import Config
from forewatch.home import Home
from forewatch.store.engine import Store


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Problems name files from the current folder."""
    monkeypatch.chdir(tmp_path)


Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str | bytes, name: str = "forewatch.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.fixture
def problems(write: Write) -> Callable[..., list[str]]:
    """The problems of a text, as `forewatch check` prints them."""

    def problems(text: str, known_runbooks: list[str] | None = None) -> list[str]:
        found = check_file(write(text), known_runbooks)
        return [*found.problems, *found.faults]

    return problems


@pytest.fixture
def config(write: Write) -> Callable[[str], Config]:
    """The configuration a right text says."""
    return lambda text: parse(load_files(write(text)))


@pytest.fixture
def files() -> Callable[[str], ConfigFiles]:
    return lambda text: ConfigFiles((("/somewhere/forewatch.yaml", text),))


@pytest.fixture(scope="session")
def migrated_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("store"))
    Store.open(home, migrate=True).close()
    return home


@pytest.fixture
def store(migrated_home: Home, tmp_path: Path) -> Iterator[Store]:
    copy = Home(tmp_path / "home")
    shutil.copytree(migrated_home.root, copy.root)
    store = Store.open(copy)
    yield store
    store.close()
