"""An alert fires, or is over."""

from __future__ import annotations

from dataclasses import replace

from forewatch.alerting.alert import SEVERITIES, Alert, Labels, Severity, worst
from forewatch.alerting.arrival import merged_end
from forewatch.alerting.classification import classify
from forewatch.alerting.fingerprint import fingerprint
from forewatch.clock import iso, seconds
from forewatch.incidents import telling
from forewatch.incidents.deciding.announcing import announce
from forewatch.incidents.deciding.automation import end_healed, release_unattended, unhealed
from forewatch.incidents.deciding.closing import close_recovered
from forewatch.incidents.deciding.correlating import graph_of, incident_for
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.deciding.flapping import calm_down, count_firing, waits_for_calm
from forewatch.incidents.deciding.withholding import forget_withheld, look_again
from forewatch.incidents.events import AlertCleared, AlertRaised, AlertsRefreshed, AlertTimedOut
from forewatch.incidents.incident import Incident
from forewatch.incidents.outcome import RefreshAlerts, SetTimer
from forewatch.units import format_duration

UNNAMED_SERVICE = "host"
"""The service of an alert that names none: trouble of the machine itself."""


def alert_raised(draft: Draft, event: AlertRaised) -> None:
    """A firing alert is only brought up to date; a new one joins or opens its incident and gets answered."""
    mark = fingerprint(event.identity if event.identity is not None else event.labels)
    if (firing := draft.view.firing_alert(mark)) is not None:
        _bring_up_to_date(draft, firing, event)
        return
    service = event.service or event.labels.get("service") or UNNAMED_SERVICE
    joined = incident_for(draft, service)
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
        incident_id=joined[0].id if joined is not None else draft.view.new_id("INC"),
        source=event.sender,
        generator_url=event.generator_url,
        until=event.until,
        timeout=event.timeout,
        classification=classify(event.labels, event.annotations, str(event.values.get("metric") or "") or None),
    )
    draft.put_alert(alert)
    seen = " ".join(filter(None, (telling.summary(alert), telling.measured(event.values))))
    if joined is None:
        incident = _open(draft, alert, seen)
    else:
        incident = joined[0]
        _join(draft, incident, alert, seen, because=joined[1])
    flapping = count_firing(draft, alert)
    announce(
        draft,
        incident,
        alert,
        event.values,
        opens=joined is None,
        flapping=flapping,
        afresh=_breaks_through(draft, incident, alert),
    )


def alert_cleared(draft: Draft, event: AlertCleared) -> None:
    """The alert is resolved; the incident too once its last alert is."""
    mark = fingerprint(event.identity if event.identity is not None else event.labels)
    alert = draft.view.firing_alert(mark)
    if alert is None:
        draft.because("not-firing", f"No alert with the fingerprint {mark} fires, so there is nothing to resolve.")
        return
    unwatched = str(event.values.get("reason") or "nobody looks any more") if event.unwatched else ""
    _end(draft, alert, event.at, unwatched)


def alert_timed_out(draft: Draft, event: AlertTimedOut) -> None:
    """Its end has come and nobody sent it again."""
    alert = draft.view.firing_alert(event.fingerprint)
    if alert is None or alert.until is None or alert.until > draft.now:
        text = f"The alert {event.fingerprint} does not fire, or was heard of again: it does not time out."
        draft.because("not-timed-out", text, alert.id if alert is not None else None)
        return
    said = f"{alert.source or 'its source'} has not sent it again" if alert.timeout else "its sender said so"
    _end(draft, alert, alert.until, f"{said} by {iso(alert.until)}")


def alerts_refreshed(draft: Draft, event: AlertsRefreshed) -> None:
    """Firing alerts were sent again and nothing but their end has moved."""
    draft.change(RefreshAlerts(event.untils))
    draft.because("still-firing", f"{len(event.untils)} alerts fire already and were heard of again, nothing new.")


def calm_due(draft: Draft, mark: str) -> None:
    """A flapping alert has not fired anew for long enough, or has meanwhile."""
    alert = draft.view.alert_last(mark)
    if not calm_down(draft, mark) or alert is None or alert.incident_id is None:
        return
    incident = draft.view.incident(alert.incident_id)
    if incident is None or not incident.open:
        return
    if alert.status == "firing":
        draft.order(SetTimer("review", alert.id, draft.now))
    elif not any(other.status == "firing" for other in draft.view.alerts_of(incident.id)):
        close_recovered(draft, incident)


