"""An alert fires, or is over."""

from __future__ import annotations

from dataclasses import replace

from forewatch.alerting.alert import SEVERITIES, Alert, Labels, Severity, at_least
from forewatch.alerting.arrival import merged_end
from forewatch.alerting.classification import classify, labels_for_routing
from forewatch.alerting.fingerprint import fingerprint
from forewatch.alerting.routing import routes_of
from forewatch.clock import iso, seconds
from forewatch.incidents import telling
from forewatch.incidents.deciding.announcing import announce
from forewatch.incidents.deciding.automation import end_healed, release_unattended, unhealed
from forewatch.incidents.deciding.closing import close_recovered
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.deciding.flapping import calm_down, count_firing, said_of
from forewatch.incidents.deciding.placing import place
from forewatch.incidents.deciding.recovering import check_dependants
from forewatch.incidents.deciding.waiting import ask_now, forget_waiting
from forewatch.incidents.deciding.withholding import forget_withheld, look_again
from forewatch.incidents.events import AlertCleared, AlertRaised, AlertsRefreshed, AlertTimedOut
from forewatch.incidents.incident import Incident
from forewatch.incidents.outcome import RefreshAlerts, SetTimer
from forewatch.units import format_duration

MOST_SHOWN = 10
MOST_COMPARED = 200
"""Alerts of an incident that a new one is compared with, to tell whether it is news."""
UNNAMED_SERVICE = "host"
"""The service of an alert that names none: trouble of the machine itself."""


def alert_raised(draft: Draft, event: AlertRaised) -> None:
    """A firing alert is only brought up to date; a new one joins or opens its incident and gets answered."""
    mark = fingerprint(event.identity if event.identity is not None else event.labels)
    if (firing := draft.view.firing_alert(mark)) is not None:
        _bring_up_to_date(draft, firing, event)
        return
    service = event.service or event.labels.get("service") or UNNAMED_SERVICE
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
        incident_id=None,
        source=event.sender,
        generator_url=event.generator_url,
        until=event.until,
        timeout=event.timeout,
        classification=classify(event.labels, event.annotations, str(event.values.get("metric") or "") or None),
    )
    alert, incident, opens = place(draft, alert, _seen(alert, event))
    flapping = said_of(draft) if count_firing(draft, alert) else ""
    afresh = bool(flapping) or _breaks_through(draft, incident, alert)
    announce(draft, incident, alert, event.values, opens=opens, flapping=flapping, afresh=afresh)


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
    if not calm_down(draft, mark):
        return
    firing = draft.view.firing_alert(mark)
    if firing is not None:
        draft.order(SetTimer("review", firing.id, draft.now))
    alert = draft.view.alert_last(mark)
    if alert is None:
        return
    # Its episodes may be of several incidents, where a person has split one off.
    for incident, _, _ in draft.view.open_incidents_with([alert.service]):
        if not draft.view.firing_in(incident.id, 1) and draft.view.flapping_in(incident.id) == [mark]:
            close_recovered(draft, incident)


def _bring_up_to_date(draft: Draft, firing: Alert, event: AlertRaised) -> None:
    """Newer labels and annotations win, the earlier start and the later end stay. Worse severity is news."""
    until, timeout = merged_end(firing.until, firing.timeout, event.until, event.timeout)
    fresh = replace(
        firing,
        labels=event.labels,
        annotations=event.annotations,
        severity=_severity(event.labels),
        starts_at=min(firing.starts_at, event.at),
        updated_at=draft.now,
        generator_url=event.generator_url or firing.generator_url,
        until=until,
        timeout=timeout,
    )
    if labels_for_routing(fresh) != labels_for_routing(firing):
        _follow_labels(draft, firing, fresh)
    if at_least(firing.severity, fresh.severity):
        draft.put_alert(fresh)
        draft.because("still-firing", f"{firing.id} fires already, nothing new.", firing.id, firing.incident_id)
        return
    text = f"{telling.named(fresh)} got worse: {firing.severity} before, {fresh.severity} now."
    incident = draft.view.incident(firing.incident_id) if firing.incident_id is not None else None
    if incident is None or not incident.open:
        # Somebody called it over; this they have not seen.
        fresh, incident, opens = place(draft, fresh, _seen(fresh, event))
        draft.because("got-worse", text, firing.id, incident.id)
        announce(draft, incident, fresh, event.values, opens=opens)
        return
    draft.put_alert(fresh)
    draft.because("got-worse", text, firing.id, incident.id)
    if at_least(incident.severity, fresh.severity):
        draft.log(incident.id, "alert", text, alert=firing.id)
    else:
        incident = draft.change_incident(incident, "severity", text, severity=fresh.severity)
    announce(draft, incident, fresh, event.values)


