"""When the anomalies of a service are an alert: where one does not stand alone.

One anomalous metric is a note. It becomes an alert with corroboration: another metric of the same service was anomalous
at about the same time, or an alert of the service, or of one it depends on, began to fire then. A service of many
series has anomalies by chance: it needs so many more of them that chance alone raises an alert at most once in four
months.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from forewatch.alerting.alert import Labels, Severity
from forewatch.clock import iso, micros
from forewatch.config.defaults import ANOMALOUS
from forewatch.detection.series_anomaly import Anomaly, family, said
from forewatch.incidents.events import AlertCleared, AlertRaised
from forewatch.units import format_duration

ALERT = ANOMALOUS
BY_CHANCE = 0.25
"""Alerts a month that a service may get by chance alone."""

_MONTH = 30 * 86_400.0
_MOST_SAID = 5
_NOISE = " called it noise"


@dataclass(frozen=True)
class Trouble:
    """An alert that fires."""

    name: str
    service: str
    since: int
    metric: str | None = None
    """Of its rule: an alert on the same metric as the anomaly is no second opinion."""


@dataclass(frozen=True)
class Finding:
    """What is made of the anomalies of one service."""

    alert: tuple[Anomaly, ...] = ()
    """Those that go on and are an alert together; empty: nothing to tell."""
    reasons: Mapping[int, str] = field(default_factory=dict)
    """Of each anomaly that goes on, by its id: why it is or is not part of an alert."""


def needed(series: int, per_month: float, within: float) -> int:
    """How many further metrics must be anomalous so that chance alone does not raise an alert.

    `series` of a service, each anomalous by chance `per_month` times, of which others within `within` seconds confirm
    one.
    """
    expected = max(0, series - 1) * per_month * 2 * within / _MONTH
    for count in range(1, 10):
        # Each such meeting is counted once from each of its members.
        if series * per_month * expected**count / math.factorial(count + 1) <= BY_CHANCE:
            return count
    return 10


def confirm(
    anomalies: Sequence[Anomaly], troubles: Iterable[Trouble], *, metrics: int, within: float, required: int
) -> Finding:
    """Judge the anomalies of one service, those that go on and those just over. `metrics` of different families the
    service has at all; `required` as `needed` says."""
    required = max(1, min(required, metrics - 1))
    counted = [one for one in anomalies if one.episode.counts() and one.episode.level == "high"]
    reasons: dict[int, str] = {}
    told = []
    known = list(troubles)
    for one in anomalies:
        episode = one.episode
        if episode.end is not None or episode.id is None:
            continue
        if one not in counted:
            reasons[episode.id] = _left_out(one)
            continue
        others = {other.family: other for other in counted if other.family != one.family and _near(one, other, within)}
        trouble = next((each for each in known if _backs(each, one, within)), None)
        if trouble is not None:
            reasons[episode.id] = f"confirmed by {trouble.name} of {trouble.service}, firing since {iso(trouble.since)}"
        elif len(others) >= required:
            named = ", ".join(other.series for other in list(others.values())[:_MOST_SAID])
            reasons[episode.id] = f"confirmed by {named}, unusual within {format_duration(within)}"
        elif episode.told == "alert":
            reasons[episode.id] = episode.reason
        else:
            reasons[episode.id] = _alone(one, len(others), required, within)
            continue
        told.append(one)
    return Finding(tuple(sorted(told, key=lambda one: (-one.episode.score, one.series))), reasons)


def anomalous_event(
    service: str, finding: Finding, *, labels: Labels, severity: Severity, firing: bool, now: int
) -> AlertRaised | AlertCleared | None:
    """The alert of a service's confirmed anomalies, or its end. Raised again, it only brings the alert up to date.

    `labels` are those of the service; they do not decide whether it is the same alert.
    """
    identity = {"alertname": ALERT, "service": service}
    if not finding.alert:
        if not firing:
            return None
        # What somebody called noise did not recover: it was nothing.
        noise = next((reason for reason in finding.reasons.values() if reason.endswith(_NOISE)), None)
        reason = noise or "what was unusual is over, or has become usual"
        return AlertCleared(identity, now, {"reason": reason}, noise is not None, identity=identity)
    told = finding.alert
    values: dict[str, Any] = {
        "score": max(one.episode.score for one in told),
        "anomalies": [one.episode.name for one in told],
        "metrics": sorted({one.metric for one in told}),
    }
    return AlertRaised(
        {**labels, **identity, "severity": severity},
        {"summary": _summary(service, told), "description": _description(told, finding.reasons)},
        min(one.episode.start for one in told),
        values,
        identity=identity,
    )


def _near(one: Anomaly, other: Anomaly, within: float) -> bool:
    """Whether both were out of the usual at about the same time, and do not say the same thing twice."""
    if one.episode.kind == other.episode.kind == "silent":
        return False  # whoever reports both has stopped
    first, second = sorted((one.episode, other.episode), key=lambda episode: episode.start)
    return second.start - first.last <= micros(within)


def _backs(trouble: Trouble, one: Anomaly, within: float) -> bool:
    if trouble.metric is not None and family(trouble.metric) == one.family:
        return False
    return one.episode.start - micros(within) <= trouble.since <= one.episode.last + micros(within)


def _left_out(one: Anomaly) -> str:
    if not one.episode.counts():
        return f"{one.episode.verdict_by or 'somebody'}{_NOISE}"
    return "not rare enough to count"


def _alone(one: Anomaly, others: int, required: int, within: float) -> str:
    span = format_duration(within)
    service = one.service
    if not others:
        return f"alone: no other metric of {service} was unusual within {span}, and no alert began that explains it"
    return (
        f"{others} other metric{'s' if others > 1 else ''} of {service} {'were' if others > 1 else 'was'} unusual "
        f"within {span}: of so many series that happens by chance, {required} would confirm it"
    )


def _summary(service: str, told: Sequence[Anomaly]) -> str:
    first = said(told[0])
    more = sorted({one.metric for one in told[1:]} - {told[0].metric})
    beside = f"; so {'is' if len(more) == 1 else 'are'} {', '.join(more[:_MOST_SAID])}" if more else ""
    return f"{service} behaves unusually: {first}{beside}"


def _description(told: Sequence[Anomaly], reasons: Mapping[int, str]) -> str:
    lines = [f"{one.episode.name}: {said(one)}, {reasons[one.episode.id or 0]}." for one in told[:_MOST_SAID]]
    if len(told) > _MOST_SAID:
        lines.append(f"And {len(told) - _MOST_SAID} more.")
    return " ".join(lines)
