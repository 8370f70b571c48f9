"""What all parsers share: the events they make, with labels and annotations within bounds and severities in our words.

Bounds are those of every door (`limits`): no field costs the alert. Annotations and values are redacted before they are
stored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from forewatch.alerting.alert import Labels, Severity
from forewatch.clock import from_datetime, micros
from forewatch.config.sources import Source
from forewatch.guard.redact import redact, redact_data
from forewatch.incidents.events import AlertCleared, AlertRaised, Event
from forewatch.intake.limits import annotations_within, clean, ellipsis, labels_within
from forewatch.intake.sources.body import kind_of

MOST_ALERTS = 10_000
"""In one body."""
LONGEST_URL = 2_000
_UNIX = re.compile(r"\d{10,19}(\.\d{1,9})?", re.ASCII)
_SINCE = 10**9
_UNTIL = micros(2**32)
"""The year 2106: past it a number is no time of ours."""

SEVERITY_WORDS: dict[str, Severity] = {
    **dict.fromkeys(("info", "information", "informational", "notice", "debug", "none", "ok", "low", "sample"), "info"),
    **dict.fromkeys(("warning", "warn", "minor", "medium", "moderate", "average"), "warning"),
}  # fmt: skip
"""Tools' words for what is not critical. Every other word, and none at all, might be the worst and counts as that."""


@dataclass(frozen=True)
class Parsed:
    """What a body came to: the events of its good alerts, and a sentence for each bad one."""

    events: list[Event] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def severity_of(word: object) -> Severity:
    """A tool's word for how bad it is, in ours."""
    return SEVERITY_WORDS.get(word.strip().lower(), "critical") if isinstance(word, str) else "critical"


def raised(
    source: Source,
    labels: Labels,
    annotations: Mapping[str, object],
    now: int,
    *,
    identity: Labels,
    at: int | None = None,
    values: Mapping[str, Any] | None = None,
    generator_url: object = None,
    service_from: Labels | None = None,
    until: int | None = None,
) -> AlertRaised:
    """An alert that fires. `at` in the future, of a clock that is ahead, counts as now.

    `service_from`: more than the labels to find the service in. `until` is our patience: the sender cannot say that it
    is over.
    """
    return AlertRaised(
        labels={**labels, "severity": severity_of(labels.get("severity"))},
        annotations=annotations_of(annotations),
        at=now if at is None else min(at, now),
        values=redact_data(dict(values or {})),
        sender=source.name,
        service=service_of(source, {**(service_from or {}), **labels}),
        identity=dict(identity),
        generator_url=redact(ellipsis(clean(generator_url), LONGEST_URL)) if isinstance(generator_url, str) else "",
        until=until,
        timeout=until is not None,
    )


def cleared(
    sender: str,
    labels: Labels,
    now: int,
    *,
    identity: Labels,
    at: int | None = None,
    values: Mapping[str, Any] | None = None,
) -> AlertCleared:
    """The alert of this identity is over; `sender` is the name of its source."""
    return AlertCleared(
        labels=dict(labels),
        at=now if at is None else min(at, now),
        values=redact_data(dict(values or {})),
        sender=sender,
        identity=dict(identity),
    )


def service_of(source: Source, labels: Labels) -> str:
    """The service an alert belongs to: the first of the source's labels that is there, else its default."""
    return next((labels[name] for name in source.service if labels.get(name)), source.default_service)


def labels_of(given: object, where: str) -> dict[str, str]:
    """The labels in a body, within bounds. Raises ValueError naming `where` if they are none, or nothing at all."""
    if not isinstance(given, dict):
        raise ValueError(f"{where} must be an object of texts, not {kind_of(given)}")
    found = labels_within(given)
    if not found:
        raise ValueError(f"{where} needs at least one entry that is not empty")
    return found


def annotations_of(given: Mapping[str, object]) -> dict[str, str]:
    """Annotations as they are stored: within bounds, secrets masked."""
    return {name: redact(text) for name, text in annotations_within(given).items()}


def text_of(data: Mapping[str, Any], name: str, where: str) -> str:
    """A text that must be there. Raises ValueError."""
    value = data.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{where}{name} is required, as text" if value is None else f"{where}{name} must be text")
    return value


def optional_text(data: Mapping[str, Any], name: str) -> str:
    """A text or number that may be there, as text; empty where it is not, or is something else."""
    value = data.get(name)
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def within(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The object below a key; empty where there is none."""
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def id_of(data: Mapping[str, Any], name: str, where: str) -> str:
    """What identifies something, as text or number. Raises ValueError where it is not there."""
    value = data.get(name)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return text_of({name: str(value) if isinstance(value, int | float) and value is not True else value}, name, where)


def instant(given: object) -> int | None:
    """A time as senders write it: RFC 3339 (UTC without a zone), or a Unix number of seconds up to nanoseconds.

    None for none, and for the year 1, by which Go says that. Raises ValueError for what is no time.
    """
    if given is None or given == "":
        return None
    if isinstance(given, str) and _UNIX.fullmatch(given):
        given = float(given) if "." in given else int(given)
    if isinstance(given, int | float) and not isinstance(given, bool) and given >= _SINCE:
        # Seconds, milliseconds, microseconds, nanoseconds: each a thousand times as many since 2001.
        thousands = min(3, (len(str(int(given))) - 10) // 3)
        if (at := int(given * 10 ** (6 - 3 * thousands) if thousands < 3 else given / 1_000)) < _UNTIL:
            return at
    if not isinstance(given, str):
        raise ValueError(f"a time is written as text, such as 2026-11-03T09:04:05Z, not {kind_of(given)}")
    try:
        read = datetime.fromisoformat(given)
        if read.year == 1:
            return None
        return from_datetime(read if read.tzinfo is not None else read.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise ValueError(f"{ellipsis(given, 60)!r} is not a time (try 2026-11-03T09:04:05Z)") from None


def when(given: object) -> int | None:
    """As `instant`; None also for what is no time, which must not cost the alert."""
    try:
        return instant(given)
    except ValueError:
        return None
