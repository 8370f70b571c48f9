"""Naming: which receiver was told of which alert. What counts as told is an alert, not the incident it is in."""

from __future__ import annotations

from dataclasses import dataclass

from forewatch.alerting.alert import Alert, Severity, at_least


@dataclass(frozen=True)
class Naming:
    """An alert that a notification lists, as it was then."""

    alert_id: str
    name: str
    severity: Severity


@dataclass(frozen=True)
class Named:
    """A receiver was told of an alert: in a notification that is neither dead nor held, or in a digest about to leave.

    `paged`: by one that pages. `notification_id`: by which it was told last; None while no digest with it has left.
    """

    alert_id: str
    notifier: str
    severity: Severity
    paged: bool
    at: int
    notification_id: str | None = None


@dataclass(frozen=True)
class Heard:
    """What a receiver was told of an incident so far, as far as it matters for one more alert of it."""

    worst: Severity
    service: bool
    """Of an alert of the same service."""
    kind: bool
    """Of a critical alert of the same service, name and classification."""
    episode: bool
    """Of the same alert, in this episode or one before."""
    paged_at: int = 0
    """By a page, last."""


def naming(alert: Alert) -> Naming:
    return Naming(alert.id, alert.name, alert.severity)


def pages(alert: Alert, heard: Heard | None) -> bool:
    """Whether an alert that joins an incident pages a receiver, or goes out as an update that does not.

    It pages whom nothing of the incident was told; where it is of a service new to them there; where it is critical
    and of another name or classification than what they know of that service; where it is more severe than all they
    know. An alert that was named in this incident before does not.
    """
    if alert.severity == "info":
        return False
    if heard is None or not at_least(heard.worst, alert.severity):
        return True
    if heard.episode:
        return False
    return not heard.service or (alert.severity == "critical" and not heard.kind)
