"""An alert fires, or is over."""

from __future__ import annotations

from dataclasses import replace

from forewatch.alerting.alert import SEVERITIES, Alert, Labels, Severity, at_least
from forewatch.alerting.arrival import merged_end
from forewatch.alerting.classification import LABEL, Classification, classify, labels_for_routing
from forewatch.alerting.failures import headline_of
from forewatch.alerting.fingerprint import fingerprint
from forewatch.alerting.flapping import calm_at, flaps
from forewatch.alerting.routing import routes_of
from forewatch.alerting.suppression import Withheld
from forewatch.clock import iso, seconds
from forewatch.detection.aftermath import said_of
from forewatch.incidents import wording
from forewatch.incidents.deciding.aftermath import set_aside, sets_aside
from forewatch.incidents.deciding.alert_response import announce
from forewatch.incidents.deciding.automation import end_healed, release_unattended, unhealed
from forewatch.incidents.deciding.dependency_recovery import check_dependants
from forewatch.incidents.deciding.direct_pages import record_told
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.deciding.flapping import calm_down, count_firing, move_away
from forewatch.incidents.deciding.groups import leave_groups
from forewatch.incidents.deciding.incident_assignment import MOST_COMPARED, place, retitle
from forewatch.incidents.deciding.partial_recovery import expect_more, tell_who_knew_it_alone
from forewatch.incidents.deciding.remedy_wait import ask_now, forget_waiting
from forewatch.incidents.deciding.resolution import close_recovered
from forewatch.incidents.deciding.withheld_alerts import forget_withheld, look_again
from forewatch.incidents.events import AlertCleared, AlertRaised, AlertsRefreshed, AlertTimedOut
from forewatch.incidents.incident import Incident
from forewatch.incidents.outcome import CancelTimers, DropFlap, PutFlap, RefreshAlerts, SetTimer
from forewatch.units import format_duration

MOST_SHOWN = 10
UNNAMED_SERVICE = "host"
"""The service of an alert that names none: trouble of the machine itself."""


def alert_raised(draft: Draft, event: AlertRaised) -> None:
    """A firing alert is only brought up to date; a new one joins or opens its incident and gets answered."""
    mark = fingerprint(event.identity if event.identity is not None else event.labels)
    if (firing := draft.view.firing_alert(mark)) is not None:
        _bring_up_to_date(draft, firing, event)
        return
    if event.before is not None and (known := draft.view.firing_alert(fingerprint(event.before))) is not None:
        _relabel(draft, known, mark, event)
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
        classification=_classified(event),
    )
    if sets_aside(draft, event):
        set_aside(draft, alert, event)
        return
    alert, incident, opens = place(draft, alert, wording.summary(alert))
    flapping = count_firing(draft, alert, str(event.values.get("failure", "")))
    announce(draft, incident, alert, event.values, opens=opens, flapping=flapping, afresh=bool(flapping))
    record_told(draft, incident, alert, event)


def alert_cleared(draft: Draft, event: AlertCleared) -> None:
    """The alert is resolved; the incident too once its last alert is."""
    mark = fingerprint(event.identity if event.identity is not None else event.labels)
    alert = draft.view.firing_alert(mark)
    if alert is None:
        draft.because("not-firing", f"No alert with the fingerprint {mark} fires, so there is nothing to resolve.")
        return
    unwatched = str(event.values.get("reason") or "no longer watched") if event.unwatched else ""
    _end(draft, alert, event.at, unwatched)


def alert_timed_out(draft: Draft, event: AlertTimedOut) -> None:
    """Its end has come and nobody sent it again."""
    alert = draft.view.firing_alert(event.fingerprint)
    if alert is None or alert.until is None or alert.until > draft.now:
        text = f"The alert {event.fingerprint} does not fire, or was reported again: it does not time out."
        draft.because("not-timed-out", text, alert.id if alert is not None else None)
        return
    since = iso(alert.updated_at)[:19].replace("T", " ")
    silent = f"no longer reported ({alert.source or 'its source'} silent since {since} UTC)"
    _end(draft, alert, alert.until, silent if alert.timeout else "")


def alerts_refreshed(draft: Draft, event: AlertsRefreshed) -> None:
    """Firing alerts were sent again and nothing but their end has moved."""
    draft.change(RefreshAlerts(event.untils))
    draft.because("still-firing", f"{len(event.untils)} alerts already fire and were reported again, nothing new.")


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
    incident = draft.view.incident(alert.incident_id) if alert.incident_id is not None else None
    rest = draft.view.firing_in(incident.id, MOST_COMPARED) if incident is not None and incident.open else []
    if incident is not None and rest and alert.status != "firing":
        expect_more(draft, incident, alert, rest, calm=True)  # kept from those who were told of it until now
    # Its episodes may be of several incidents, where a person has split one off.
    for incident, _, _ in draft.view.open_incidents_with([alert.service]):
        if not draft.view.firing_in(incident.id, 1) and draft.view.flapping_in(incident.id) == [mark]:
            close_recovered(draft, incident)


