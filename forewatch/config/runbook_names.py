"""Which runbooks there are, by name, without running any of them: for checking a configuration's remedies.

A runbook is the function it is made of, `restart-service` in `restart_service.py`. A file that is broken still bears
its name: what is wrong with it is said where runbooks are loaded.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path

PACKAGE = "runbooks"
"""Where the runbooks that come with Forewatch lie; found, never imported here."""
DECORATOR = "runbook"


def runbook_names(folders: Iterable[str | Path] = ()) -> frozenset[str]:
    """Of the runbooks that come with Forewatch and those in `folders` (absolute). Never raises for what lies there."""
    return frozenset(
        name for folder in (*packaged(), *map(Path, folders)) for path in files_of(folder) for name in names_in(path)
    )


def packaged() -> list[Path]:
    """The folders of the runbooks that come with Forewatch."""
    spec = importlib.util.find_spec(PACKAGE)
    return [Path(place) for place in (spec.submodule_search_locations or ())] if spec is not None else []


def files_of(folder: Path) -> Iterator[Path]:
    """The files of a folder that hold runbooks; a name that begins with an underscore is a helper's."""
    return (path for path in sorted(folder.glob("*.py")) if not path.name.startswith("_"))


def names_in(path: Path) -> set[str]:
    """The names of the runbooks in a file."""
    names = {_spoken(path.stem)}
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return names
    functions = (node for node in tree.body if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef))
    declared = {_spoken(node.name) for node in functions if any(map(_declares, node.decorator_list))}
    return declared or names


def _declares(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return (isinstance(called, ast.Name) and called.id == DECORATOR) or (
        isinstance(called, ast.Attribute) and called.attr == DECORATOR
    )


def _spoken(name: str) -> str:
    return name.replace("_", "-")
