"""What follows from an alert that fires: a remedy where one may act, and word to the people its routes name.

reasons not to tell ─ remedy ─ each route: its group's next tick, or a page of the incident now
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forewatch.alerting.alert import Alert, at_least
from forewatch.alerting.notification import Notification
from forewatch.alerting.routing import Route, routes_of
from forewatch.alerting.suppression import Suppression, Withheld
from forewatch.incidents import wording
from forewatch.incidents.deciding.automation import Answer, hold_back, send_remedy
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.deciding.flapping import said_of
from forewatch.incidents.deciding.groups import join_group, join_new_groups
from forewatch.incidents.deciding.incident_assignment import place
from forewatch.incidents.deciding.late_notice import still_fires
from forewatch.incidents.deciding.look_before_acting import Seen
from forewatch.incidents.deciding.paging import tell_of_trouble, tell_who_hears_no_more
from forewatch.incidents.deciding.passing_check import still_checked
from forewatch.incidents.deciding.withheld_alerts import (
    CONFIGURATION_READ_WITHIN,
    flapping_of,
    holds_automation,
    look_again,
    one_by_one,
    over_since,
    route_suppressions,
    suppressions,
    withhold,
)
from forewatch.incidents.events import RoutesChanged
from forewatch.incidents.incident import Incident
from forewatch.remedy.verdict import Refused


def announce(
    draft: Draft,
    incident: Incident,
    alert: Alert,
    values: Mapping[str, Any],
    *,
    opens: bool = False,
    flapping: str = "",
    afresh: bool = False,
) -> None:
    """Answer a firing alert. `opens`: it opens the incident; `flapping`: a sentence, where it begins to flap; `afresh`:
    page those too who were told of it in the incident."""
    # That it is flapping is news now, and no reason to withhold it.
    reasons, flaps = _reasons(draft, None if opens or flapping else incident, alert)
    answer = _answer(draft, alert, reasons, values)
    now_open = _spread(draft, alert, reasons)
    if not reasons and any(one.route == "" for one in draft.view.withheld(alert.id)):
        draft.put_withheld(Withheld(alert.id, "", draft.now, ()), incident.id)
    if now_open:
        _tell(draft, incident, alert, values, flapping or flaps, answer, now_open, now_open if afresh else [])


def reroute(draft: Draft, alert_id: str) -> None:
    """Its routes are not those it had when it fired: who is on the new ones hears of it too.

    What a remedy can do about it was decided then.
    """
    alert = draft.view.alert(alert_id)
    if alert is None or alert.status != "firing":
        draft.because("timer-pointless", f"{alert_id} is over: it no longer needs routes.", alert_id)
        return
    incident = draft.view.incident(alert.incident_id) if alert.incident_id is not None else None
    receivers = sorted({name for route in routes_of(draft.view.config, alert) for name in route.notify})
    text = f"{alert_id} notifies {', '.join(receivers) or 'nobody'} by the routes in force"
    if incident is not None and incident.open:
        draft.because("rerouted", f"{text}.", alert_id, incident.id)
        if tell_who_hears_no_more(draft, incident, alert):
            look_again(draft, alert_id)  # what it explains is told where nobody hears of this any more
    else:
        draft.because("rerouted", f"{text}, and is of no open incident.", alert_id, alert.incident_id)
    reasons, _ = _reasons(draft, incident, alert)
    now_open = _spread(draft, alert, reasons)
    if now_open and incident is not None and incident.open:
        why = "Its routes have changed since it fired."
        said = wording.trouble(alert, incident.id, {}, why, None)
        tell_of_trouble(draft, incident, alert, now_open, said)


def routes_changed(draft: Draft, event: RoutesChanged) -> None:
    """Configuration `version` leads some of what fires to others: they are told of it now."""
    draft.order(*one_by_one(draft, "reroute", event.alert_ids, after=CONFIGURATION_READ_WITHIN))
    text = f"Configuration {event.version} has other routes for {len(event.alert_ids)} alerts that fire."
    draft.because("routes-changed", text, *event.alert_ids)


def review(draft: Draft, alert_id: str, seen: Seen = ()) -> None:
    """Look again at an alert nobody was told of: what spoke against it may be over. Then people hear of it afresh.

    `seen`: what its check and those of its dependencies said when they were asked just now.
    """
    alert = draft.view.alert(alert_id)
    before = draft.view.withheld(alert_id)
    if alert is None or alert.status != "firing" or not before:
        draft.because(
            "timer-pointless", f"{alert_id} is over or no longer withheld: nothing to look at again.", alert_id
        )
        return
    incident = draft.view.incident(alert.incident_id) if alert.incident_id is not None else None
    reasons, flapping = _reasons(draft, incident, alert)
    aside = [reason for one in before for reason in one.reasons if reason.kind == "aftermath"]
    if not reasons and (checking := still_checked(draft, alert, before, seen)) is not None:
        reasons = (checking,)
    if reasons or any(reason.until is not None and reason.until > draft.now for reason in aside):
        withhold(draft, alert, "", (*reasons, *aside))
        return
    if alert.incident_id is None:
        draft.put_withheld(Withheld(alert.id, "", draft.now, ()), None)
        alert, incident, opens = place(draft, alert, wording.summary(alert))
        announce(draft, incident, alert, {}, opens=opens)
        return
    names = {route.name for route in routes_of(draft.view.config, alert)}
    join_new_groups(draft, routes_of(draft.view.config, alert), alert)
    routes = [route for route in routes_of(draft.view.config, alert) if route.group_by is None]
    held = {one.route for one in before}
    if routes and (incident is None or not incident.open):
        # Somebody called it over while this was withheld: it fires on all the same, and is to be told.
        alert, incident, _ = place(draft, alert, wording.summary(alert))
    # A route of another name told nobody under a configuration of the past: it may be any of today's.
    everywhere = not held <= names
    now_open = [route for route in routes if not _closed(draft, route, alert)]
    freed = [route for route in now_open if everywhere or route.name in held]
    for one in before:
        if one.route not in names or any(route.name == one.route for route in freed):
            draft.put_withheld(Withheld(alert.id, one.route, draft.now, ()), alert.incident_id)
    answer = Answer(None, "")
    held_back = any(one.route == "" and holds_automation(one.reasons) is not None for one in before)
    if held_back and incident is not None and incident.open:
        answer = send_remedy(draft, alert, seen=seen)
    if incident is None or not now_open:
        draft.because("nothing-new", f"{alert.id} is no longer withheld where it was.", alert.id, alert.incident_id)
        return
    over = [reason for one in before if everywhere or one.route in held for reason in one.reasons]
    why = still_fires(draft, alert, over)
    draft.because("withheld-no-more", why, alert.id, incident.id)
    said = wording.joined(why, flapping)
    _tell(draft, incident, alert, {}, said, answer, now_open, freed, heard_since=over_since(draft, over))


def _reasons(draft: Draft, incident: Incident | None, alert: Alert) -> tuple[tuple[Suppression, ...], str]:
    """What speaks against telling of the alert on any route; and what is to be said of it where it flaps.

    That it flaps speaks against it only once those who know of the incident were told so: of a new incident people
    hear, of one that got worse, and of one that was withheld so far.
    """
    reasons = suppressions(draft, alert)
    flapping = flapping_of(draft.view.flap(alert.fingerprint))
    if flapping is None:
        return reasons, ""
    since, reason = flapping
    if incident is not None and incident.open and _told_that_it_flaps(draft, incident, alert, since):
        reasons = (*reasons, reason)
    return reasons, said_of(draft)


def _told_that_it_flaps(draft: Draft, incident: Incident, alert: Alert, since: int) -> bool:
    """Whether somebody was told of an episode of the alert in its incident, as severe as it is now, since it flaps."""
    told = any(one.at >= since and at_least(one.severity, alert.severity) for one in draft.view.named(alert.id))
    return told or any(
        one.created_at >= since and at_least(one.severity, alert.severity)
        for one in draft.view.notifications_of(incident.id)
        if one.kind in ("page", "update", "report")
        and one.state not in ("dead", "merged")
        and _is_of(draft, one, alert)
    )


def _is_of(draft: Draft, notice: Notification, alert: Alert) -> bool:
    about = draft.view.alert(notice.alert_id) if notice.alert_id is not None else None
    return about is None or about.fingerprint == alert.fingerprint


def _tell(
    draft: Draft,
    incident: Incident,
    alert: Alert,
    values: Mapping[str, Any],
    why: str,
    answer: Answer,
    routes: list[Route],
    afresh: list[Route],
    *,
    heard_since: int | None = None,
) -> None:
    runbook = answer.run.runbook if answer.run is not None else None
    tell_of_trouble(
        draft,
        incident,
        alert,
        sorted(routes, key=lambda route: route not in afresh),
        wording.trouble(alert, incident.id, values, wording.joined(why, answer.said), runbook),
        run=answer.run,
        held_until=answer.held_until,
        afresh=[route.name for route in afresh],
        heard_since=heard_since,
    )


def _spread(draft: Draft, alert: Alert, reasons: tuple[Suppression, ...]) -> list[Route]:
    """Have its groups tell of it, or withhold it; the routes that tell of its incident now are returned."""
    if reasons:
        withhold(draft, alert, "", reasons)
    now_open = []
    for route in routes_of(draft.view.config, alert):
        if route.group_by is not None:
            join_group(draft, route, alert)
        elif not reasons and not _closed(draft, route, alert):
            now_open.append(route)
    return now_open


def _answer(draft: Draft, alert: Alert, reasons: tuple[Suppression, ...], values: Mapping[str, Any]) -> Answer:
    held_back = holds_automation(reasons)
    if held_back is not None:
        return Answer(None, hold_back(draft, alert, Refused(held_back.kind, held_back.text)))
    return send_remedy(draft, alert, values)


def _closed(draft: Draft, route: Route, alert: Alert) -> bool:
    """Whether the route tells nobody now by the calendar; then it is withheld there."""
    reasons = route_suppressions(draft.view.config, route, draft.now)
    if reasons:
        withhold(draft, alert, route.name, reasons)
    return bool(reasons)