def _bring_up_to_date(draft: Draft, firing: Alert, event: AlertRaised) -> None:
    """Newer labels and annotations win, the earlier start and the later end stay. Worse severity is news."""
    until, timeout = merged_end(firing.until, firing.timeout, event.until, event.timeout)
    severity = _severity(event.labels)
    fresh = replace(
        firing,
        labels=event.labels,
        annotations=event.annotations,
        severity=severity,
        starts_at=min(firing.starts_at, event.at),
        updated_at=draft.now,
        generator_url=event.generator_url or firing.generator_url,
        until=until,
        timeout=timeout,
    )
    draft.put_alert(fresh)
    incident = draft.view.incident(firing.incident_id) if firing.incident_id is not None else None
    if incident is None or not incident.open or SEVERITIES.index(severity) <= SEVERITIES.index(firing.severity):
        draft.because("still-firing", f"{firing.id} fires already, nothing new.", firing.id, firing.incident_id)
        return
    text = f"{telling.named(fresh)} got worse: {firing.severity} before, {severity} now."
    draft.because("got-worse", text, firing.id, incident.id)
    if SEVERITIES.index(severity) > SEVERITIES.index(incident.severity):
        incident = draft.change_incident(incident, "severity", text, severity=severity)
    else:
        draft.log(incident.id, "alert", text, alert=firing.id)
    announce(draft, incident, fresh, event.values)


def _end(draft: Draft, alert: Alert, at: int, unwatched: str) -> None:
    over = replace(alert, status="resolved", ends_at=max(at, alert.starts_at), updated_at=draft.now)
    draft.put_alert(over)
    lasted = format_duration(seconds(max(0, at - alert.starts_at)))
    since = f", since {unwatched}" if unwatched else ""
    text = f"{alert.id} is resolved after {lasted}{since}: {telling.summary(alert)}."
    draft.because("alert-resolved", text, alert.id, alert.incident_id)
    forget_withheld(draft, alert)
    look_again(draft, alert.id)
    incident = draft.view.incident(alert.incident_id) if alert.incident_id is not None else None
    if incident is None or not incident.open:
        return
    draft.log(incident.id, "alert", text, alert=alert.id)
    rest = [over if other.id == alert.id else other for other in draft.view.alerts_of(incident.id)]
    if any(other.status == "firing" for other in rest):
        _go_on(draft, incident, rest)
    elif waits_for_calm(draft, alert):
        text = f"{incident.id} stays open: {telling.named(alert)} flaps, and may fire again."
        draft.because("waits-for-calm", text, incident.id, alert.id)
        draft.log(incident.id, "alert", text, alert=alert.id)
        _end_runs_that_healed(draft, incident, rest)
    else:
        close_recovered(draft, incident, unwatched)


def _breaks_through(draft: Draft, incident: Incident, alert: Alert) -> bool:
    """Somebody took the incident on, and now it reaches a service it had not: that they have to hear."""
    if incident.status != "acknowledged":
        return False
    return alert.service not in {other.service for other in draft.view.alerts_of(incident.id)}


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
    alone = not graph_of(draft.view.config).joined(alert.service)
    who = f"{alert.service} has no" if alone else f"neither {alert.service} nor a neighbour of it has a recent"
    because = f"{telling.named(alert)} fires and {who} open incident"
    text = f"{because}, so {incident.id} opens ({alert.severity}): {seen}."
    draft.open_incident(incident, text)
    draft.because("incident-opened", text, alert.id, incident.id)
    return incident


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


def _go_on(draft: Draft, incident: Incident, alerts: list[Alert]) -> None:
    """Some alerts still fire. A run whose own are over is done."""
    firing = ", ".join(alert.id for alert in alerts if alert.status == "firing")
    draft.because("incident-goes-on", f"{incident.id} stays open, {firing} still firing.", incident.id)
    release_unattended(draft, incident, *_end_runs_that_healed(draft, incident, alerts))


def _end_runs_that_healed(draft: Draft, incident: Incident, alerts: list[Alert]) -> list[str]:
    done = [run for run in draft.view.runs_of(incident.id) if run.state == "acted" and not unhealed(draft, run, alerts)]
    for run in done:
        end_healed(draft, run)
    return [run.id for run in done]


def _severity(labels: Labels) -> Severity:
    """The label's severity. One we do not know might be the worst, so it counts as that."""
    return next((severity for severity in SEVERITIES if severity == labels.get("severity")), "critical")
