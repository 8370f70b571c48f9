"""The configuration's files as text: the main one and all it includes, read once, then frozen.

What is stored and what every process parses is this text, never the disk: a decision's configuration version is exactly
what was in force, with secrets and variables as references.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from forewatch.config.document import Document, line_and_column, read_document
from forewatch.config.spots import Problem, Spot
from forewatch.errors import ConfigError

MOST_BYTES = 4 * 1024 * 1024
MOST_FILES = 500
INCLUDE = "include"
_WIDE = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class ConfigFiles:
    """(absolute path, text) of each file, the main one first."""

    files: tuple[tuple[str, str], ...]

    @property
    def folder(self) -> str:
        """Of the main file: where relative paths start."""
        return str(Path(self.files[0][0]).parent)

    @property
    def digest(self) -> str:
        """SHA-256 of paths and texts."""
        return hashlib.sha256(json.dumps(self.as_json()).encode()).hexdigest()

    def as_json(self) -> list[list[str]]:
        return [list(file) for file in self.files]

    @classmethod
    def from_json(cls, data: Sequence[Sequence[str]]) -> ConfigFiles:
        return cls(tuple((path, text) for path, text in data))


@dataclass
class Sight:
    """What the disk showed: which files each glob found, and of each path a digest of its content or why there is none.

    Two sights of the same configuration are equal until a text changes, appears or goes.
    """

    globs: dict[str, list[str]] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)

    def watch(self, pattern: str) -> None:
        """Look at which files a glob finds, too."""
        self.globs[pattern] = _matching(pattern)

    def watch_content(self, pattern: str) -> None:
        """Look at the content of the files a glob finds, too."""
        self.watch(pattern)
        self.marks |= {path: fingerprint_of(path) for path in self.globs[pattern]}

    def again(self) -> Sight:
        """The same places as they are now."""
        return Sight(
            {pattern: _matching(pattern) for pattern in self.globs}, {path: _mark(_read(path)) for path in self.marks}
        )


@dataclass
class Reading:
    """The texts that could be read, the main one first, what was wrong, and what the disk showed meanwhile."""

    files: list[tuple[str, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    sight: Sight = field(default_factory=Sight)

    def config_files(self) -> ConfigFiles:
        """Raises ConfigError where anything was wrong."""
        if self.problems:
            raise ConfigError([str(problem) for problem in self.problems])
        return ConfigFiles(tuple(self.files))


def shown(path: str) -> str:
    """How a file is named to people: from the current folder where it lies below it."""
    try:
        here = os.path.join(os.getcwd(), "")
    except FileNotFoundError:  # the current folder has been deleted
        return path
    return path.removeprefix(here)


def load_files(path: Path) -> ConfigFiles:
    """The texts of a configuration. Raises ConfigError for what cannot be read or includes wrongly.

    A text that includes nothing is not looked into here: `parse` says whether it is YAML.
    """
    return read_tree(path).config_files()


def read_tree(path: Path) -> Reading:
    """Read a file and all it includes, each once. Never raises: see `problems`."""
    reading = Reading()
    main = os.path.abspath(path)
    _add(reading, main, Spot(shown(main), 1, 1), ())
    return reading


def _add(reading: Reading, path: str, asked_by: Spot, chain: tuple[str, ...]) -> None:
    """Read `path` and what it includes. `chain` is how we came here, to tell a cycle from a second mention."""
    if path in chain:
        names = " -> ".join(shown(each) for each in (*chain[chain.index(path) :], path))
        reading.problems.append(asked_by.problem(f"files include each other: {names}"))
        return
    if path in reading.sight.marks:
        return
    content = _read(path)
    reading.sight.marks[path] = _mark(content)
    if isinstance(content, str):
        reading.problems.append(asked_by.problem(f"{shown(path)}: {content}" if chain else content))
        return
    text = _decode(content, shown(path))
    if isinstance(text, Problem):
        reading.problems.append(text)
        return
    reading.files.append((path, text))
    if INCLUDE not in text and "\\" not in text:
        return  # says so plainly: it need not be read twice, here and by whoever parses it
    # Variables are not filled in for paths: which files are in force must not hang on a process's environment.
    document = read_document(shown(path), text, folder=".", environ={})
    if document.broken:
        reading.problems += document.problems
        return
    for spot, included in _includes(reading, document, path, (*chain, path)):
        if len(reading.files) >= MOST_FILES:
            reading.problems.append(spot.problem(f"more than {MOST_FILES} files are included"))
            return
        _add(reading, included, spot, (*chain, path))


def _includes(reading: Reading, document: Document, path: str, chain: tuple[str, ...]) -> list[tuple[Spot, str]]:
    """The paths `include:` names, globs resolved, each with the place that names it."""
    top = document.value
    if not isinstance(top, dict) or top.get(INCLUDE) is None:
        return []
    spot = document.spot.at(INCLUDE)
    written = top[INCLUDE] if isinstance(top[INCLUDE], list) else [top[INCLUDE]]
    found = []
    for index, entry in enumerate(written):
        place = spot.at(index)
        if not isinstance(entry, str) or not entry or "\0" in entry:
            reading.problems.append(place.problem("include takes paths or globs, such as conf.d/*.yaml"))
        elif "${" in entry:
            reading.problems.append(place.problem("a path to include is written out, without ${...}"))
        else:
            found += [(place, each) for each in _expand(reading.sight, os.path.dirname(path), entry, chain)]
    return found


def _expand(sight: Sight, folder: str, entry: str, chain: tuple[str, ...]) -> list[str]:
    if not glob.has_magic(entry):
        return [os.path.abspath(os.path.join(folder, entry))]
    pattern = os.path.abspath(os.path.join(glob.escape(folder), entry))
    sight.globs[pattern] = _matching(pattern)
    # A glob may sweep up the very file it stands in; that is no cycle.
    return [path for path in sight.globs[pattern] if path not in chain]


def fingerprint_of(path: str) -> str:
    """A digest of a file's content, or why there is none."""
    return _mark(_read(path))


def _matching(pattern: str) -> list[str]:
    return sorted(glob.glob(pattern))[: MOST_FILES + 1]


def _mark(content: bytes | str) -> str:
    return content if isinstance(content, str) else hashlib.sha256(content).hexdigest()


def _read(path: str) -> bytes | str:
    """The content, or a sentence on why there is none. Reads no more than is allowed, and only from plain files."""
    try:
        # O_NONBLOCK: opening a named pipe would wait for a writer.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                return "is not a plain file"
            with open(handle, "rb", closefd=False) as file:
                content = file.read(MOST_BYTES + 1)
        finally:
            os.close(handle)
    except FileNotFoundError:
        return "there is no such file"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except ValueError:
        return "no file can have such a name"
    if len(content) > MOST_BYTES:
        return f"is larger than {MOST_BYTES // 1024**2} MiB; split it and name the parts under include:"
    return content


def _decode(content: bytes, file: str) -> str | Problem:
    if content.startswith(_WIDE):
        return Spot(file, 1, 1).problem("is written in UTF-16 or UTF-32; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # Offsets are counted after the byte order mark, which the codec has taken off.
        body = content.removeprefix(b"\xef\xbb\xbf")
        before = body[: error.start].decode("utf-8", errors="replace")
        place = Spot(file, *line_and_column(before, len(before)))
        return place.problem(f"byte 0x{body[error.start]:02x} is not UTF-8 text; is this a YAML file?")
