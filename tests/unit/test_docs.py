"""What README and docs speak of exists: commands, options, configuration keys, files; and nothing of one machine."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from forewatch.cli import app
from forewatch.config import models
from forewatch.config.files import ConfigFiles
from forewatch.config.loader import parse
from forewatch.config.models import Config, Model
from forewatch.config.starter import STARTER
from forewatch.units import parse_duration

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
CONFIGURATION = (ROOT / "docs/operations/configuration.md").read_text(encoding="utf-8")
TOP_KEYS = set(Config.model_fields) | {"include"}
RUNBOOKS = {"restart-service", "collect-diagnostics", "free-disk-space"}


def blocks(page: Path, *languages: str) -> Iterator[str]:
    """The code blocks of a page in some languages."""
    for language, text in re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S):
        if language in languages:
            yield text


def commands() -> Iterator[tuple[str, str]]:
    """Each `forewatch ...` in a code block or between backticks, with its page."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        lines = [line for block in blocks(page, "sh", "console", "") for line in block.splitlines()]
        found = [line.strip().removeprefix("$ ") for line in lines]
        found += re.findall(r"`(forewatch [^`]*)`", text)
        for command in found:
            if re.match(r"forewatch [a-z-]", command) and ": " not in command:
                yield str(page.relative_to(ROOT)), command.partition(" #")[0]


@pytest.mark.parametrize(("page", "command"), sorted(set(commands())))
def test_every_command_and_option_that_is_shown_exists(page: str, command: str) -> None:
    _, *words = shlex.split(command)
    at: Any = typer.main.get_command(app)
    at.list_commands(None)  # imports them
    while words and hasattr(at, "commands") and not words[0].startswith("-"):
        if words[0] == "...":
            return
        assert words[0] in at.commands, f"{page}: there is no `{command}`"
        at = at.commands[words.pop(0)]
    known = {option for parameter in at.params for option in (*parameter.opts, *parameter.secondary_opts)}
    for word in words:
        if word.startswith("-"):
            assert word.partition("=")[0] in known, f"{page}: `{command}` has no option {word}"


def test_commands_are_shown_at_all() -> None:
    assert len(set(commands())) > 10


def configured() -> Iterator[tuple[type[BaseModel], str, str]]:
    """Every model of the configuration, its fields and how they are written."""
    for model in vars(models).values():
        if isinstance(model, type) and issubclass(model, Model) and model not in (Model, Config):
            for name, field in model.model_fields.items():
                yield model, name, field.alias or name
    for name in Config.model_fields:
        yield Config, name, name


@pytest.mark.parametrize(("model", "name", "written"), list(configured()))
def test_every_key_of_the_configuration_is_in_its_page_with_its_default(
    model: type[BaseModel], name: str, written: str
) -> None:
    assert f"`{written}`" in CONFIGURATION, f"{model.__name__}.{name} is not in docs/operations/configuration.md"
    default = model.model_fields[name].default
    rows = [
        line for line in CONFIGURATION.splitlines() if line.startswith("|") and f"`{written}`" in line.split("|")[1]
    ]
    if isinstance(default, bool) or default is PydanticUndefined or not isinstance(default, str | int | float):
        if isinstance(default, bool):
            assert any(f"`{str(default).lower()}`" in row for row in rows)
        return
    said = [word for row in rows for word in re.findall(r"`([^`]*)`", row.split("|")[2])]
    if isinstance(default, str):
        assert default in ("", ".") or default in said, f"the default of {written} is {default}, not {said}"
    else:
        assert any(_same(word, default) for word in said), f"the default of {written} is {default}, not {said}"


def _same(word: str, default: float) -> bool:
    try:
        return float(word) == default
    except ValueError:
        pass
    try:
        return parse_duration(word) == default
    except ValueError:
        return False


def examples() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for text in blocks(page, "yaml"):
            if re.match(r"(#.*\n)*(\w+):", text) and text.lstrip("# \n").partition(":")[0] in TOP_KEYS:
                yield str(page.relative_to(ROOT)), text


@pytest.mark.parametrize(("page", "text"), [*examples(), ("the starter configuration", STARTER)])
def test_every_configuration_that_is_shown_is_right(page: str, text: str, tmp_path: Path) -> None:
    config = parse(ConfigFiles(((str(tmp_path / "forewatch.yaml"), text),)), known_runbooks=RUNBOOKS, environ={})
    assert isinstance(config, Config)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_nothing_speaks_of_one_machine(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not target.startswith(("http://127.0.0.1", "https://")):
            assert (page.parent / target).exists(), f"{target} is not there"
    for path in re.findall(r"`((?:forewatch|tasks|flows|notifiers|runbooks|tests|examples)/[\w/.]+)`", text):
        assert (ROOT / path).exists(), f"{path} is not there"
    assert not re.search(r"(?<![\w.])/(work|tmp|home|root|Users)/", text), "an absolute path of some machine"
    assert not re.search(r"pypi|pythonhosted|/simple\b|index-url", text, re.I), "an address of a package registry"


def test_screenshots_are_small_pngs() -> None:
    pictures = sorted((ROOT / "docs/images").glob("*"))
    assert len(pictures) >= 2
    for picture in pictures:
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert picture.stat().st_size < 300_000
        assert any(f"images/{picture.name})" in page.read_text(encoding="utf-8") for page in PAGES)


@pytest.mark.parametrize("page", ["docs/operations/quick-start.md", "docs/operations/runbooks.md"])
def test_a_runbook_that_is_shown_is_one(page: str, tmp_path: Path) -> None:
    from runbooks import all_runbooks

    [text] = [block for block in blocks(ROOT / page, "python") if "@runbook" in block]
    (tmp_path / "shown.py").write_text(text, encoding="utf-8")
    before = set(all_runbooks().runbooks)
    found = all_runbooks([tmp_path])
    assert not found.problems
    [name] = set(found.runbooks) - before
    assert name.replace("-", "_") in text
    assert found.runbooks[name].steps
