"""From the configuration's texts to a `Config`: parse each file, merge them, validate, cross-check."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from pydantic import ValidationError

from forewatch.config.base import FROM_FILE
from forewatch.config.crosscheck import cross_check
from forewatch.config.document import Document, read_document
from forewatch.config.files import ConfigFiles, load_files, shown
from forewatch.config.models import Config
from forewatch.config.problems import from_pydantic, top_keys, unknown_key
from forewatch.config.spots import Problem, Spot
from forewatch.errors import ConfigError

__all__ = ["ConfigFiles", "RunbookNames", "load_files", "parse"]

RunbookNames = Collection[str] | Callable[[Sequence[str]], Collection[str]]
"""The runbooks there are, or what tells them from the configuration's `runbook_folders` (absolute paths)."""

MERGED = ("services", "rules", "notifiers", "routes", "times", "inhibitions", "sources", "runbook_folders")
"""Lists that several files may add to, in the order the files are included; all else stands in one file only."""


def parse(
    files: ConfigFiles,
    *,
    known_runbooks: RunbookNames | None = None,
    environ: Mapping[str, str] | None = None,
) -> Config:
    """The configuration that `files` say. Raises ConfigError with every problem found, in the order of the files.

    Reads no file itself. `known_runbooks` None leaves runbook names unchecked; `environ` is where `${VARIABLE}` is
    looked up, by default this process's.
    """
    with _without_collecting():
        return _parse(files, known_runbooks, os.environ if environ is None else environ)


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


def _parse(files: ConfigFiles, known_runbooks: RunbookNames | None, environ: Mapping[str, str]) -> Config:
    documents = [read_document(shown(path), text, folder=files.folder, environ=environ) for path, text in files.files]
    problems = [problem for document in documents for problem in document.problems]
    if any(document.broken for document in documents):
        raise _error(problems, documents)
    top = Spot(documents[0].spot.file, 1, 1)
    data = _merge(documents, top, problems)
    known = {(problem.file, problem.line, problem.column) for problem in problems}
    try:
        config = Config.model_validate(
            {**data, "folder": files.folder}, context=FROM_FILE, by_alias=True, by_name=False
        )
    except ValidationError as error:
        found = from_pydantic(error, top)
        # A value that could not even be read is not also said to be of the wrong kind.
        more = [each for each in found if (each.file, each.line, each.column) not in known]
        raise _error(problems + more, documents) from None
    folders = [os.path.normpath(os.path.join(files.folder, folder)) for folder in config.runbook_folders]
    known_names = known_runbooks(folders) if callable(known_runbooks) else known_runbooks
    problems += cross_check(config, top, known_names)
    if problems:
        raise _error(problems, documents)
    return config.model_copy(update={"runbook_folders": folders})


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
            if key == "folder":
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


def _error(problems: list[Problem], documents: list[Document]) -> ConfigError:
    order = {document.spot.file: index for index, document in reversed(list(enumerate(documents)))}
    once = sorted(set(problems), key=lambda each: (order[each.file], each.line, each.column, each.what))
    return ConfigError([str(problem) for problem in once])
