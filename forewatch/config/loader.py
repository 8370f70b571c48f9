"""From the configuration's texts to a `Config`: parse each file, merge them, validate, cross-check."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydantic import ValidationError

from forewatch.config.base import FROM_FILE
from forewatch.config.crosscheck import cross_check
from forewatch.config.crosscheck_remedies import Place, RunbookJudge, check_remedies, judge_inputs
from forewatch.config.document import Document, read_document
from forewatch.config.files import ConfigFiles, load_files, shown
from forewatch.config.models import SET_BY_LOADER, Config, RemedyOff
from forewatch.config.problems import from_pydantic, top_keys, unknown_key
from forewatch.config.remedies_off import named_off, of_remedies, switched_off, without
from forewatch.config.spots import Problem, Spot
from forewatch.errors import ConfigError

__all__ = ["ConfigFiles", "Examined", "RunbookNames", "examine", "in_force", "load_files", "parse"]

RunbookNames = Collection[str] | Callable[[Sequence[str]], Collection[str]]
"""The runbooks there are, or what tells them from the configuration's `runbook_folders` (absolute paths)."""

MERGED = ("services", "rules", "notifiers", "routes", "times", "inhibitions", "sources", "runbook_folders")
"""Lists that several files may add to, in the order the files are included; all else stands in one file only."""


@dataclass(frozen=True)
class Examined:
    """What the texts of a configuration come to."""

    config: Config | None
    """With all its remedies, placeholders among them; None where it cannot be read as a configuration."""
    top: Spot
    problems: list[Problem]
    """For which it cannot come into force."""
    documents: list[Document]
    wrong: dict[Place, list[Problem]] = field(default_factory=dict)
    """For which remedies are off, while all else can come into force."""
    files: list[Problem] = field(default_factory=list)
    """Of runbook files that no remedy needs."""

    @property
    def faults(self) -> list[Problem]:
        """All that is wrong and keeps nothing else from coming into force."""
        return [*(problem for theirs in self.wrong.values() for problem in theirs), *self.files]

    def working(self, off: Iterable[RemedyOff] = ()) -> Config:
        """The configuration without the remedies that are off. Raises ConfigError where it cannot come into force."""
        if self.config is None or self.problems:
            raise ConfigError(self.lines(self.problems))
        return switched_off(self.config, [*off, *named_off(self.config, self.top, self.wrong)])

    def lines(self, problems: Iterable[Problem]) -> list[str]:
        """As people read them, in the order of the files, each once."""
        order = {document.spot.file: index for index, document in reversed(list(enumerate(self.documents)))}
        once = sorted(set(problems), key=lambda each: (order[each.file], each.line, each.column, each.what))
        return [str(problem) for problem in once]


def parse(
    files: ConfigFiles,
    *,
    known_runbooks: RunbookNames | None = None,
    environ: Mapping[str, str] | None = None,
) -> Config:
    """The configuration that `files` say. Raises ConfigError with every problem found, also of its remedies."""
    found = examine(files, known_runbooks=known_runbooks, environ=environ)
    if found.faults:
        raise ConfigError(found.lines([*found.problems, *found.faults]))
    return found.working()


def in_force(files: ConfigFiles, off: Iterable[RemedyOff] = ()) -> Config:
    """The same as it works: without the remedies that are wrong by themselves, or `off` by what was known of runbooks.

    Raises ConfigError for everything else that is wrong.
    """
    return examine(files).working(off)


def examine(
    files: ConfigFiles,
    *,
    known_runbooks: RunbookNames | None = None,
    judge: RunbookJudge | None = None,
    environ: Mapping[str, str] | None = None,
) -> Examined:
    """What `files` say, and all that is wrong with it. Reads no file itself.

    Without `known_runbooks` the names of runbooks are not checked, without `judge` the inputs of remedies. `environ` is
    where `${VARIABLE}` is looked up, by default this process's.
    """
    with _without_collecting():
        return _examine(files, known_runbooks, judge, os.environ if environ is None else environ)


