"""Where a line of code lives: the top of `forewatch/` stays short, and every room is on the map."""

import ast
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
HOUSE = ROOT / "forewatch"
FACES = {"__init__", "cli", "runbook"}
DECIDING = {"deciding", "silence_edit", "runtime"}
GROUND_FLOOR = {"clock", "errors", "units", "home", "registry", "bell", "process_start"}


def rooms(folder: Path) -> list[str]:
    return sorted(path.parent.name for path in folder.glob("*/__init__.py"))


def test_a_module_at_the_top_of_forewatch_needs_a_reason():
    assert {path.stem for path in HOUSE.glob("*.py")} == FACES | DECIDING | GROUND_FLOOR


@pytest.mark.parametrize("name", rooms(HOUSE))
def test_every_room_of_forewatch_is_in_the_architecture(name):
    map_of_the_house = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    assert f"    {name}/" in map_of_the_house


@pytest.mark.parametrize("name", rooms(ROOT / "tasks"))
def test_every_room_of_tasks_is_in_the_architecture(name):
    map_of_the_house = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    assert f" {name}/" in map_of_the_house


@pytest.mark.parametrize("room", ["reports", "trials"])
def test_what_is_looked_at_or_tried_changes_nothing_in_the_store(room):
    """A stored decision is tried again in a store in memory (`forewatch/store/memory.py`), never in the real one."""
    writing = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (HOUSE / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("decide", "measure")
    ]
    assert writing == []
