"""An alert gets its incident: an open one it belongs to, or a new one."""

from __future__ import annotations

from dataclasses import replace

from forewatch.alerting.alert import Alert, worst
from forewatch.incidents import telling
from forewatch.incidents.deciding.correlating import graph_of, group_key_for, incident_for, names_its_service
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.incident import Incident


def place(draft: Draft, alert: Alert, seen: str) -> tuple[Alert, Incident, bool]:
    """Put a firing alert into the open incident it belongs to, or open one for it; `seen` says what is wrong.

    The alert as it is stored, its incident as it was before, or as it is where it is new, and whether it is.
    """
    joined = incident_for(draft, alert)
    placed = replace(alert, incident_id=joined[0].id if joined is not None else draft.view.new_id("INC"))
    draft.put_alert(placed)
    if joined is None:
        return placed, _open(draft, placed, seen), True
    incident, because = joined
    _join(draft, incident, placed, seen, because=because)
    return placed, incident, False


def _open(draft: Draft, alert: Alert, seen: str) -> Incident:
    incident = Incident(
        id=str(alert.incident_id),
        group_key=group_key_for(draft, alert, str(alert.incident_id)),
        service=alert.service,
        title=telling.summary(alert),
        severity=alert.severity,
        status="triggered",
        opened_at=draft.now,
        revision=1,
    )
    because = f"{telling.named(alert)} fires and {_why_alone(draft, alert)}"
    text = f"{because}, so {incident.id} opens ({alert.severity}): {seen}."
    draft.open_incident(incident, text)
    draft.because("incident-opened", text, alert.id, incident.id)
    return incident


def _why_alone(draft: Draft, alert: Alert) -> str:
    if not names_its_service(draft.view.config, alert):
        return "names no service, and no open incident of its kind is recent and still untaken"
    if not graph_of(draft.view.config).joined(alert.service):
        return f"{alert.service} has no open incident"
    return f"neither {alert.service} nor a neighbour of it has a recent open incident"


def _join(draft: Draft, incident: Incident, alert: Alert, seen: str, *, because: str) -> None:
    joins = f"{telling.named(alert)} fires and joins {incident.id}, {because}"
    text = f"{joins} ({alert.severity}): {seen}."
    draft.because("incident-joined", text, alert.id, incident.id)
    severity = worst([incident.severity, alert.severity])
    if incident.status == "mitigated":
        draft.change_incident(incident, "triggered", text, status="triggered", mitigated_at=None, severity=severity)
    elif severity != incident.severity:
        draft.change_incident(incident, "severity", text, severity=severity)
    else:
        draft.log(incident.id, "alert", text, alert=alert.id)
