"""An alert gets its incident: an open one it belongs to, or a new one; and the incident its title."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from forewatch.alerting.alert import SEVERITIES, Alert, Severity, worst
from forewatch.clock import micros
from forewatch.incidents import wording
from forewatch.incidents.deciding.correlation import (
    graph_of,
    group_key_for,
    incident_for,
    is_storm,
    names_its_service,
    of_strangers,
)
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.deciding.merge import linked_by, move_into
from forewatch.incidents.incident import Incident

MOST_COMPARED = 200
"""Firing alerts of an incident that are compared for its title."""


def place(draft: Draft, alert: Alert, seen: str) -> tuple[Alert, Incident, bool]:
    """Put a firing alert into the open incident it belongs to, or open one for it; `seen` says what is wrong.

    The alert as it is stored, its incident as it was before, or as it is where it is new, and whether it is.
    """
    joined = incident_for(draft, alert)
    if joined is None:
        placed = replace(alert, incident_id=draft.view.new_id("INC"))
        draft.put_alert(placed)
        return placed, open_for(draft, placed, seen), True
    nearest, because = joined
    # The oldest stays: people have had its number for longest.
    incident, *others = sorted(
        [nearest, *linked_by(draft, alert, nearest)], key=lambda one: (one.opened_at, one != nearest, one.id)
    )
    placed = replace(alert, incident_id=incident.id)
    draft.put_alert(placed)
    _join(draft, incident, placed, seen, because=because, severities=[other.severity for other in others])
    for other in others:
        text = f"{other.id} ({other.title}) is part of {incident.id}: {placed.service} links them, and fails too."
        move_into(draft, other, incident, text)
        draft.log(incident.id, "merged", text)
    return placed, incident, False


def open_for(draft: Draft, alert: Alert, seen: str) -> Incident:
    """A new incident for an alert that has its id already."""
    key = group_key_for(draft, alert, str(alert.incident_id))
    before = _before(draft, alert)
    title = wording.summary(alert)
    incident = Incident(
        id=str(alert.incident_id),
        group_key=key,
        service=alert.service,
        title=title,
        severity=alert.severity,
        status="triggered",
        opened_at=draft.now,
        revision=1,
        follows=before.id if before is not None else None,
    )
    if is_storm(incident):
        incident = replace(incident, title=f"Storm of alerts without a service from {alert.source or 'our own rules'}")
    because = f"{wording.named(alert)} fires and {_why_alone(draft, alert)}"
    follows = f", it follows {before.id}" if before is not None else ""
    text = f"{because}, so {incident.id} opens ({alert.severity}){follows}: {seen}."
    draft.open_incident(incident, text)
    draft.because("incident-opened", text, alert.id, incident.id, incident.follows)
    return incident


def title_of(draft: Draft, firing: Sequence[Alert]) -> tuple[str, str] | None:
    """The service and title of an incident with these firing alerts: the deepest service, by the graph alone; of its
    alerts the worst, then the oldest. None without any."""
    if not firing:
        return None
    graph = graph_of(draft.view.config)
    services = {alert.service for alert in firing}

    def rank(alert: Alert) -> tuple[int, int, int, str]:
        depth = sum(other in services for other in graph.dependencies(alert.service))
        return depth, -SEVERITIES.index(alert.severity), alert.starts_at, alert.id

    top = min(firing, key=rank)
    return top.service, wording.summary(top)


@dataclass(frozen=True)
class Recovered:
    """What alerts that are over were about: the deepest service and its title, how long it was in trouble, as people
    say it, and the other services."""

    service: str
    title: str
    lasted: str
    others: list[str]


def recovered(draft: Draft, over: Sequence[Alert]) -> Recovered | None:
    """None without any. The last check to notice may be of a service that only stood on the broken one."""
    found = title_of(draft, over)
    if found is None:
        return None
    service, title = found
    own = [alert for alert in over if alert.service == service]
    began, ended = min(alert.starts_at for alert in own), max(alert.ends_at or draft.now for alert in own)
    return Recovered(service, title, wording.span(began, ended), sorted({alert.service for alert in over} - {service}))


def retitle(draft: Draft, incident: Incident, firing: Sequence[Alert]) -> Incident:
    """Give an incident the title of what fires in it now, with a line on its timeline where that is another."""
    found = title_of(draft, firing)
    if found is None or of_strangers(incident) or found[0] == incident.service:
        return incident
    service, title = found
    text = f"{incident.id} is about {service} now: {title}."
    draft.because("retitled", text, incident.id)
    return draft.change_incident(incident, "title", text, service=service, title=title)


def _before(draft: Draft, alert: Alert) -> Incident | None:
    """The incident of the same alert that ended shortly before."""
    last = draft.view.alert_last(alert.fingerprint)
    if last is None or last.incident_id is None or last.id == alert.id:
        return None
    incident = draft.view.incident(last.incident_id)
    since = draft.now - micros(draft.view.config.correlation.follows)
    if incident is None or incident.resolved_at is None or incident.resolved_at < since:
        return None
    return incident


def _why_alone(draft: Draft, alert: Alert) -> str:
    if not names_its_service(draft.view.config, alert):
        return "names no service, and no open incident of its kind is recent and not yet acknowledged"
    return "no related incident is open"


def _join(
    draft: Draft, incident: Incident, alert: Alert, seen: str, *, because: str, severities: Sequence[Severity]
) -> None:
    """`severities`: of incidents that become part of this one with the alert."""
    joins = f"{wording.named(alert)} fires and joins {incident.id}, {because}"
    text = f"{joins} ({alert.severity}): {seen}."
    draft.because("incident-joined", text, alert.id, incident.id)
    fields: dict[str, Any] = {}
    kind = "alert"
    severity = worst([incident.severity, alert.severity, *severities])
    if severity != incident.severity:
        kind, fields = "severity", {"severity": severity}
    if incident.status == "mitigated":
        kind, fields = "triggered", {"status": "triggered", "mitigated_at": None, "severity": severity}
    if _deeper(draft, incident, alert):
        fields |= {"service": alert.service, "title": wording.summary(alert)}
        text = f"{text.rstrip('.')}. {incident.id} is about {alert.service} now."
    if fields:
        draft.change_incident(incident, kind, text, **fields)
    else:
        draft.log(incident.id, kind, text, alert=alert.id)


def _deeper(draft: Draft, incident: Incident, alert: Alert) -> bool:
    """Whether the incident's title is of a service that needs this one."""
    if alert.service == incident.service or of_strangers(incident):
        return False
    return alert.service in graph_of(draft.view.config).dependencies(incident.service)
