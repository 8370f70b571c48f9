"""An alert fires, or is over."""

from __future__ import annotations

from dataclasses import replace

from forewatch.alerting.alert import SEVERITIES, Alert, Labels, Severity, worst
from forewatch.alerting.fingerprint import fingerprint
from forewatch.clock import seconds
from forewatch.incidents import telling
from forewatch.incidents.deciding.automation import end_healed, release_unattended, send_remedy, unhealed
from forewatch.incidents.deciding.closing import close_recovered
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.deciding.paging import tell_of_trouble
from forewatch.incidents.events import AlertCleared, AlertRaised
from forewatch.incidents.incident import Incident
from forewatch.units import format_duration

UNNAMED_SERVICE = "host"
"""The service of an alert that names none: trouble of the machine itself."""


def alert_raised(draft: Draft, event: AlertRaised) -> None:
    """A firing alert is only brought up to date; a new one joins or opens its service's incident and gets answered."""
    mark = fingerprint(event.labels)
    if (firing := draft.view.firing_alert(mark)) is not None:
        draft.put_alert(replace(firing, annotations=event.annotations, updated_at=draft.now))
        draft.because("still-firing", f"{firing.id} fires already, nothing new.", firing.id, firing.incident_id)
        return
    service = event.labels.get("service") or UNNAMED_SERVICE
    incident = draft.view.open_incident(service)
    alert = Alert(
        id=draft.view.new_id("AL"),
        fingerprint=mark,
        labels=event.labels,
        annotations=event.annotations,
        service=service,
        severity=_severity(event.labels),
        status="firing",
        starts_at=event.at,
        ends_at=None,
        updated_at=draft.now,
        incident_id=incident.id if incident is not None else draft.view.new_id("INC"),
    )
    draft.put_alert(alert)
    seen = " ".join(filter(None, (telling.summary(alert), telling.measured(event.values))))
    if incident is None:
        incident = _open(draft, alert, seen)
    else:
        _join(draft, incident, alert, seen)
    answer = send_remedy(draft, alert)
    tell_of_trouble(draft, incident, alert, event.values, answer.said, run=answer.run, covered=answer.covered)


def alert_cleared(draft: Draft, event: AlertCleared) -> None:
    """The alert is resolved; the incident too once its last alert is."""
    mark = fingerprint(event.labels)
    alert = draft.view.firing_alert(mark)
    if alert is None:
        draft.because("not-firing", f"No alert with the fingerprint {mark} fires, so there is nothing to resolve.")
        return
    over = replace(alert, status="resolved", ends_at=max(event.at, alert.starts_at), updated_at=draft.now)
    draft.put_alert(over)
    lasted = format_duration(seconds(max(0, event.at - alert.starts_at)))
    unwatched = str(event.values.get("reason") or "nobody looks any more") if event.unwatched else ""
    since = f", since {unwatched}" if unwatched else ""
    text = f"{alert.id} is resolved after {lasted}{since}: {telling.summary(alert)}."
    draft.because("alert-resolved", text, alert.id, alert.incident_id)
    incident = draft.view.incident(alert.incident_id) if alert.incident_id is not None else None
    if incident is None or not incident.open:
        return
    draft.log(incident.id, "alert", text, alert=alert.id)
    rest = [over if other.id == alert.id else other for other in draft.view.alerts_of(incident.id)]
    if any(other.status == "firing" for other in rest):
        _go_on(draft, incident, rest)
    else:
        close_recovered(draft, incident, unwatched)


def _open(draft: Draft, alert: Alert, seen: str) -> Incident:
    incident = Incident(
        id=str(alert.incident_id),
        group_key=alert.service,
        service=alert.service,
        title=telling.summary(alert),
        severity=alert.severity,
        status="triggered",
        opened_at=draft.now,
        revision=1,
    )
    because = f"{telling.named(alert)} fires and {alert.service} has no open incident"
    text = f"{because}, so {incident.id} opens ({alert.severity}): {seen}."
    draft.open_incident(incident, text)
    draft.because("incident-opened", text, alert.id, incident.id)
    return incident


def _join(draft: Draft, incident: Incident, alert: Alert, seen: str) -> None:
    joins = f"{telling.named(alert)} fires and joins {incident.id}, the open incident of {alert.service}"
    text = f"{joins} ({alert.severity}): {seen}."
    draft.because("incident-joined", text, alert.id, incident.id)
    severity = worst([incident.severity, alert.severity])
    if incident.status == "mitigated":
        draft.change_incident(incident, "triggered", text, status="triggered", mitigated_at=None, severity=severity)
    elif severity != incident.severity:
        draft.change_incident(incident, "severity", text, severity=severity)
    else:
        draft.log(incident.id, "alert", text, alert=alert.id)


def _go_on(draft: Draft, incident: Incident, alerts: list[Alert]) -> None:
    """Some alerts still fire. A run whose own are over is done."""
    firing = ", ".join(alert.id for alert in alerts if alert.status == "firing")
    draft.because("incident-goes-on", f"{incident.id} stays open, {firing} still firing.", incident.id)
    done = [run for run in draft.view.runs_of(incident.id) if run.state == "acted" and not unhealed(draft, run, alerts)]
    for run in done:
        end_healed(draft, run)
    release_unattended(draft, incident, *(run.id for run in done))


def _severity(labels: Labels) -> Severity:
    """The label's severity. One we do not know might be the worst, so it counts as that."""
    return next((severity for severity in SEVERITIES if severity == labels.get("severity")), "critical")
