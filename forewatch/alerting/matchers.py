"""Matchers: `service=~"web.*"`, the field's way to say which alerts are meant.

    matchers = [ "{" ] matcher { "," matcher } [ "," ] [ "}" ]
    matcher  = text ( "=" | "!=" | "=~" | "!~" ) text
    text     = a run without blanks and {}!=~,\\"'`  |  "double quoted, with \\\\ \\" \\n as escapes"

All matchers of a list must hold. A label that is absent equals the empty string, so `team!="web"` holds for an alert
without a team. Regular expressions are RE2, which cannot be made to run for ever, and must fit the whole value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, cast

import re2

from forewatch.alerting.alert import Labels
from forewatch.config.base import Matchers

Operator = Literal["=", "!=", "=~", "!~"]

_TOKEN = re.compile(
    r"""(?P<blank>\s+)
      | (?P<operator>=~|!~|!=|=)
      | (?P<punctuation>[{},])
      | "(?P<quoted>(?:[^"\\]|\\.)*)"
      | (?P<bare>[^\s{}!=~,\\"'`]+)""",
    re.VERBOSE | re.DOTALL,
)
_BARE = re.compile(r"""[^\s{}!=~,\\"'`]+""")
_ESCAPES = {"\\": "\\", '"': '"', "n": "\n", "t": "\t", "r": "\r"}

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
        name = self.name if _BARE.fullmatch(self.name) else quoted(self.name)
        return f"{name}{self.operator}{quoted(self.value)}"


def parse_matchers(spec: Matchers | str) -> tuple[Matcher, ...]:
    """A mapping (equality), a list of matcher strings, or one string, to matchers. An empty one matches everything.

    Raises ValueError with one sentence that quotes the text and says what was expected.
    """
    if isinstance(spec, Mapping):
        return tuple(Matcher(name, "=", value) for name, value in spec.items())
    texts = (spec,) if isinstance(spec, str) else spec
    return tuple(matcher for text in texts for matcher in _parse(text))


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
    tokens = _tokens(text)
    braces = bool(tokens) and tokens[0] == ("punctuation", "{")
    if braces != (bool(tokens) and tokens[-1] == ("punctuation", "}")):
        raise ValueError(f"{text}: a brace has no partner (both or neither)")
    if braces:
        tokens = tokens[1:-1]
    found = []
    while tokens:
        found.append(_matcher(text, tokens[:3]))
        if tokens[3:] and tokens[3] != ("punctuation", ","):
            raise ValueError(f"{text}: expected a comma before {tokens[3][1]} (quote a value that has blanks)")
        tokens = tokens[4:]
    return tuple(found)


def _matcher(text: str, tokens: list[tuple[str, str]]) -> Matcher:
    words = ("bare", "quoted")
    if tokens[0][0] not in words or not tokens[0][1]:
        raise ValueError(f"{text}: expected a label name before {tokens[0][1] or 'the operator'}")
    name = tokens[0][1]
    if len(tokens) < 2 or tokens[1][0] != "operator":
        raise ValueError(f"{text}: expected one of = != =~ !~ after {name}")
    operator = cast(Operator, tokens[1][1])
    if len(tokens) < 3 or tokens[2][0] not in words:
        raise ValueError(f'{text}: expected a value after {name}{operator} (the empty one is {name}{operator}"")')
    try:
        return Matcher(name, operator, tokens[2][1])
    except ValueError as error:
        raise ValueError(f"{text}: {error}") from None


def _tokens(text: str) -> list[tuple[str, str]]:
    """(kind, text) of each token, blanks left out, quotes and escapes undone."""
    tokens = []
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            wrong = "a quote is not closed" if text[at] == '"' else f"{text[at]} needs double quotes around the value"
            raise ValueError(f"{text}: {wrong}")
        kind = cast(str, found.lastgroup)
        if kind != "blank":
            tokens.append((kind, _unescaped(text, found[kind]) if kind == "quoted" else found[kind]))
        at = found.end()
    return tokens


def quoted(text: str) -> str:
    """A text in double quotes, with escapes, as matchers and group keys have it."""
    for raw, escape in ((character, f"\\{letter}") for letter, character in _ESCAPES.items()):
        text = text.replace(raw, escape)
    return f'"{text}"'


def _unescaped(text: str, quoted: str) -> str:
    def undo(escape: re.Match[str]) -> str:
        if escape[1] not in _ESCAPES:
            raise ValueError(f"{text}: \\{escape[1]} is not an escape (try \\\\{escape[1]})")
        return _ESCAPES[escape[1]]

    return re.sub(r"\\(.)", undo, quoted, flags=re.DOTALL)
