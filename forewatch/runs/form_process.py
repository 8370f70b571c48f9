"""The forms of runbooks, for judging the `with:` of remedies; a process of its own, started by `form_check`.

Loading Prefect takes seconds and tens of megabytes, and a runbook file may do anything when it is imported, so neither
happens in the process that asks. Nor is Prefect needed for a form: files are imported with a stand-in for
`forewatch.runbook`, under which a runbook is its signature. With `--with-prefect` they are imported as the worker does,
which has the last word on a file that looks broken.

Question and answer are JSON on standard input and output; see `answer`.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from forewatch import registry
from forewatch.config.runbook_names import files_of, names_in, packaged
from forewatch.errors import RunbookError, StepFailed
from forewatch.runs.form import Seconds, documented, form_of, problems_at, with_common

AUTHORS_MODULE = "forewatch.runbook"
WITH_PREFECT = "--with-prefect"


@dataclass
class Forms:
    """Form and description of each runbook, by name, and what is wrong with files that gave none, one sentence each."""

    by_name: dict[str, type[BaseModel]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    about: dict[str, str] = field(default_factory=dict)
    """What each does, as its author wrote."""


def main() -> None:
    """Answer one question."""
    # What a runbook file prints when it is imported must not land in the answer.
    reply = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    question = json.load(sys.stdin)
    forms = (as_the_worker_does if WITH_PREFECT in sys.argv else light)(question["folders"])
    with reply:
        json.dump(answer(forms, question["folders"], question["asked"]), reply)


def answer(forms: Forms, folders: Sequence[str], asked: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """`verdicts`: for each runbook and inputs that were asked about, where (below the remedy) and what is wrong.
    `problems`: of files in general, those that were no answer to anything asked about. `about`: what each runbook does.
    """
    left = list(forms.problems)
    verdicts: list[list[tuple[list[str | int], str]]] = []
    for name, inputs in asked:
        form = forms.by_name.get(name)
        if form is not None:
            verdicts.append([(["with", *way], what) for way, what in problems_at(inputs, form)])
            continue
        why = _why_missing(name, folders, forms.problems)
        left = [problem for problem in left if problem not in why]
        said = f"this runbook does not load: {'; '.join(why)}" if why else "no file declares this runbook"
        verdicts.append([(["runbook"], said)])
    return {"verdicts": verdicts, "problems": left, "about": forms.about}


def _why_missing(name: str, folders: Sequence[str], problems: Sequence[str]) -> list[str]:
    """What is wrong with the files that bear the name."""
    files = [path for folder in (*packaged(), *map(Path, folders)) for path in files_of(folder)]
    places = [str(path) for path in files if name in names_in(path)]
    return [problem for problem in problems if any(problem.startswith(f"{place}:") for place in places)]


def as_the_worker_does(folders: Sequence[str]) -> Forms:
    found = registry.load("runbooks")(folders)
    runbooks = found.runbooks.items()
    return Forms(
        {name: runbook.form for name, runbook in runbooks},
        found.problems,
        {name: runbook.description for name, runbook in runbooks},
    )


def light(folders: Sequence[str]) -> Forms:
    """Without Prefect, unless a file imports it itself. In this process `forewatch.runbook` is the stand-in's then."""
    found = Forms()
    declared: list[tuple[str, type[BaseModel], str]] = []
    sys.modules[AUTHORS_MODULE] = stand_in(lambda *made: declared.append(made))
    for number, path in enumerate(path for folder in (*packaged(), *map(Path, folders)) for path in files_of(folder)):
        declared.clear()
        try:
            _import(path, f"forewatch_runbook_form_{number}")
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a runbook file may raise anything; it is told
            found.problems.append(f"{path}: {type(error).__name__}: {error}")
            continue
        if not declared:
            found.problems.append(f"{path}: has no runbook")
        for name, form, description in declared:
            if found.by_name.setdefault(name, form) is form:
                found.about[name] = description
            else:
                found.problems.append(f"{path}: {name} is the name of another runbook already")
    found.problems += [f"{folder}: is not a folder" for folder in folders if not Path(folder).is_dir()]
    return found


def stand_in(declare: Callable[[str, type[BaseModel], str], None]) -> ModuleType:
    """What a runbook's author imports, with decorators that only look at signatures."""

    def runbook(*, title: str, timeout: float = 600.0) -> Callable[[Any], Any]:
        def decorate(fn: Any) -> Any:
            name = fn.__name__.replace("_", "-")
            if not inspect.iscoroutinefunction(fn):
                raise RunbookError(f"runbook {name} must be an async function")
            description, _ = documented(inspect.getdoc(fn) or title)
            declare(name, form_of(name, with_common(inspect.signature(fn, eval_str=True))), description)
            return fn

        return decorate

    def step(fn: Any = None, /, **options: Any) -> Any:
        return (lambda decorated: decorated) if fn is None else fn

    class Generic:
        """Stands in annotations alone."""

        def __class_getitem__(cls, item: Any) -> type[Generic]:
            return cls

    module = ModuleType(AUTHORS_MODULE)
    module.__dict__.update(runbook=runbook, step=step, Seconds=Seconds, StepFailed=StepFailed)
    module.__dict__.update(Execution=Generic, Happened=Generic, Runbook=Generic)
    module.__dict__.update(attach=_not_here, current_run=_not_here, note=_not_here, still_allowed=_not_here)
    return module


def _not_here(*args: Any, **kwargs: Any) -> Any:
    raise RunbookError("only a run has this")


def _import(path: Path, name: str) -> None:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("cannot be loaded as a Python file")
    module = importlib.util.module_from_spec(spec)
    # Annotations are looked up in the module by its name.
    sys.modules[name] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    main()
