"""Who is told: pages, failures and recoveries, once each and with their reasons."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from forewatch.alerting.alert import Alert, Severity, at_least
from forewatch.alerting.group import Group
from forewatch.alerting.notification import Notification
from forewatch.alerting.routing import Route, routes_for, routes_of
from forewatch.clock import micros, seconds
from forewatch.incidents import telling
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.incident import Incident
from forewatch.incidents.outcome import Notify, ReleaseHeld, TurnHeldIntoReport
from forewatch.remedy.run import Run
from forewatch.units import format_duration

_CALLED = {"page": "a page", "report": "a report", "failure": "word of a failure", "resolved": "word of the recovery"}


def tell_of_trouble(
    draft: Draft,
    incident: Incident,
    alert: Alert,
    routes: Iterable[Route],
    said: telling.Content,
    *,
    run: Run | None = None,
    covered: bool = False,
    held_until: int | None = None,
    afresh: Collection[str] = (),
    heard_since: int | None = None,
) -> None:
    """Page everybody the routes name who was not told yet at this severity; `info` is reported instead.

    `run` is the one at work on this alert: only then may a page wait for the route's hold, and no longer than
    `held_until`. `covered` says that the run was at work before, so that a page held for it speaks for this alert as
    well. On the routes
    named in `afresh` those are told too who were told before `heard_since`, or ever where that is None.
    """
    kind = "report" if alert.severity == "info" else "page"
    notices = draft.view.notifications_of(incident.id)
    told = _told(notices, alert.severity, held_counts=covered)
    lately = [notice for notice in notices if heard_since is not None and notice.created_at >= heard_since]
    told_lately = _told(lately, alert.severity, held_counts=covered)
    if incident.status == "mitigated":
        told, told_lately = set(), set()
    for route in routes:
        if not route.notify:
            draft.because("nobody-routed", f"{route.name} tells nobody of {alert.id}.", alert.id, incident.id)
        for notifier in route.notify:
            if notifier in (told_lately if route.name in afresh else told):
                text = f"{notifier} was told of {incident.id} at {alert.severity} or worse already."
                draft.because("told-already", text, alert.id, incident.id)
                continue
            hold = route.hold if run is not None and kind == "page" else 0.0
            if held_until is not None:
                hold = min(hold, max(0.0, seconds(held_until - draft.now)))
            _send(draft, kind, notifier, said, incident=incident, alert=alert, run=run, hold=hold)
            told.add(notifier)
            told_lately.add(notifier)


def was_told(draft: Draft, incident: Incident, severity: Severity, since: int) -> bool:
    """Whether anybody was told of the incident at this severity or worse, or is about to be, since an instant."""
    notices = draft.view.notifications_of(incident.id)
    return bool(_told((one for one in notices if one.created_at >= since), severity, held_counts=True))


def tell_group(
    draft: Draft, group: Group, reason: str, notifiers: Iterable[str], kind: str, said: telling.Content
) -> None:
    """One notice of a group to each of these notifiers. It belongs to no incident: its alerts may be of several."""
    for notifier in notifiers:
        notice = Notify(
            id=draft.view.new_id("NT"),
            kind=kind,
            severity=said["severity"],
            notifier=notifier,
            not_before=draft.now,
            held=False,
            content={**said, "receiver": notifier},
        )
        draft.order(notice)
        text = f"{notice.id}, {_CALLED[kind]} of the group {group.key}, goes to {notifier} now: {reason}"
        alerts = [alert["id"] for alert in said["alerts"]]
        incidents = dict.fromkeys(alert["incident_id"] for alert in said["alerts"])
        draft.because(reason.replace(" ", "-"), telling.sentence(text), notice.id, group.key, *alerts, *incidents)
        for incident_id in incidents:
            draft.log(incident_id, kind, telling.sentence(text), notification=notice.id)


def tell_of_silence(draft: Draft, silence_id: str, notifiers: Iterable[str], said: telling.Content) -> None:
    """A report on a silence to these notifiers."""
    for notifier in dict.fromkeys(notifiers):
        notice = Notify(
            id=draft.view.new_id("NT"),
            kind="report",
            severity=said["severity"],
            notifier=notifier,
            not_before=draft.now,
            held=False,
            content=said,
        )
        draft.order(notice)
        text = telling.joined(f"{notice.id}, a report on silence {silence_id}, goes to {notifier} now", said["reason"])
        draft.because("silence-report", text, notice.id, silence_id)


def release(draft: Draft, incident: Incident, because: str, *subjects: str) -> bool:
    """Let the incident's held pages go now, saying why. Whether there were any."""
    held = [notice.id for notice in draft.view.notifications_of(incident.id) if notice.state == "held"]
    draft.order(ReleaseHeld(incident.id, because))
    if held:
        text = f"Held pages go out now ({', '.join(held)}): {because}"
        draft.because("pages-released", text, *held, incident.id, *subjects)
        draft.log(incident.id, "page", text)
    return bool(held)


