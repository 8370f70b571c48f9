"""Who is told: pages, failures and recoveries, once each and with their reasons."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from forewatch.alerting.alert import Alert, Severity, at_least
from forewatch.alerting.group import Group
from forewatch.alerting.naming import Named, naming, pages
from forewatch.alerting.routing import Route, routes_for, routes_of
from forewatch.clock import iso, micros
from forewatch.incidents import wording
from forewatch.incidents.deciding.correlation import is_storm
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.deciding.sending import CALLED, Post, left_by_themselves, release_one
from forewatch.incidents.incident import Incident
from forewatch.incidents.outcome import Letter, MergeHeld, Notify, Unname
from forewatch.remedy.run import UNDER_WAY, Run

MOST_ECHOES = 100
"""Alerts withheld by one cause that are looked at for its page."""
STORM_PAGES_EVERY = 60.0
"""Seconds between two pages of an acknowledged storm of alerts that name no service."""


def tell_of_trouble(
    draft: Draft,
    incident: Incident,
    alert: Alert,
    routes: Iterable[Route],
    said: wording.Content,
    *,
    run: Run | None = None,
    held_until: int | None = None,
    afresh: Collection[str] = (),
    heard_since: int | None = None,
) -> None:
    """Name the alert to every receiver of the routes it was not named to yet at this severity: by a page, or where that
    is no news of the incident to them by an update; `info` is reported instead.

    `run` is the one at work on this alert: only then may a page wait for the route's hold, and no longer than
    `held_until`, where the run was at work before. On the routes named in `afresh` those are told too who were told
    before `heard_since`, or ever where that is None.
    """
    named = {one.notifier: one for one in draft.view.named(alert.id)} if incident.status != "mitigated" else {}
    heard = {} if draft.opened(incident.id) or incident.status == "mitigated" else draft.view.heard(incident.id, alert)
    lately = draft.view.heard(incident.id, alert, heard_since) if heard and heard_since is not None else {}
    held = {one.notifier: one for one in draft.view.held_in(incident.id) if alert.id in one.content.get("named", ())}
    done: set[str] = set()
    for route in routes:
        if not route.notify:
            draft.because("nobody-routed", f"{route.name} notifies nobody of {alert.id}.", alert.id, incident.id)
        again = route.name in afresh
        for notifier in route.notify:
            if notifier in done:
                continue
            if _knows(named.get(notifier), alert.severity, heard_since if again else None, again):
                text = f"{notifier} has already been notified of {alert.id}."
                draft.because("told-already", text, alert.id, incident.id)
                continue
            if notifier in held and at_least(held[notifier].severity, alert.severity):
                text = f"{held[notifier].id} waits for {notifier} already."
                draft.because("told-already", text, alert.id, incident.id, held[notifier].id)
                continue
            done.add(notifier)
            paging = pages(alert, (lately if again else heard).get(notifier))
            if paging and notifier in heard and is_storm(incident) and incident.status == "acknowledged":
                # Whoever works on a storm is notified of each new name, but woken once a minute at most.
                paging = heard[notifier].paged_at <= draft.now - micros(STORM_PAGES_EVERY)
            kind = "report" if alert.severity == "info" else "page" if paging else "update"
            update = notifier in heard and kind != "report"
            letter = Letter(
                notifier,
                kind,
                said["severity"],
                {**(_joining(draft, incident, alert, said) if update else said), "update": update},
                incident.id,
                alert.id,
                run.id if run is not None else None,
                (naming(alert),),
                draft.now,
            )
            until = None
            if run is not None and kind != "report" and route.hold > 0:
                until = draft.now + micros(route.hold)
                until = until if held_until is None else min(until, held_until)
            draft.post(Post(letter, until=until))


def _joining(draft: Draft, incident: Incident, alert: Alert, said: wording.Content) -> wording.Content:
    """The content for those who were told of the incident: that this fails too, and how many services do now."""
    changed = {other.service for other in (alert, *draft.firing_put_in(incident.id))}
    new = [service for service in changed if not draft.view.fires_in(incident.id, service)]
    services = draft.view.services_in(incident.id) + len(new)
    return wording.too(said, services)


def _knows(named: Named | None, severity: Severity, since: int | None, again: bool) -> bool:
    if named is None or not at_least(named.severity, severity):
        return False
    return not again or (since is not None and named.at >= since)


def tell_group(
    draft: Draft, group: Group, reason: str, notifiers: Iterable[str], kind: str, said: wording.Content
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
        text = f"{notice.id}, {CALLED[kind]} of the group {group.key}, goes to {notifier} now: {reason}"
        alerts = [alert["id"] for alert in said["alerts"]]
        incidents = dict.fromkeys(alert["incident_id"] for alert in said["alerts"])
        draft.because(reason.replace(" ", "-"), wording.sentence(text), notice.id, group.key, *alerts, *incidents)
        for incident_id in incidents:
            draft.log(incident_id, kind, wording.sentence(text), notification=notice.id)


def tell_of_silence(draft: Draft, silence_id: str, notifiers: Iterable[str], said: wording.Content) -> None:
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
        text = wording.joined(f"{notice.id}, a report on silence {silence_id}, goes to {notifier} now", said["reason"])
        draft.because("silence-report", text, notice.id, silence_id)


def release(
    draft: Draft,
    incident: Incident,
    because: str,
    *subjects: str,
    run: Run | None = None,
    moved: Mapping[str, str] | None = None,
) -> list[str]:
    """Let the incident's held pages go now, saying why; where `run` is over, not those that wait for another one at
    work. The notifiers they are for.

    `moved`: alerts that are of another incident now; their pages speak of that one.
    """
    held = draft.view.held_in(incident.id)
    if run is not None:
        at_work = {one.id for one in draft.view.runs_of(incident.id) if one.state in UNDER_WAY} - {run.id}
        held = [notice for notice in held if notice.run_id not in at_work]
    for notice in held:
        of = (moved or {}).get(str(notice.alert_id), incident.id)
        said = wording.released(notice.content, because, notice.run_id, _echoes(draft, notice.content.get("named", ())))
        said = {**said, "incident_id": of}
        release_one(draft, notice, said, incident_id=of)
    if held:
        ids = ", ".join(notice.id for notice in held)
        text = f"Held pages go out now ({ids}): {because}"
        draft.because("pages-released", text, *(notice.id for notice in held), incident.id, *subjects)
        draft.log(incident.id, "page", text)
    return [notice.notifier for notice in held]


def _echoes(draft: Draft, named: Collection[str]) -> list[str]:
    """Services of alerts that are withheld because those named fail: whoever is woken sees how far it goes."""
    found = {
        alert.service
        for cause in named
        for echo in draft.view.withheld_by(cause)[:MOST_ECHOES]
        if any(
            (reason.kind, reason.by) == ("dependency", cause)
            for one in draft.view.withheld(echo)
            for reason in one.reasons
        )
        and (alert := draft.alert_now(echo)) is not None
    }
    return sorted(found)


def tell_of_failure(draft: Draft, incident: Incident, run: Run, what: str, *, released: Collection[str] = ()) -> None:
    """A remedy did not work out: all who were told of its service's trouble hear it at once, but for those whose held
    page was `released` with that. Of one that never began they hear by an update, for they were woken already.

    Once the incident is over, or where it is no more than `info`, nobody needs to act on it: then it is a report.
    """
    alert = draft.view.alert(run.alert_id) if run.alert_id is not None else None
    kind = "failure" if incident.open and incident.severity != "info" else "report"
    service = run.service or incident.service
    title = f"{run.runbook} did not heal {service}"
    if run.started_at is None:
        title = f"{run.runbook} was not run for {service}"
        kind = "update" if kind == "failure" else kind
    said = wording.of_incident(incident, title, what, alert=alert, runbook=run.runbook)
    routed: list[str] = []
    if alert is not None and not any(one.route == "" for one in draft.view.withheld(alert.id)):
        routed = [notifier for route in routes_of(draft.view.config, alert) for notifier in route.notify]
    for notifier in dict.fromkeys((*_told_of_service(draft, incident, service), *routed)):
        if notifier not in released:
            _post(draft, kind, notifier, said, incident=incident, alert=alert, run=run)


def _told_of_service(draft: Draft, incident: Incident, service: str) -> list[str]:
    """Who was told of an alert of this service in the incident; where nobody was, who was told anything of it."""
    of_service = {alert.id for alert in draft.view.alerts_of(incident.id) if alert.service == service}
    told = [one.notifier for one in draft.view.named_in(incident.id) if one.alert_id in of_service]
    if told:
        return told
    return draft.view.told_of(incident.id) + [one.notifier for one in draft.view.notifications_of(incident.id)]


def tell_of_failed_run(draft: Draft, run: Run, what: str) -> None:
    """A run of no incident failed. Who started it may not look any more, so its service's route is told."""
    labels = {"alertname": "RunFailed", "severity": "warning", "runbook": run.runbook, "service": run.service or ""}
    title = f"{run.runbook} failed{f' for {run.service}' if run.service else ''}"
    said = wording.content(
        title=title,
        text=wording.joined(what, f"It was started by {run.requested_by}"),
        severity="warning",
        service=run.service,
        reason=what,
        runbook=run.runbook,
    )
    routed = [notifier for route in routes_for(draft.view.config, labels) for notifier in route.notify]
    for notifier in dict.fromkeys(routed):
        _post(draft, "failure", notifier, said, incident=None, alert=None, run=run)


