"""REMEDY: runbooks as code, one a file, each a Prefect flow with a typed form. Finds ours and the users' own."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from prefect.flows import Flow

from forewatch.errors import NotFound
from forewatch.runbook import Runbook, runbooks_in

_HERE = Path(__file__).parent


@dataclass
class Discovered:
    """The runbooks there are, by name, and what is wrong with files that gave none, one sentence each."""

    runbooks: dict[str, Runbook] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def all_runbooks(folders: Iterable[str | Path] = ()) -> Discovered:
    """Every runbook that comes with Forewatch or lies in one of `folders`. A broken file never hides the others.

    Files whose name begins with an underscore are helpers. A name taken already, by ours first, stays taken.
    """
    found = Discovered()
    for path in _files(_HERE):
        _take(found, path, f"{__name__}.{path.stem}")
    for folder in folders:
        if not Path(folder).is_dir():
            found.problems.append(f"{folder}: is not a folder; runbook_folders names folders of Python files")
            continue
        for path in _files(Path(folder)):
            _take(found, path, None)
    return found


def find(name: str, folders: Iterable[str | Path] = ()) -> Runbook:
    """One runbook by name, in the order of `all_runbooks`; its file alone is loaded if it bears the name.

    Raises NotFound, with what is wrong with the files that might have been it.
    """
    stem = name.replace("-", "_")
    for folder in (_HERE, *map(Path, folders)):
        path = folder / f"{stem}.py"
        if path.is_file():
            found = Discovered()
            _take(found, path, f"{__name__}.{stem}" if folder is _HERE else None)
            if name in found.runbooks:
                return found.runbooks[name]
    found = all_runbooks(folders)
    if name not in found.runbooks:
        raise NotFound("; ".join([f"there is no runbook {name} (forewatch runbooks list shows them)", *found.problems]))
    return found.runbooks[name]


def load(entrypoint: str) -> Flow[..., object]:
    """The flow behind a runbook's entrypoint: `module:name` for ours, `/path/to/file.py:name` for a user's.

    Raises whatever its file raises, AttributeError where the name is gone, TypeError where it is no flow.
    """
    where, _, name = entrypoint.rpartition(":")
    module = _import_file(Path(where)) if where.endswith(".py") else importlib.import_module(where)
    loaded = getattr(module, name)
    if not isinstance(loaded, Flow):
        raise TypeError(f"{entrypoint} is not a runbook: decorate it with @runbook")
    return loaded


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.glob("*.py")) if not path.name.startswith("_"))


def _take(found: Discovered, path: Path, packaged: str | None) -> None:
    try:
        module = importlib.import_module(packaged) if packaged else _import_file(path)
        declared = runbooks_in(module, packaged or str(path.resolve()))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a runbook file may raise anything; it is told, and skipped
        found.problems.append(_problem(path, error))
        return
    if not declared:
        found.problems.append(f"{path}: has no runbook; decorate an async function with @runbook(title=...)")
    for runbook in declared:
        other = found.runbooks.setdefault(runbook.name, runbook)
        if other is not runbook:
            found.problems.append(f"{path}: {runbook.name} is the name of {other.source} already; rename the function")


def _import_file(path: Path) -> ModuleType:
    """Import a user's file under a name of its own, so that it can shadow no module; anew if it has changed."""
    path = path.resolve()
    digest = hashlib.sha256(str(path).encode() + path.read_bytes()).hexdigest()[:12]
    name = f"forewatch_runbook_{path.stem}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be loaded as a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _problem(path: Path, error: BaseException) -> str:
    """`file:line: what`, with the last line of the file itself that led to the error."""
    if isinstance(error, SyntaxError) and error.filename == str(path.resolve()):
        return f"{path}:{error.lineno}: {error.msg}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path.resolve())]
    line = f":{frames[-1].lineno}" if frames else ""
    return f"{path}{line}: {type(error).__name__}: {' '.join(str(error).split())}"
