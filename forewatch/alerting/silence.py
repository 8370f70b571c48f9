"""Silences: who wants not to hear of which alerts, from when to when, and why.

States, checks and edits are Alertmanager's (`silence/silence.go`), so that amtool finds what it expects.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from forewatch.alerting.alert import Labels
from forewatch.alerting.matchers import Matcher, matches
from forewatch.clock import MICROSECONDS, iso

SilenceKind = Literal["silence", "maintenance"]
SilenceState = Literal["pending", "active", "expired"]


@dataclass(frozen=True)
class Silence:
    """Instants in microseconds UTC. A `maintenance` is a silence that also keeps remedies from acting."""

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: int
    ends_at: int
    """The last instant at which it still hushes."""
    created_by: str
    comment: str
    updated_at: int
    kind: SilenceKind = "silence"
    annotations: Mapping[str, str] = field(default_factory=dict)


def state_of(silence: Silence, now: int) -> SilenceState:
    """From `starts_at` to `ends_at`, both included, it is active."""
    if now < silence.starts_at:
        return "pending"
    return "active" if now <= silence.ends_at else "expired"


def over_at(silence: Silence) -> int:
    """The first instant at which it hushes no more: what to wait for, since at `ends_at` itself it still does."""
    return silence.ends_at + 1


def validate(silence: Silence, now: int) -> None:
    """Raises ValueError with one sentence where the silence cannot be meant so."""
    if not silence.matchers:
        raise ValueError("a silence needs at least one matcher, or it would hide everything")
    if all(_means_absent(matcher) for matcher in silence.matchers):
        shown = ", ".join(map(str, silence.matchers))
        raise ValueError(f"at least one matcher must not match the empty string, and each of {shown} does")
    if not silence.created_by.strip():
        raise ValueError("a silence needs its author (createdBy)")
    if not silence.comment.strip():
        raise ValueError("a silence needs a comment that says why")
    if silence.ends_at <= silence.starts_at:
        raise ValueError(f"a silence ends after it starts, and {iso(silence.ends_at)} is not after its start")
    if silence.ends_at < now:
        raise ValueError(f"a silence cannot end in the past ({iso(silence.ends_at)})")


def may_edit_in_place(old: Silence, new: Silence, now: int) -> bool:
    """Whether `new` may take the place of `old` without telling another story of what was silent when.

    Otherwise `old` is to be expired and `new` is a silence of its own. The start of an active one is compared in whole
    seconds, since clients send it back with less of its fraction than they got.
    """
    if old.matchers != new.matchers or old.kind != new.kind:
        return False
    match state_of(old, now):
        case "active":
            same_start = old.starts_at // MICROSECONDS == new.starts_at // MICROSECONDS
            return same_start and new.ends_at >= now
        case "pending":
            return new.starts_at >= now
        case "expired":
            return False


def silence_as_json(silence: Silence) -> dict[str, Any]:
    """As plain JSON; `silence_from_json` reads it back."""
    return {
        **vars(silence),
        "matchers": [matcher.as_json() for matcher in silence.matchers],
        "annotations": dict(silence.annotations),
    }


def silence_from_json(data: Mapping[str, Any]) -> Silence:
    """The silence `silence_as_json` wrote. Raises ValueError for a matcher that cannot be read."""
    return Silence(**{**data, "matchers": tuple(Matcher.from_json(matcher) for matcher in data["matchers"])})


class SilenceIndex:
    """Silences by one label value each of them asks for, so that an alert is compared with few of many.

    Of those that ask for no certain value, `service=~"web.*"` is compared with alerts whose service begins with `web`,
    and `env!="test"` with every alert.
    """

    def __init__(self, silences: Iterable[Silence]) -> None:
        self._silences = tuple(silences)
        asked = [list(_asked(silence)) for silence in self._silences]
        often = Counter(pair for choices in asked for pairs in choices for pair in pairs)
        self._by_value: dict[tuple[str, str], list[int]] = {}
        self._others: dict[str, list[tuple[int, str]]] = {}
        for position, choices in enumerate(asked):
            if not choices:
                name, beginning = _beginning(self._silences[position])
                self._others.setdefault(name, []).append((position, beginning))
                continue
            # The values fewest others ask for tell alerts apart best.
            for pair in min(choices, key=lambda pairs: sum(often[pair] for pair in pairs)):
                self._by_value.setdefault(pair, []).append(position)

    def __len__(self) -> int:
        return len(self._silences)

    def matching(self, labels: Labels, now: int) -> list[Silence]:
        """The silences active at `now` that match, in the order they were given."""
        positions: list[int] = []
        for name, others in self._others.items():
            value = labels.get(name, "")
            positions += [position for position, beginning in others if value.startswith(beginning)]
        for pair in labels.items():
            positions += self._by_value.get(pair, ())
        found = []
        for position in sorted(positions):
            silence = self._silences[position]
            if silence.starts_at <= now <= silence.ends_at and matches(silence.matchers, labels):
                found.append(silence)
        return found


_LITERAL = re.compile(r"[\w :@/-]+", re.ASCII)
_LITERALS = re.compile(r"[\w :@/-]+(\|[\w :@/-]+)*", re.ASCII)
"""A pattern that is nothing but a choice of values: `db1|db2`."""


def _asked(silence: Silence) -> Iterator[tuple[tuple[str, str], ...]]:
    """For each matcher that asks for one of certain values, those: an alert without any of them cannot match."""
    for matcher in silence.matchers:
        if matcher.operator == "=" and matcher.value:
            yield ((matcher.name, matcher.value),)
        elif matcher.operator == "=~" and _LITERALS.fullmatch(matcher.value):
            yield tuple((matcher.name, value) for value in dict.fromkeys(matcher.value.split("|")))


def _beginning(silence: Silence) -> tuple[str, str]:
    """A label and how its value must begin for the silence to match; all begin with nothing."""
    patterns = [matcher for matcher in silence.matchers if matcher.operator == "=~"]
    known = [(matcher.name, _prefix(matcher.value)) for matcher in patterns]
    return max(known, key=lambda pair: len(pair[1]), default=("", ""))


def _prefix(pattern: str) -> str:
    """The text every value begins with that fits a pattern, as far as it can be told at a glance."""
    plain = _LITERAL.match(pattern)
    if plain is None or "|" in pattern:
        return ""
    optional = pattern[plain.end() : plain.end() + 1] in ("*", "?", "{")
    return plain[0][:-1] if optional else plain[0]


def _means_absent(matcher: Matcher) -> bool:
    # As in Alertmanager only what is positive counts: `env!="test"` alone is a silence people do set.
    return matcher.operator in ("=", "=~") and matcher.matches({})
