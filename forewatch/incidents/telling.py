"""What people are told: the content of notifications, in two to four plain sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forewatch.alerting.alert import Alert
from forewatch.clock import iso
from forewatch.incidents.incident import Incident

INSTANTS = 10**15
"""Whole numbers beyond this are instants in microseconds (2001 and later); nothing we count comes near it."""

Content = dict[str, Any]
"""`title`, `text`, `severity`, `service`, `incident_id`, `alert` (`labels`, `annotations`), `reason`, `runbook`."""


def sentence(text: str) -> str:
    """The text with a full stop. Its first letter stays as it is: it may be a name."""
    text = text.strip()
    return text if not text or text[-1] in ".!?" else f"{text}."


def joined(*texts: str) -> str:
    """Sentences in a row, empty ones left out."""
    return " ".join(filter(None, map(sentence, texts)))


def summary(alert: Alert) -> str:
    """What is wrong, in a line: the alert's own summary, else its name and service."""
    return alert.annotations.get("summary") or f"{alert.name or 'an alert without a name'} on {alert.service}"


def named(alert: Alert) -> str:
    """`AL-7 (DiskFilling)`."""
    return f"{alert.id} ({alert.name})" if alert.name else alert.id


def content(
    *,
    title: str,
    text: str,
    severity: str,
    service: str | None,
    reason: str,
    incident_id: str | None = None,
    alert: Alert | None = None,
    runbook: str | None = None,
) -> Content:
    """The content of a notification, every key always there."""
    about = {"labels": dict(alert.labels), "annotations": dict(alert.annotations)} if alert is not None else None
    return {
        "title": title,
        "text": text,
        "severity": severity,
        "service": service,
        "incident_id": incident_id,
        "alert": about,
        "reason": reason,
        "runbook": runbook,
    }


def trouble(alert: Alert, incident_id: str, values: Mapping[str, Any], automation: str, runbook: str | None) -> Content:
    """A page or report of an alert. `automation`: what automation does about it, or why nothing."""
    text = joined(
        summary(alert),
        alert.annotations.get("description", ""),
        " ".join(filter(None, (f"{named(alert)} fires since {iso(alert.starts_at)}", measured(values)))),
        automation,
    )
    return content(
        title=summary(alert),
        text=text,
        severity=alert.severity,
        service=alert.service,
        reason=automation,
        incident_id=incident_id,
        alert=alert,
        runbook=runbook,
    )


def of_incident(
    incident: Incident, title: str, reason: str, *, alert: Alert | None = None, runbook: str | None = None
) -> Content:
    """A failure, a recovery or a report of what happened on an incident."""
    return content(
        title=title,
        text=joined(f"{incident.id}, {incident.title}, is open since {iso(incident.opened_at)}", reason)
        if incident.open
        else joined(f"{incident.id}, {incident.title}, began {iso(incident.opened_at)}", reason),
        severity=incident.severity,
        service=incident.service,
        reason=reason,
        incident_id=incident.id,
        alert=alert,
        runbook=runbook,
    )


def released(page: Mapping[str, Any], because: str) -> Content:
    """The content of a held page that goes out after all: it says, beside what it said, why it does."""
    if not because:
        return dict(page)
    return {**page, "text": joined(str(page.get("text", "")), because), "reason": because}


def measured(values: Mapping[str, Any]) -> str:
    """The numbers a detector saw, in brackets: `(value 0.93, threshold 0.9)`; nothing where it gave none.

    What it said in words is in the summary already.
    """
    seen = [f"{name} {number(value)}" for name, value in values.items() if isinstance(value, (int, float))]
    return f"({', '.join(seen)})" if seen else ""


def number(value: object) -> str:
    """A measured value as a person reads it: four significant digits of a fraction, an instant as its time, anything
    else as it is."""
    if isinstance(value, int) and value > INSTANTS:
        return iso(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