def flapping_stays_down(draft: Draft, alert_id: str) -> None:
    """A flapping alert has fired for long enough to be told again."""
    alert = draft.view.alert(alert_id)
    flap = draft.view.flap(alert.fingerprint) if alert is not None else None
    incident = draft.view.incident(alert.incident_id) if alert is not None and alert.incident_id is not None else None
    if alert is None or alert.status != "firing" or flap is None or not flaps(flap) or incident is None:
        draft.because("timer-pointless", f"{alert_id} is over or does not flap: nothing to do.", alert_id)
        return
    if not incident.open:
        alert, incident, _ = place(draft, alert, wording.summary(alert))
    lasts = format_duration(seconds(draft.now - alert.starts_at))
    text = f"It was flapping and has now been down for {lasts}."
    draft.because("stays-down", f"{wording.named(alert)}: {text}", alert.id, incident.id)
    announce(draft, incident, alert, {}, flapping=text, afresh=True)


def _bring_up_to_date(draft: Draft, firing: Alert, event: AlertRaised, *, mark: str | None = None) -> None:
    """Newer labels and annotations win, the earlier start and the later end stay. Worse severity is news."""
    until, timeout = merged_end(firing.until, firing.timeout, event.until, event.timeout)
    fresh = replace(
        firing,
        fingerprint=mark if mark is not None else firing.fingerprint,
        labels=event.labels,
        annotations=event.annotations,
        classification=_classified(event) if "failure" in event.values else firing.classification,
        severity=_severity(event.labels),
        starts_at=min(firing.starts_at, event.at),
        updated_at=draft.now,
        generator_url=event.generator_url or firing.generator_url,
        until=until,
        timeout=timeout,
    )
    if sets_aside(draft, event) and firing.incident_id is not None:
        _leave_aside(draft, fresh, event)
        return
    if firing.incident_id is None and "aftermath_until" in event.values and not sets_aside(draft, event):
        # The service is back and fails this all the same: no aftermath.
        draft.put_withheld(Withheld(firing.id, "", draft.now, ()), None)
        fresh, its, opens = place(draft, fresh, wording.summary(fresh))
        announce(draft, its, fresh, event.values, opens=opens)
        record_told(draft, its, fresh, event)
        return
    if labels_for_routing(fresh) != labels_for_routing(firing):
        _follow_labels(draft, firing, fresh, configured=mark is not None)
    if at_least(firing.severity, fresh.severity):
        draft.put_alert(fresh)
        _fails_otherwise(draft, firing, fresh)
        return
    text = f"{wording.named(fresh)} got worse: {firing.severity} before, {fresh.severity} now."
    incident = draft.view.incident(firing.incident_id) if firing.incident_id is not None else None
    if incident is None or not incident.open:
        # Somebody called it over; this they have not seen.
        fresh, incident, opens = place(draft, fresh, wording.summary(fresh))
        draft.because("got-worse", text, firing.id, incident.id)
        announce(draft, incident, fresh, event.values, opens=opens)
        record_told(draft, incident, fresh, event)
        return
    draft.put_alert(fresh)
    draft.because("got-worse", text, firing.id, incident.id)
    if at_least(incident.severity, fresh.severity):
        draft.log(incident.id, "alert", text, alert=firing.id)
    else:
        incident = draft.change_incident(incident, "severity", text, severity=fresh.severity)
    announce(draft, incident, fresh, event.values)
    record_told(draft, incident, fresh, event)


def _fails_otherwise(draft: Draft, before: Alert, now: Alert) -> None:
    """Nothing but what is wrong may have changed: `is down` became `answers with errors`."""
    incident = draft.view.incident(now.incident_id) if now.incident_id is not None else None
    was, title = wording.summary(before), wording.summary(now)
    kinds = headline_of(now.service, was), headline_of(now.service, title)
    if incident is None or not incident.open or None in kinds or kinds[0] == kinds[1]:
        draft.because("still-firing", f"{before.id} already fires, nothing new.", before.id, before.incident_id)
        return
    text = f"{wording.named(now)} now fails differently: {title}."
    draft.because("fails-otherwise", text, now.id, incident.id)
    if incident.title == was:
        draft.change_incident(incident, "title", text, title=title)
    else:
        draft.log(incident.id, "alert", text, alert=now.id)


def _leave_aside(draft: Draft, alert: Alert, event: AlertRaised) -> None:
    """An alert of an incident looks back on an outage that is over: it keeps the incident open no longer."""
    incident = draft.view.incident(alert.incident_id) if alert.incident_id is not None else None
    set_aside(draft, alert, event)
    # Nobody has it before them any more, so it explains nothing.
    look_again(draft, alert.id)
    if incident is None or not incident.open:
        return
    rest = [other for other in draft.view.firing_in(incident.id, MOST_COMPARED) if other.id != alert.id]
    if rest:
        tell_who_knew_it_alone(draft, incident, replace(alert, ended=said_of(event.values)), rest)
        retitle(draft, incident, rest)
    elif not draft.view.flapping_in(incident.id):
        close_recovered(draft, incident)


