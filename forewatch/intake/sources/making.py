"""What all parsers share: the events they make, with labels and annotations within bounds and severities in our words.

A label beyond its bounds is refused, since a cut one could be another alert's; an annotation is cut, since a long text
must not cost a page. Annotations and values are redacted before they are stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from forewatch.alerting.alert import Labels, Severity
from forewatch.clock import from_datetime
from forewatch.config.sources import Source
from forewatch.guard.redact import redact, redact_data
from forewatch.incidents.events import AlertCleared, AlertRaised, Event
from forewatch.intake.sources.body import kind_of

MOST_ALERTS = 10_000
"""In one body."""
MOST_LABELS = 100
LONGEST_NAME = 200
LONGEST_VALUE = 2_000
"""Characters of a label."""
MOST_ANNOTATIONS = 100
LONGEST_ANNOTATION = 10_000

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
        generator_url=redact(_clean(generator_url)[:LONGEST_VALUE]) if isinstance(generator_url, str) else "",
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
    """The labels in a body, empty ones left out. Raises ValueError naming `where` and what is wrong."""
    if not isinstance(given, dict):
        raise ValueError(f"{where} must be an object of texts, not {kind_of(given)}")
    if len(given) > MOST_LABELS:
        raise ValueError(f"{where} has {len(given)} entries, and an alert may have {MOST_LABELS}")
    found = {}
    for name, value in given.items():
        if not isinstance(value, str):
            raise ValueError(f"{where}: {_shown(name)} must be text, not {kind_of(value)}")
        if value:
            found[label_name(name, where)] = label_value(value, f"{where}: {_shown(name)}")
    if not found:
        raise ValueError(f"{where} needs at least one entry that is not empty")
    return found


def label_name(name: str, where: str) -> str:
    """`name` if it will do as a label's. Raises ValueError."""
    if not name or len(name) > LONGEST_NAME or "\x00" in name:
        raise ValueError(f"{where}: {_shown(name)!r} is no name of a label (1 to {LONGEST_NAME} characters)")
    return name


def label_value(value: str, where: str) -> str:
    """`value` if it will do as a label's. Raises ValueError."""
    if len(value) > LONGEST_VALUE or "\x00" in value:
        raise ValueError(f"{where} is no value of a label (at most {LONGEST_VALUE} characters, no NUL)")
    return value


def annotations_of(given: Mapping[str, object]) -> dict[str, str]:
    """Annotations as they are stored: text, cut to size, secrets masked, empty ones left out."""
    found = {}
    for name, value in list(given.items())[:MOST_ANNOTATIONS]:
        if value is not None and value != "" and name:
            text = value if isinstance(value, str) else str(value)
            found[_clean(name[:LONGEST_NAME])] = redact(_clean(cut(text, LONGEST_ANNOTATION)))
    return found


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


def instant(text: object) -> int | None:
    """An RFC 3339 time; without a zone it is UTC. None for none, and for the year 1, by which Go says that.

    Raises ValueError for what is no time.
    """
    if text is None or text == "":
        return None
    if not isinstance(text, str):
        raise ValueError(f"a time is written as text, such as 2026-11-03T09:04:05Z, not {kind_of(text)}")
    try:
        at = datetime.fromisoformat(text)
        if at.year == 1:
            return None
        return from_datetime(at if at.tzinfo is not None else at.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise ValueError(f"{_shown(text)!r} is not a time (try 2026-11-03T09:04:05Z)") from None


def cut(text: str, longest: int) -> str:
    """`text` with an ellipsis where it is too long."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _clean(text: str) -> str:
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}")


def _shown(text: str) -> str:
    return cut(text, 60)
