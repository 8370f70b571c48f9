"""What POST /api/v2/alerts carries, by Alertmanager's rules: which alerts are good, and what they say.

Read twice: once at the door, to tell the sender what is wrong with them (`check`), and once when they are processed
(`alerts_of`), from the body as it was stored. No field but labels and times makes an alert a bad one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

from forewatch.alerting.alert import severity_of
from forewatch.clock import from_datetime, iso, micros
from forewatch.intake.lanes import Part, parts_of_alerts
from forewatch.intake.limits import annotations_within, labels_within, text_within

MOST_ALERTS = 50_000
"""Alerts of one request: what one of them holds in memory when it is processed is bounded by this."""
MOST_PROBLEMS = 1_000
"""Bad alerts of one request that are told one by one."""
RESOLVE_AFTER = 300.0

_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:[Zz]|[+-]\d\d:\d\d)?)?")
_NO_TIME = "0001-01-01T00:00:00"
"""How Go writes an instant that is not set."""


class Malformed(ValueError):
    """The body is no list of alerts at all."""


@dataclass(frozen=True)
class Checked:
    """`parts`: what to store, the good alerts alone, by lane. `problems`: one a bad alert."""

    parts: tuple[Part, ...]
    problems: list[str]


@dataclass(frozen=True, slots=True)
class PostedAlert:
    """Instants in microseconds UTC; `ends_at` is never empty: `timeout` says that it is our patience."""

    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: int
    ends_at: int
    timeout: bool
    generator_url: str


def check(body: bytes, now: int) -> Checked:
    """Tell good alerts from bad ones, and the critical from the rest; a body in which all are good and ride in one lane
    is kept byte for byte. Raises Malformed."""
    try:
        posted = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"parsing alerts body failed: {error}") from None
    if not isinstance(posted, list):
        raise Malformed("parsing alerts body failed: it is not a list of alerts")
    if len(posted) > MOST_ALERTS:
        raise Malformed(f"a request may have {MOST_ALERTS} alerts, and this one has {len(posted)}; send several")
    good: list[Any] = []
    problems: list[str] = []
    for position, one in enumerate(posted):
        wrong = _wrong(one, now)
        if wrong is None:
            good.append(one)
        elif len(problems) < MOST_PROBLEMS:
            problems.append(f"alert {position}: {wrong}")
    if (more := len(posted) - len(good) - len(problems)) > 0:
        problems.append(f"and {more} more alerts are wrong")
    critical = [severity_of(labels_within(one["labels"])) == "critical" for one in good]
    return Checked(parts_of_alerts(orjson.dumps(good) if problems else body, good, critical), problems)


def alerts_of(body: bytes, at: int, resolve_after: float) -> Iterator[PostedAlert]:
    """The alerts of a checked body that came at `at`. An alert that begins later than that has begun by then."""
    for one in orjson.loads(body):
        ends = instant(one.get("endsAt"))
        starts = instant(one.get("startsAt"))
        if starts is None:
            starts = ends if ends is not None else at
        yield PostedAlert(
            labels=labels_within(one["labels"]),
            annotations=annotations_within(one.get("annotations")),
            starts_at=min(starts, at),
            ends_at=ends if ends is not None else at + micros(resolve_after),
            timeout=ends is None,
            generator_url=text_within(one.get("generatorURL")),
        )


@lru_cache(maxsize=8192)
def instant(text: str | None) -> int | None:
    """An RFC 3339 time, in UTC where it names no zone; None for one that is not set. Raises ValueError."""
    if not text or text.startswith(_NO_TIME):
        return None
    if not _TIME.fullmatch(text):
        raise ValueError(f"{text[:40]} is not a time (try {iso(0)})")
    try:
        read = datetime.fromisoformat(text.upper())
        return from_datetime(read if read.tzinfo is not None else read.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise ValueError(f"{text[:40]} is not a time (try {iso(0)})") from None


def _wrong(one: Any, now: int) -> str | None:
    """What is wrong with one alert; None if nothing is."""
    if not isinstance(one, dict):
        return "it is not an object"
    labels = one.get("labels")
    if labels is None:
        return "labels in body is required"
    if not isinstance(labels, dict):
        return "labels is not an object"
    if not labels_within(labels):
        return "at least one label pair required"
    return _wrong_times(one, now)


def _wrong_times(one: dict[str, Any], now: int) -> str | None:
    times = []
    for name in ("startsAt", "endsAt"):
        text = one.get(name)
        if text is not None and not isinstance(text, str):
            return f"{name} is not text"
        try:
            times.append(instant(text))
        except ValueError as error:
            return f"{name}: {error}"
    starts, ends = times
    if starts is not None and (ends if ends is not None else now + micros(RESOLVE_AFTER)) < starts:
        return "start time must be before end time"
    return None