def tell_who_hears_no_more(draft: Draft, incident: Incident, alert: Alert) -> bool:
    """Receivers that were told of an alert and that no route leads to now: they hear once that it is not theirs.
    Whether there are any."""
    found = False
    routed = {notifier for route in routes_of(draft.view.config, alert) for notifier in route.notify}
    now = ", ".join(sorted(routed)) or "nobody"
    for one in draft.view.named(alert.id):
        if one.notifier in routed:
            continue
        found = True
        draft.change(Unname(alert.id, one.notifier))
        text = f"It still fires, and notifies {now} now: the configuration has changed."
        said = wording.of_incident(incident, f"{wording.summary(alert)}: {wording.NOT_YOURS}", text, alert=alert)
        _post(
            draft,
            "resolved",
            one.notifier,
            {**said, "since": iso(alert.starts_at), "ended": wording.NOT_YOURS},
            incident=incident,
            alert=alert,
            run=None,
        )
    return found


def tell_where_it_is_now(draft: Draft, incident: Incident, alerts: Iterable[Alert], why: str) -> None:
    """Firing alerts have become an incident of their own: who was told of them hears of it, for the end of the one they
    were told of in is not theirs."""
    for alert in alerts:
        kind = "report" if alert.severity == "info" else "update"
        told = wording.of_incident(incident, wording.summary(alert), why, alert=alert)
        said = {**told, "since": iso(alert.starts_at), "update": True}
        for one in draft.view.named(alert.id):
            letter = Letter(
                one.notifier, kind, alert.severity, said, incident.id, alert.id, None, (naming(alert),), draft.now
            )
            draft.post(Post(letter))