@contextmanager
def _without_collecting() -> Iterator[None]:
    """A large configuration is a hundred thousand new objects of which none is garbage: looking for it takes a third
    of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _examine(
    files: ConfigFiles, known_runbooks: RunbookNames | None, judge: RunbookJudge | None, environ: Mapping[str, str]
) -> Examined:
    documents = [read_document(shown(path), text, folder=files.folder, environ=environ) for path, text in files.files]
    problems = [problem for document in documents for problem in document.problems]
    top = Spot(documents[0].spot.file, 1, 1)
    if any(document.broken for document in documents):
        return Examined(None, top, problems, documents)
    data = _merge(documents, top, problems)
    wrong = of_remedies(problems, data, top)
    unread = {(problem.file, problem.line, problem.column) for problem in problems}
    try:
        config = _validated(data, files.folder)
    except ValidationError as error:
        # A value that could not even be read is not also said to be of the wrong kind.
        more = [each for each in from_pydantic(error, top) if (each.file, each.line, each.column) not in unread]
        problems += more
        for place, theirs in of_remedies(more, data, top).items():
            wrong.setdefault(place, []).extend(theirs)
        try:
            config = _validated(without(data, wrong), files.folder)
        except ValidationError:
            return Examined(None, top, problems, documents)
    forgiven = {problem for theirs in wrong.values() for problem in theirs}
    problems = [problem for problem in problems if problem not in forgiven]
    folders = [os.path.normpath(os.path.join(files.folder, folder)) for folder in config.runbook_folders]
    config = config.model_copy(update={"runbook_folders": folders})
    problems += cross_check(config, top)
    names = known_runbooks(folders) if callable(known_runbooks) else known_runbooks
    wrong |= check_remedies(config, top, names, skip=wrong)
    unneeded: list[Problem] = []
    if judge is not None:
        by_runbook, unneeded = judge_inputs(config, top, judge, skip=wrong)
        wrong |= by_runbook
    return Examined(config, top, problems, documents, wrong, unneeded)


def _validated(data: dict[str, object], folder: str) -> Config:
    return Config.model_validate({**data, "folder": folder}, context=FROM_FILE, by_alias=True, by_name=False)


def _merge(documents: list[Document], top: Spot, problems: list[Problem]) -> dict[str, object]:
    """One mapping of all files; `top` gets the spots of what is in it."""
    data: dict[str, object] = {}
    for document in documents:
        if document.value is None:
            if document is documents[0]:
                problems.append(document.spot.problem("the file is empty; say at least metrics: {}"))
            continue
        if not isinstance(document.value, dict):
            problems.append(document.spot.problem("a configuration is a mapping: services:, rules:, notifiers:, ..."))
            continue
        for key, value in document.value.items():
            spot = document.spot.children[key]
            if key in SET_BY_LOADER:
                problems.append(unknown_key(key, spot, top_keys()))
            elif key == "include" or (value is None and not spot.secret and key in Config.model_fields):
                continue  # includes were followed when the files were read; a key with nothing below it says nothing
            elif key in MERGED and isinstance(value, list):
                _extend(data, top, key, value, spot, problems)
            elif key in data:
                first = top.children[key]
                problems.append(spot.problem(f"is set already in {first.file}:{first.line}"))
            else:
                data[key], top.children[key] = value, spot
    return data


def _extend(
    data: dict[str, object], top: Spot, key: str, value: list[object], spot: Spot, problems: list[Problem]
) -> None:
    whole = data.setdefault(key, [])
    if not isinstance(whole, list):
        problems.append(spot.problem(f"{key} stands in several files and must be a list in each"))
        return
    # A spot of its own: each file's entries go on being counted, and shown, as in that file.
    place = top.children.setdefault(key, Spot(spot.file, spot.line, spot.column, spot.where))
    for index, item in enumerate(value):
        place.children[len(whole)] = spot.children[index]
        whole.append(item)
