"""Matchers: `service=~"web.*"`, the field's way to say which alerts are meant.

Texts are read as Alertmanager reads them (`matcher_syntax`): by its UTF-8 parser, and by its classic one where that
fails or the two disagree. All matchers of a list must hold. A label that is absent equals the empty string, so
`team!="web"` holds for an alert without a team. Regular expressions are RE2, which cannot be made to run for ever, and
must fit the whole value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import re2

from forewatch.alerting import matcher_syntax
from forewatch.alerting.alert import Labels
from forewatch.alerting.matcher_syntax import BARE, Operator, Triple
from forewatch.config.base import Matchers

_OPERATORS: dict[tuple[bool, bool], Operator] = {
    (False, True): "=",
    (False, False): "!=",
    (True, True): "=~",
    (True, False): "!~",
}
"""By isRegex and isEqual."""

_LONGEST_KEPT = 256

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False  # RE2 would write to standard error what we raise


@dataclass(frozen=True)
class Matcher:
    """One condition on one label. Raises ValueError for a pattern RE2 does not take."""

    name: str
    operator: Operator
    value: str

    def __post_init__(self) -> None:
        if self.operator in ("=~", "!~"):
            _pattern(self.value)

    def matches(self, labels: Labels) -> bool:
        value = labels.get(self.name, "")
        match self.operator:
            case "=":
                return value == self.value
            case "!=":
                return value != self.value
            case "=~":
                return _fits(self.value, value)
            case "!~":
                return not _fits(self.value, value)

    def as_json(self) -> dict[str, Any]:
        """As Alertmanager's API has it."""
        return {
            "name": self.name,
            "value": self.value,
            "isRegex": self.operator in ("=~", "!~"),
            "isEqual": self.operator in ("=", "=~"),
        }

    @classmethod
    def from_json(cls, data: object) -> Matcher:
        """The matcher that Alertmanager's API means. Raises ValueError with one sentence that says what is wrong."""
        if not isinstance(data, Mapping):
            raise ValueError("a matcher is an object with name, value, isRegex and isEqual")
        name, value = data.get("name"), data.get("value")
        regex, equal = data.get("isRegex", False), data.get("isEqual", True)
        if not isinstance(name, str) or not name:
            raise ValueError("a matcher needs a name: the label it looks at")
        if not isinstance(value, str):
            raise ValueError(f"the matcher of {name} needs a value, as text")
        if not isinstance(regex, bool) or not isinstance(equal, bool):
            raise ValueError(f"isRegex and isEqual of the matcher of {name} must be true or false")
        return cls(name, _OPERATORS[regex, equal], value)

    def __str__(self) -> str:
        name = self.name if BARE.fullmatch(self.name) else quoted(self.name)
        return f"{name}{self.operator}{_value(self.value)}"


def parse_matchers(spec: Matchers | str) -> tuple[Matcher, ...]:
    """A mapping (equality), a list of matcher strings, or one string, to matchers. An empty one matches everything.

    Raises ValueError with one sentence that quotes the text and says what was expected.
    """
    if isinstance(spec, Mapping):
        return tuple(Matcher(name, "=", value) for name, value in spec.items())
    texts = (spec,) if isinstance(spec, str) else spec
    return tuple(matcher for text in texts for matcher in _parse(text))


def parse_matcher(text: str) -> Matcher:
    """The one matcher of a text without braces, as the API's `filter` has it; more are written as more filters.

    Raises ValueError with one sentence.
    """
    if text.startswith("{") or text.endswith("}"):
        raise ValueError(f"{text}: one matcher, without braces")
    try:
        classic = _made(text, [matcher_syntax.classic_one(text)])
    except ValueError:
        new = _made(text, matcher_syntax.utf8(text))
        if len(new) != 1:
            raise ValueError(f"{text}: one matcher, not {len(new)}") from None
        return new[0]
    return classic[0]


def remark(text: str) -> str | None:
    """A sentence on a text that only Alertmanager's classic parser reads so. None for others, and for what is none."""
    try:
        found, agreed = _both(text)
    except ValueError:
        return None
    if agreed:
        return None
    plain = ", ".join(map(str, found))
    return f"{text} is read as Alertmanager's classic parser reads it; write {plain}, which its UTF-8 parser takes too"


def matches(matchers: tuple[Matcher, ...], labels: Labels) -> bool:
    """Whether all matchers hold."""
    # A generator would double the cost of what runs for every alert and route.
    for matcher in matchers:  # noqa: SIM110
        if not matcher.matches(labels):
            return False
    return True


def _fits(pattern: str, value: str) -> bool:
    """Whether the whole value fits. Alerts are sent again and again, so answers are kept, but not of huge values."""
    if len(value) > _LONGEST_KEPT:
        return _pattern(pattern).fullmatch(value) is not None
    return _fits_kept(pattern, value)


@lru_cache(maxsize=32_768)
def _fits_kept(pattern: str, value: str) -> bool:
    return _pattern(pattern).fullmatch(value) is not None


@lru_cache(maxsize=4096)
def _pattern(pattern: str) -> Any:
    try:
        return re2.compile(pattern, _OPTIONS)
    except re2.error as error:
        why = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        raise ValueError(f"{pattern} is not a regular expression RE2 takes: {why}") from None


@lru_cache(maxsize=4096)
def _parse(text: str) -> tuple[Matcher, ...]:
    return _both(text)[0]


def _both(text: str) -> tuple[tuple[Matcher, ...], bool]:
    """What a text means to Alertmanager, and whether its UTF-8 parser by itself would say so too."""
    refused: ValueError | None = None
    try:
        new = _made(text, matcher_syntax.utf8(text))
    except ValueError as error:
        new, refused = None, error
    try:
        old = _made(text, matcher_syntax.classic(text))
    except ValueError:
        old = None
    if refused is not None and old is None:
        raise refused
    found = new if old is None else old
    assert found is not None
    return found, found == new


def _made(text: str, triples: list[Triple]) -> tuple[Matcher, ...]:
    try:
        return tuple(Matcher(*triple) for triple in triples)
    except ValueError as error:
        raise ValueError(f"{text}: {error}") from None


def quoted(text: str) -> str:
    """A text in double quotes, with escapes, as names of labels and group keys have it."""
    for raw, escape in {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}.items():
        text = text.replace(raw, escape)
    return f'"{text}"'


def _value(text: str) -> str:
    """A value in double quotes, with the escapes that mean the same to both parsers."""
    for raw, escape in {"\\": "\\\\", '"': '\\"', "\n": "\\n"}.items():
        text = text.replace(raw, escape)
    return f'"{text}"'