def tell_of_failure(draft: Draft, incident: Incident, run: Run, what: str) -> None:
    """A remedy did not work out: all who were told of the incident hear it at once.

    Once the incident is over, or where it is no more than `info`, nobody needs to act on it: then it is a report.
    """
    alert = draft.view.alert(run.alert_id) if run.alert_id is not None else None
    kind = "failure" if incident.open and incident.severity != "info" else "report"
    title = f"{run.runbook} did not heal {incident.service}"
    said = telling.of_incident(incident, title, what, alert=alert, runbook=run.runbook)
    told = [notice.notifier for notice in draft.view.notifications_of(incident.id)]
    routed: list[str] = []
    if alert is not None and not any(one.route == "" for one in draft.view.withheld(alert.id)):
        routed = [notifier for route in routes_of(draft.view.config, alert) for notifier in route.notify]
    for notifier in dict.fromkeys((*told, *routed)):
        _send(draft, kind, notifier, said, incident=incident, alert=alert, run=run)


def tell_of_failed_run(draft: Draft, run: Run, what: str) -> None:
    """A run of no incident failed. Who started it may not look any more, so its service's route is told."""
    labels = {"alertname": "RunFailed", "severity": "warning", "runbook": run.runbook, "service": run.service or ""}
    title = f"{run.runbook} failed"
    said = telling.content(
        title=title,
        text=telling.joined(f"{run.id} ({run.runbook}) was started by {run.requested_by}", what),
        severity="warning",
        service=run.service,
        reason=what,
        runbook=run.runbook,
    )
    routed = [notifier for route in routes_for(draft.view.config, labels) for notifier in route.notify]
    for notifier in dict.fromkeys(routed):
        _send(draft, "failure", notifier, said, incident=None, alert=None, run=run)


def tell_of_recovery(draft: Draft, incident: Incident, text: str) -> None:
    """The incident is resolved: held pages become reports, those who were or may have been paged hear the good news."""
    notices = draft.view.notifications_of(incident.id)
    said = telling.of_incident(incident, f"Resolved: {incident.title}", text)
    if held := [notice.id for notice in notices if notice.state == "held"]:
        draft.order(TurnHeldIntoReport(incident.id, said))
        why = f"Nobody needs to be paged any more, {', '.join(held)} became a report: {text}"
        draft.because("page-became-report", why, *held, incident.id)
        draft.log(incident.id, "report", why)
    for notifier in _may_have_heard(notices):
        _send(draft, "resolved", notifier, said, incident=incident, alert=None, run=None)


def _send(
    draft: Draft,
    kind: str,
    notifier: str,
    said: telling.Content,
    *,
    incident: Incident | None,
    alert: Alert | None,
    run: Run | None,
    hold: float = 0.0,
) -> None:
    """Put one notification in the outbox, with its reason and its line on the timeline."""
    notice = Notify(
        id=draft.view.new_id("NT"),
        kind=kind,
        severity=said["severity"],
        notifier=notifier,
        not_before=draft.now + micros(hold),
        held=hold > 0,
        content=said,
        incident_id=incident.id if incident is not None else None,
        alert_id=alert.id if alert is not None else None,
        run_id=run.id if run is not None else None,
    )
    draft.order(notice)
    if run is not None and notice.held:
        code, text = (
            f"{kind}-held",
            f"{notice.id}, {_CALLED[kind]} for {notifier}, waits {format_duration(hold)} for {run.id}",
        )
    else:
        code, text = f"{kind}-due", f"{notice.id}, {_CALLED[kind]}, goes to {notifier} now"
    why = telling.joined(f"{text} ({notice.severity})", said["reason"])
    draft.because(code, why, notice.id, notice.alert_id, notice.incident_id, notice.run_id)
    draft.log(notice.incident_id, kind, telling.sentence(text), notification=notice.id)


def _told(notices: Iterable[Notification], severity: Severity, *, held_counts: bool) -> set[str]:
    """Notifiers told of the trouble, or about to be, at `severity` or worse. A dead letter told nobody."""
    silent = ("dead",) if held_counts else ("dead", "held")
    return {
        notice.notifier
        for notice in notices
        if notice.kind in ("page", "report") and notice.state not in silent and at_least(notice.severity, severity)
    }


def _may_have_heard(notices: Iterable[Notification]) -> list[str]:
    """Notifiers that were paged or may have been: all but those whose pages were held back to the end."""
    paged = (notice for notice in notices if notice.kind in ("page", "failure") and notice.state != "held")
    return list(dict.fromkeys(notice.notifier for notice in paged))