def _follow_labels(draft: Draft, before: Alert, now: Alert) -> None:
    """What it is withheld for, whom it hushes and who hears of it may be others now."""
    look_again(draft, now.id)
    if draft.view.withheld(now.id):
        draft.order(SetTimer("review", now.id, draft.now))
    if [route.name for route in routes_of(draft.view.config, before)] != [
        route.name for route in routes_of(draft.view.config, now)
    ]:
        draft.order(SetTimer("reroute", now.id, draft.now))


def _end(draft: Draft, alert: Alert, at: int, unwatched: str) -> None:
    over = replace(alert, status="resolved", ends_at=max(at, alert.starts_at), updated_at=draft.now)
    draft.put_alert(over)
    lasted = format_duration(seconds(max(0, at - alert.starts_at)))
    since = f", since {unwatched}" if unwatched else ""
    text = f"{alert.id} is resolved after {lasted}{since}: {telling.summary(alert)}."
    draft.because("alert-resolved", text, alert.id, alert.incident_id)
    forget_withheld(draft, alert)
    forget_waiting(draft, alert)
    ask_now(draft, alert.id)
    look_again(draft, alert.id, first=[] if unwatched else check_dependants(draft, alert))
    incident = draft.view.incident(alert.incident_id) if alert.incident_id is not None else None
    if incident is None or not incident.open:
        return
    draft.log(incident.id, "alert", text, alert=alert.id)
    # An incident may have very many alerts: whether any still fires is all there is to know.
    rest = [other for other in draft.view.firing_in(incident.id, MOST_SHOWN + 2) if other.id != alert.id]
    if rest:
        _go_on(draft, incident, alert, rest)
    elif flapping := draft.view.flapping_in(incident.id):
        flaps = draft.view.alert_last(flapping[0]) or alert
        text = f"{incident.id} stays open: {telling.named(flaps)} flaps, and may fire again."
        draft.because("waits-for-calm", text, incident.id, alert.id)
        draft.log(incident.id, "alert", text, alert=alert.id)
        # Healed for now; that it flaps is for people all the same, and what comes of it next is not told.
        done = _end_runs_that_healed(draft, incident, alert)
        release_unattended(draft, incident, *done, because=text)
    else:
        close_recovered(draft, incident, unwatched)


def _breaks_through(draft: Draft, incident: Incident, alert: Alert) -> bool:
    """Somebody took the incident on, and this they have not seen: it reaches another service, or something else of the
    same one is critical. Another instance of what fires already is no news."""
    if incident.status != "acknowledged":
        return False
    if not any(found.id == incident.id for found, _, _ in draft.view.open_incidents_with([alert.service])):
        return True
    known = (other.name for other in draft.view.firing_in(incident.id, MOST_COMPARED) if other.id != alert.id)
    return alert.severity == "critical" and alert.name not in known


def _go_on(draft: Draft, incident: Incident, over: Alert, rest: list[Alert]) -> None:
    """Some alerts still fire. A run whose own are over is done."""
    firing = ", ".join(alert.id for alert in rest[:MOST_SHOWN]) + (" and more" if len(rest) > MOST_SHOWN else "")
    draft.because("incident-goes-on", f"{incident.id} stays open, {firing} still firing.", incident.id)
    release_unattended(draft, incident, *_end_runs_that_healed(draft, incident, over), but=over.id)


def _end_runs_that_healed(draft: Draft, incident: Incident, over: Alert) -> list[str]:
    acted = [run for run in draft.view.runs_of(incident.id) if run.state == "acted"]
    rest = [alert for alert in draft.view.firing_in(incident.id) if alert.id != over.id] if acted else []
    done = [run for run in acted if not unhealed(draft, run, rest)]
    for run in done:
        end_healed(draft, run)
    return [run.id for run in done]


def _seen(alert: Alert, event: AlertRaised) -> str:
    return " ".join(filter(None, (telling.summary(alert), telling.measured(event.values))))


def _severity(labels: Labels) -> Severity:
    """The label's severity. One we do not know might be the worst, so it counts as that."""
    return next((severity for severity in SEVERITIES if severity == labels.get("severity")), "critical")