def _relabel(draft: Draft, firing: Alert, mark: str, event: AlertRaised) -> None:
    """A new configuration gives a firing alert other labels: its episode, incident and what was told stay."""
    text = f"{wording.named(firing)} has other labels under the new configuration and is still firing."
    draft.because("relabelled", text, firing.id, firing.incident_id)
    draft.log(firing.incident_id, "alert", text, alert=firing.id)
    if (flap := draft.view.flap(firing.fingerprint)) is not None:
        draft.change(DropFlap(firing.fingerprint), PutFlap(replace(flap, fingerprint=mark)))
        draft.order(CancelTimers(firing.fingerprint, "calm"))
        if flaps(flap):
            draft.order(SetTimer("calm", mark, calm_at(flap, draft.view.config.flapping)))
    leave_groups(draft, firing, replace(firing, labels=event.labels, severity=_severity(event.labels)))
    _bring_up_to_date(draft, firing, event, mark=mark)


def _follow_labels(draft: Draft, before: Alert, now: Alert, *, configured: bool) -> None:
    """What it is withheld for, whom it hushes and who hears of it may be others now. `configured`: by a new
    configuration, whose routes may be others as well."""
    look_again(draft, now.id)
    if draft.view.withheld(now.id):
        draft.order(SetTimer("review", now.id, draft.now))
    routes, others = routes_of(draft.view.config, before), routes_of(draft.view.config, now)
    if configured or [route.name for route in routes] != [route.name for route in others]:
        draft.order(SetTimer("reroute", now.id, draft.now))


def _end(draft: Draft, alert: Alert, at: int, unwatched: str) -> None:
    over = replace(alert, status="resolved", ends_at=max(at, alert.starts_at), updated_at=draft.now, ended=unwatched)
    draft.put_alert(over)
    lasted = format_duration(seconds(max(0, at - alert.starts_at)))
    how = f"ended, {unwatched}," if unwatched else "is resolved"
    text = f"{alert.id} {how} after {lasted}: {wording.summary(alert)}."
    draft.because("alert-resolved", text, alert.id, alert.incident_id)
    forget_withheld(draft, alert)
    forget_waiting(draft, alert)
    ask_now(draft, alert.id)
    look_again(draft, alert.id, first=[] if unwatched else check_dependants(draft, alert))
    incident = draft.view.incident(alert.incident_id) if alert.incident_id is not None else None
    if incident is None or not incident.open:
        return
    draft.log(incident.id, "alert", text, alert=alert.id)
    # An incident may have very many alerts: the first few say enough.
    rest = [other for other in draft.view.firing_in(incident.id, MOST_COMPARED) if other.id != alert.id]
    if rest:
        _go_on(draft, incident, alert, rest)
    elif flapping := draft.view.flapping_in(incident.id):
        last = [draft.view.alert_last(mark) or alert for mark in flapping]
        if all(one.service != incident.service for one in last):
            # Its own services are well; what flaps beside them is a trouble of its own.
            move_away(draft, incident, [draft.alert_now(one.id) or one for one in last])
            close_recovered(draft, incident, unwatched)
            return
        flaps = last[0]
        text = f"{incident.id} stays open: {wording.named(flaps)} is flapping, and may fire again."
        draft.because("waits-for-calm", text, incident.id, alert.id)
        draft.log(incident.id, "alert", text, alert=alert.id)
        # Healed for now; that it flaps is for people all the same, and what comes of it next is not told.
        done = _end_runs_that_healed(draft, incident, alert)
        said = f"{incident.id} stays open: {flaps.service} is flapping, and may fire again."
        release_unattended(draft, incident, *done, because=said)
    else:
        close_recovered(draft, incident, unwatched)


def _go_on(draft: Draft, incident: Incident, over: Alert, rest: list[Alert]) -> None:
    """Some alerts still fire. A run whose own are over is done."""
    firing = ", ".join(alert.id for alert in rest[:MOST_SHOWN]) + (" and more" if len(rest) > MOST_SHOWN else "")
    draft.because("incident-goes-on", f"{incident.id} stays open, {firing} still firing.", incident.id)
    expect_more(draft, incident, over, rest)
    incident = retitle(draft, incident, rest) if over.service == incident.service else incident
    release_unattended(draft, incident, *_end_runs_that_healed(draft, incident, over), ended=over.id)


def _end_runs_that_healed(draft: Draft, incident: Incident, over: Alert) -> list[str]:
    acted = [run for run in draft.view.runs_of(incident.id) if run.state == "acted"]
    rest = [alert for alert in draft.view.firing_in(incident.id) if alert.id != over.id] if acted else []
    done = [run for run in acted if not unhealed(draft, run, rest)]
    for run in done:
        end_healed(draft, run)
    return [run.id for run in done]


def _classified(event: AlertRaised) -> Classification:
    """A check that fails for its certificate alone serves: nothing it depends on explains that."""
    if event.values.get("failure") == "certificate" and LABEL not in event.labels:
        return "security"
    return classify(event.labels, event.annotations, str(event.values.get("metric") or "") or None)


def _severity(labels: Labels) -> Severity:
    """The label's severity. One we do not know might be the worst, so it counts as that."""
    return next((severity for severity in SEVERITIES if severity == labels.get("severity")), "critical")
