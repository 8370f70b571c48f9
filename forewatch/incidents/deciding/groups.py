"""Notification groups: alerts that are told together, on the ticks of their group (Alertmanager's dispatcher)."""

from __future__ import annotations

from dataclasses import replace

from forewatch.alerting.alert import Alert, Labels
from forewatch.alerting.classification import labels_for_routing
from forewatch.alerting.group import Group
from forewatch.alerting.grouping import ALL_LABELS, Notice, group_key, group_labels, next_flush, send_reason
from forewatch.alerting.routing import Route, routes_of
from forewatch.alerting.suppression import Suppression, Withheld
from forewatch.incidents import telling
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.deciding.paging import tell_group
from forewatch.incidents.deciding.withholding import route_suppressions, suppressions, withhold
from forewatch.incidents.outcome import (
    AddMember,
    CancelTimers,
    DropGroup,
    DropMembers,
    PutGroup,
    PutNotice,
    PutWithheld,
    SetTimer,
)


def join_group(draft: Draft, route: Route, alert: Alert) -> None:
    """The alert becomes a member of its group on the route, which is told on its next tick."""
    labels = _labels(route, alert)
    key = group_key(route, labels)
    group = draft.view.group(key)
    if group is None:
        due = next_flush(draft.now, False, alert.starts_at, None, route, draft.now)
        group = Group(key, route.name, group_labels(route, labels), draft.now, due)
        draft.change(PutGroup(group))
        draft.order(SetTimer("group", key, due))
    elif group.flushed_at is None:
        due = next_flush(group.created_at, False, alert.starts_at, None, route, draft.now)
        if due < group.next_at:
            group = replace(group, next_at=due)
            draft.change(PutGroup(group))
            draft.order(CancelTimers(key, "group"), SetTimer("group", key, due))
    draft.change(AddMember(key, alert.id))
    text = (
        f"{alert.id} is told with the group {key} of {route.name}, whose next tick is {telling.number(group.next_at)}."
    )
    draft.because("grouped", text, alert.id, key, alert.incident_id)


def group_due(draft: Draft, key: str) -> list[Alert]:
    """A tick: tell each notifier what is new for it, if anything is. Returns firing alerts that belong here no more."""
    group = draft.view.group(key)
    if group is None:
        draft.because("timer-pointless", f"The group {key} has no alerts any more: nothing to do.", key)
        return []
    route: Route | None = None
    firing: list[Alert] = []
    resolved: list[Alert] = []
    gone: list[Alert] = []
    strays: list[Alert] = []
    for alert in draft.view.members(key):
        own = _route_into(draft, key, alert)
        if own is None:
            strays.append(alert)
            continue
        route = own
        if alert.status == "resolved":
            gone.append(alert)
            if not _hushed(draft, own, alert):
                resolved.append(alert)
        elif not _withheld(draft, own, alert):
            firing.append(alert)
    over = tuple(alert.id for alert in (*gone, *strays))
    if route is not None:
        _tell(draft, group, route, firing, resolved)
        _go_on(draft, group, route, over)
    else:
        draft.change(DropGroup(key))
        draft.order(CancelTimers(key, "group"))
        draft.because("group-dropped", f"No route leads to the group {key} any more.", key)
    return [alert for alert in strays if alert.status == "firing"]


def _route_into(draft: Draft, key: str, alert: Alert) -> Route | None:
    """The route that leads the alert here, unless the configuration has changed since."""
    return next(
        (
            route
            for route in routes_of(draft.view.config, alert)
            if route.group_by is not None and group_key(route, _labels(route, alert)) == key
        ),
        None,
    )


def _labels(route: Route, alert: Alert) -> Labels:
    """What it is grouped by: its own labels where all count, or its receiver would read some it never had."""
    return alert.labels if ALL_LABELS in (route.group_by or ()) else labels_for_routing(alert)


def _hushed(draft: Draft, route: Route, alert: Alert) -> tuple[Suppression, ...]:
    return (*suppressions(draft, alert), *route_suppressions(draft.view.config, route, draft.now))


def _withheld(draft: Draft, route: Route, alert: Alert) -> bool:
    """Whether the notice leaves a firing alert out, by reasons stored under its route."""
    reasons = _hushed(draft, route, alert)
    if reasons:
        withhold(draft, alert, route.name, reasons, review=False)
    elif any(one.route == route.name for one in draft.view.withheld(alert.id)):
        draft.change(PutWithheld(Withheld(alert.id, route.name, draft.now, ()), alert.incident_id))
    return bool(reasons)


def _tell(draft: Draft, group: Group, route: Route, firing: list[Alert], resolved: list[Alert]) -> None:
    fires = frozenset(alert.fingerprint for alert in firing)
    # An alert that came again since it was over is firing, and no more.
    over = frozenset(alert.fingerprint for alert in resolved) - fires
    for notifier in route.notify:
        last = draft.view.last_notice(group.key, notifier)
        reason = send_reason(fires, over, last, route.repeat_interval, draft.now)
        if reason is None:
            draft.because("nothing-new", f"Nothing is new for {notifier} in the group {group.key}.", group.key)
            continue
        ended = [alert for alert in resolved if alert.fingerprint in over]
        said = telling.of_group(group.key, group.labels, reason, firing, ended)
        kind = "resolved" if not firing else "report" if said["severity"] == "info" else "page"
        tell_group(draft, group, reason, [notifier], kind, said)
        draft.change(PutNotice(group.key, notifier, Notice(draft.now, fires, over)))


def _go_on(draft: Draft, group: Group, route: Route, over: tuple[str, ...]) -> None:
    """Who is over leaves; the group lives on as long as it has members."""
    left = [alert for alert in draft.view.members(group.key) if alert.id not in over]
    if not left:
        draft.change(DropGroup(group.key))
        draft.order(CancelTimers(group.key, "group"))
        return
    if over:
        draft.change(DropMembers(group.key, over))
    due = next_flush(group.created_at, True, group.created_at, draft.now, route, draft.now)
    draft.change(PutGroup(replace(group, route=route.name, flushed_at=draft.now, next_at=due)))
    draft.order(CancelTimers(group.key, "group"), SetTimer("group", group.key, due))
