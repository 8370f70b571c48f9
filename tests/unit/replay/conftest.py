"""Stores for histories: copied from one that is migrated once, and not synced to disk: no test pulls a plug here."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from histories import History

from forewatch.home import Home
from forewatch.store import engine
from forewatch.store.engine import Store


@pytest.fixture(scope="session")
def migrated_once(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("histories"))
    Store.open(home, migrate=True).close()
    return home


@pytest.fixture
def begin(migrated_once: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., History]]:
    """Begin a history on a store of its own."""
    monkeypatch.setitem(engine._SYNCHRONOUS, "decisions", "OFF")
    stores: list[Store] = []

    def begin(*text: str) -> History:
        home = Home(tmp_path / f"home-{len(stores)}")
        shutil.copytree(migrated_once.root, home.root)
        stores.append(Store.open(home))
        return History.begin(stores[-1], *text)

    yield begin
    for store in stores:
        store.close()
