"""One YAML text to plain values, each with the place where it stands.

Built straight from the parser's events: that keeps line and column of every value, refuses duplicate keys, and bounds
nesting and aliases, so that no text makes it run for ever or deep. Plain scalars mean what YAML 1.2's core schema says;
mapping keys are always text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from forewatch.config.expand import expand
from forewatch.config.secrets import Secret
from forewatch.config.spots import Problem, Spot

DEEPEST = 50
MOST_VALUES = 1_000_000
"""Values a text may hold once its aliases are followed: a few lines of aliases can stand for billions."""

_SECRET = "!secret"
_STANDARD = "tag:yaml.org,2002:"
_MERGE = "<<"

# The characters YAML allows; the parser's own error has no line for the others.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_BASED = re.compile(r"0o[0-7]{1,20}|0x[0-9a-fA-F]{1,15}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"([-+]?)\.(?:inf|Inf|INF)")
_NAN = re.compile(r"\.(?:nan|NaN|NAN)")


@dataclass(frozen=True)
class Document:
    """`value` is what the text says; `broken` that it could not be read to its end, which `problems` explains."""

    value: object
    spot: Spot
    problems: list[Problem] = field(default_factory=list)
    broken: bool = False


def read_document(file: str, text: str, *, folder: str, environ: Mapping[str, str]) -> Document:
    """What `text` says. Never raises: whatever is wrong with it is among the problems.

    `file` is the name to show; `folder` is where `!secret file:` starts.
    """
    top = Spot(file, 1, 1)
    strange = _FORBIDDEN.search(text)
    if strange is not None:
        where = Spot(file, *line_and_column(text, strange.start()))
        return Document(None, top, [where.problem(f"{strange[0]!a} may not stand in YAML; is this a text?")], True)
    reader = _Reader(file, text, folder, environ)
    try:
        value, spot = reader.read()
    except _GiveUp as error:
        return Document(None, top, [*reader.problems, error.problem], True)
    except MarkedYAMLError as error:
        return Document(None, top, [*reader.problems, _syntax(file, text, error)], True)
    # The parser in Python lets some escapes such as "\Uffffffff" through to chr().
    except (YAMLError, ValueError, OverflowError) as error:
        return Document(None, top, [*reader.problems, top.problem(f"not valid YAML: {error}")], True)
    return Document(value, spot, reader.problems)


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """Where a character stands, both from 1."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _syntax(file: str, text: str, error: MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    spot = Spot(file, mark.line + 1, mark.column + 1) if mark is not None else Spot(file, 1, 1)
    lines = text.splitlines()
    line = lines[spot.line - 1] if spot.line <= len(lines) else ""
    if line[spot.column - 1 : spot.column] == "\t":
        return spot.problem("not valid YAML: a tab cannot indent; use spaces")
    context = f" {error.context}" if error.context else ""
    hint = ' (a ${VARIABLE} inside { } or [ ] needs quotes: "${VARIABLE}")' if "${" in line else ""
    return spot.problem(f"not valid YAML: {error.problem}{context}{hint}")


class _GiveUp(Exception):
    def __init__(self, problem: Problem) -> None:
        self.problem = problem