def tell_of_recovery(
    draft: Draft,
    incident: Incident,
    how: str,
    ended: str,
    lasted: str,
    others: Sequence[str],
    unwatched: Sequence[Alert],
) -> None:
    """The incident is over: held pages become one report to each receiver, those who were or may have been told hear
    how it ended. `lasted`: how long its service was in trouble; `others`: services that were in trouble with it;
    `unwatched`: alerts that nobody looks at any more."""
    said = wording.over(incident, how, ended, lasted, others, unwatched)
    report = wording.fixed(incident, how, lasted) if ended == wording.RESOLVED else said
    informed: set[str] = set()
    for notice in draft.view.held_in(incident.id):
        if notice.notifier in informed:
            draft.order(MergeHeld((notice.id,)))
        else:
            release_one(draft, notice, report, kind="report")
        informed.add(notice.notifier)
    failed: dict[str, None] = {}
    for one in sorted(draft.view.notifications_of(incident.id), key=lambda one: one.created_at):
        # A failure, or what names no trouble: that a remedy was not run, that a part is over and the rest is not.
        lone = one.kind == "failure" or (one.kind == "update" and not one.content.get("named"))
        if lone and one.state not in ("held", "dead", "merged"):
            failed[one.notifier] = None
        elif one.kind == "resolved":  # of that part of it
            failed.pop(one.notifier, None)
    # Of what has left by itself no decision may have taken note yet.
    left = [one.notifier for one in left_by_themselves(draft, incident.id) if one.severity != "info"]
    for notifier in dict.fromkeys((*draft.view.told_of(incident.id), *failed, *left)):
        _post(draft, "resolved", notifier, said, incident=incident, alert=None, run=None)


def _post(
    draft: Draft,
    kind: str,
    notifier: str,
    said: Mapping[str, object],
    *,
    incident: Incident | None,
    alert: Alert | None,
    run: Run | None,
) -> None:
    draft.post(
        Post(
            Letter(
                notifier,
                kind,
                str(said["severity"]),
                dict(said),
                incident.id if incident is not None else None,
                alert.id if alert is not None else None,
                run.id if run is not None else None,
                (),
                draft.now,
            )
        )
    )