class _Reader:
    def __init__(self, file: str, text: str, folder: str, environ: Mapping[str, str]) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._folder = folder
        self._environ = environ
        self._events: Iterator[Any] = _events(text)
        self._anchors: dict[str, tuple[object, Spot, int]] = {}
        self._values = 0
        self._builders: dict[str, Callable[[Any, Spot, int], object]] = {
            "ScalarEvent": self._scalar,
            "SequenceStartEvent": self._sequence,
            "MappingStartEvent": self._mapping,
        }

    def read(self) -> tuple[object, Spot]:
        self._next()  # stream start
        event = self._next()
        if _kind(event) == "StreamEndEvent":
            return None, Spot(self._file, 1, 1)
        found = self._node(self._next(), None, "", 0)
        self._next()  # document end
        event = self._next()
        if _kind(event) != "StreamEndEvent":
            raise _GiveUp(self._spot(event).problem("a second document begins here; write it as a file to include"))
        return found

    def _next(self) -> Any:
        return next(self._events)

    def _spot(self, event: Any, where: str = "") -> Spot:
        return Spot(self._file, event.start_mark.line + 1, event.start_mark.column + 1, where)

    def _node(self, event: Any, key: Spot | None, where: str, depth: int) -> tuple[object, Spot]:
        """The value that begins with `event`. It is said to stand at its key, where it has one."""
        spot = self._spot(event, where)
        if key is not None:
            spot.line, spot.column = key.line, key.column
        before = self._values
        self._values += 1
        if _kind(event) == "AliasEvent":
            return self._alias(event, spot)
        if depth > DEEPEST:
            raise _GiveUp(spot.problem(f"nested more than {DEEPEST} deep"))
        value = self._builders[_kind(event)](event, spot, depth)
        if event.anchor:
            self._anchors[event.anchor] = (value, spot, self._values - before)
        return value, spot

    def _alias(self, event: Any, spot: Spot) -> tuple[object, Spot]:
        if event.anchor not in self._anchors:
            raise _GiveUp(spot.problem(f"*{event.anchor} refers to nothing above it (or to itself)"))
        value, target, size = self._anchors[event.anchor]
        self._values += size
        if self._values > MOST_VALUES:
            raise _GiveUp(spot.problem(f"aliases make this more than {MOST_VALUES} values"))
        return value, target

    def _sequence(self, event: Any, spot: Spot, depth: int) -> object:
        self._check_tag(event, spot, "seq")
        items: list[object] = []
        while _kind(event := self._next()) != "SequenceEndEvent":
            item, item_spot = self._node(event, None, f"{spot.where}[{len(items)}]", depth + 1)
            spot.children[len(items)] = item_spot
            items.append(item)
        return items

    def _mapping(self, event: Any, spot: Spot, depth: int) -> object:
        self._check_tag(event, spot, "map")
        own: dict[str, object] = {}
        lines: dict[str, int] = {}
        merged: list[tuple[object, Spot]] = []
        while _kind(event := self._next()) != "MappingEndEvent":
            key_spot = self._spot(event, spot.where)
            if _kind(event) != "ScalarEvent":
                raise _GiveUp(key_spot.problem("a key must be plain text"))
            key: str = event.value
            found = self._node(self._next(), key_spot, f"{spot.where}.{key}" if spot.where else key, depth + 1)
            if key == _MERGE and event.implicit[0]:
                merged.append(found)
            elif key in own:
                self.problems.append(
                    key_spot.problem(f'the key "{key}" stands here twice (first in line {lines[key]})')
                )
            else:
                own[key], spot.children[key] = found
                lines[key] = key_spot.line
        return self._merge(own, merged, spot)

    def _merge(self, own: dict[str, object], merged: list[tuple[object, Spot]], spot: Spot) -> object:
        """`<<: *defaults`: what the mapping does not say itself, its defaults say."""
        for value, source in merged:
            sources = [(value, source)]
            if isinstance(value, list):
                sources = [(item, source.children[index]) for index, item in enumerate(value)]
            for item, item_spot in sources:
                if not isinstance(item, dict):
                    self.problems.append(source.problem("<< takes a mapping (such as *defaults) or a list of them"))
                    continue
                for key in item:
                    if key not in own:
                        own[key], spot.children[key] = item[key], item_spot.children[key]
        return own

    def _scalar(self, event: Any, spot: Spot, depth: int) -> object:
        text: str = event.value
        spot.text = text
        if event.tag == _SECRET:
            spot.secret = True
            try:
                return Secret.parse(text, self._folder)
            except ValueError as error:
                self.problems.append(spot.problem(str(error)))
                return None
        self._check_tag(event, spot, "str", "int", "float", "bool", "null")
        if event.implicit[0]:
            value = _resolve(text)
            if not isinstance(value, str):
                return value
        if "$" not in text:
            return text
        try:
            value = expand(text, self._environ)
        except ValueError as error:
            self.problems.append(spot.problem(str(error)))
            return text
        spot.expanded = value != text
        return value

    def _check_tag(self, event: Any, spot: Spot, *known: str) -> None:
        # The lone "!" only says "not a plain scalar".
        tag = event.tag
        if tag in (None, "", "!") or str(tag).removeprefix(_STANDARD) in known:
            return
        if tag == _SECRET:
            message = "!secret takes a reference such as env:NAME or file:PATH"
        else:
            message = f"unknown tag {str(tag).replace(_STANDARD, '!!')} (the only one is !secret)"
        self.problems.append(spot.problem(message))


def _events(text: str) -> Iterator[Any]:
    """The parser's events, lazily or up to what is nested too deep, which it would take for ever to read to the end.

    libyaml is ten times as fast, but knows YAML 1.1 alone and refuses `{secret: !secret env:NAME}`. What it refuses is
    read again by the parser in Python, which has the last word.
    """
    events = []
    depth = 0
    try:
        for event in YAML(typ="safe").parse(text):
            events.append(event)
            kind = _kind(event)
            depth += kind.endswith("StartEvent") - kind.endswith("EndEvent")
            if depth > DEEPEST + 5:
                break
    except YAMLError:
        return iter(YAML(typ="safe", pure=True).parse(text))
    return iter(events)


def _kind(event: Any) -> str:
    return type(event).__name__


def _resolve(text: str) -> object:
    """A plain scalar by YAML 1.2's core schema. A number too long to mean one stays text."""
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    if _INTEGER.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if infinite := _INFINITE.fullmatch(text):
        return float(f"{infinite[1]}inf")
    return float("nan") if _NAN.fullmatch(text) else text
