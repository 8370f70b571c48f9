"""Notification groups: alerts that are told together, on the ticks of their group (Alertmanager's dispatcher)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from forewatch.alerting.alert import Alert, Labels
from forewatch.alerting.classification import labels_for_routing
from forewatch.alerting.flapping import Flap
from forewatch.alerting.group import Group
from forewatch.alerting.grouping import ALL_LABELS, Notice, group_key, group_labels, next_flush, send_reason
from forewatch.alerting.routing import Route, routes_of
from forewatch.alerting.suppression import Suppression, SuppressionKind, Withheld
from forewatch.clock import micros
from forewatch.incidents import wording
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.deciding.paging import tell_group
from forewatch.incidents.deciding.withheld_alerts import (
    flapping_of,
    one_by_one,
    route_suppressions,
    suppressions,
    withhold,
)
from forewatch.incidents.outcome import (
    AddMember,
    CancelTimers,
    DropGroup,
    DropMembers,
    PutGroup,
    PutNotice,
    SetTimer,
)

STAYS_KNOWN: frozenset[SuppressionKind] = frozenset({"inhibition", "mute_time_interval", "active_time_interval"})
"""What was told before one of these is known still when it ends, as in Alertmanager; else it is told afresh."""

MOVED = "moved to another group"
"""The reason of a notice that an alert is no longer of a group, for its labels are others."""


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
        f"{alert.id} is told with the group {key} of {route.name}, whose next tick is {wording.number(group.next_at)}."
    )
    draft.because("grouped", text, alert.id, key, alert.incident_id)


def join_new_groups(draft: Draft, routes: Iterable[Route], alert: Alert) -> None:
    """As `join_group`, for the groups of routes that a configuration since has given it."""
    known = {group.key for group in draft.view.groups_of(alert.id)}
    for route in routes:
        if route.group_by is not None and group_key(route, _labels(route, alert)) not in known:
            join_group(draft, route, alert)


def leave_groups(draft: Draft, before: Alert, now: Alert) -> None:
    """Its labels are others: the groups it is no longer in hear its end under the labels they know, as moved."""
    for group in draft.view.groups_of(before.id):
        if _route_into(draft, group.key, now) is not None:
            continue
        ended = replace(before, status="resolved", ends_at=draft.now, ended=MOVED)
        # Whoever was told of it as a member: its route may be another one, or none, by the configuration in force.
        for notifier in [one.name for one in draft.view.config.notifiers]:
            last = draft.view.last_notice(group.key, notifier)
            if last is None or before.fingerprint not in last.firing:
                continue
            known = last.firing - {before.fingerprint}
            rest = [one for one in draft.view.members(group.key) if one.fingerprint in known and one.status == "firing"]
            said = wording.of_group(group.key, group.labels, MOVED, rest, [ended])
            tell_group(draft, group, MOVED, [notifier], "page" if rest else "resolved", said)
            draft.change(PutNotice(group.key, notifier, replace(last, firing=known)))
        draft.change(DropMembers(group.key, (before.id,)))


def group_due(draft: Draft, key: str) -> None:
    """A tick: tell each notifier what is new for it, if anything is."""
    group = draft.view.group(key)
    if group is None:
        draft.because("timer-pointless", f"The group {key} has no alerts any more: nothing to do.", key)
        return
    tick = _look(draft, group)
    # The configuration or their labels lead them elsewhere now; each in a decision of its own, that sees the others'.
    draft.order(*one_by_one(draft, "reroute", [alert.id for alert in tick.strays if alert.status == "firing"]))
    if tick.route is None:
        draft.change(DropGroup(key))
        draft.order(CancelTimers(key, "group"))
        draft.because("group-dropped", f"No route leads to the group {key} any more.", key)
        return
    _tell(draft, group, tick.route, tick)
    _go_on(draft, group, tick.route, tick)


@dataclass
class _Tick:
    """What a tick finds in its group.

    `untold`: fingerprints that are to be told as new once nothing hushes them. `quiet`: those that flap, of which
    nothing more is told, so that they count as what was told of them last.
    """

    route: Route | None = None
    firing: list[Alert] = field(default_factory=list)
    resolved: list[Alert] = field(default_factory=list)
    over: list[str] = field(default_factory=list)
    staying: int = 0
    strays: list[Alert] = field(default_factory=list)
    untold: set[str] = field(default_factory=set)
    quiet: set[str] = field(default_factory=set)
    still_withheld: int = 0


def _look(draft: Draft, group: Group) -> _Tick:
    tick = _Tick()
    members = draft.view.members(group.key)
    last_of = {alert.fingerprint: alert.id for alert in members}
    # A group may have many members, so what is known of them is read at once.
    flaps, withheld = draft.view.flaps_in(group.key), draft.view.withheld_in(group.key)
    for alert in members:
        own = _route_into(draft, group.key, alert)
        if own is None:
            tick.strays.append(alert)
            tick.over.append(alert.id)
            continue
        tick.route = own
        reasons = (*suppressions(draft, alert), *_closed(draft, own))
        flap = flaps.get(alert.fingerprint)
        if not reasons and flap is not None and (quiet := _flaps_quietly(draft, group, own, flap)) is not None:
            reasons = (quiet,)
            tick.quiet.add(alert.fingerprint)
        elif any(reason.kind not in STAYS_KNOWN for reason in reasons) or (alert.status == "resolved" and reasons):
            tick.untold.add(alert.fingerprint)
        # How one that flaps ends is told once it is calm, so its last episode stays until then.
        if alert.status == "firing" or (alert.fingerprint in tick.quiet and alert.id == last_of[alert.fingerprint]):
            tick.staying += 1
        else:
            tick.over.append(alert.id)
        if alert.status == "firing":
            before = next((one for one in withheld.get(alert.id, ()) if one.route == own.name), None)
            tick.still_withheld += _record(draft, own, alert, before, reasons)
        if not reasons:
            (tick.firing if alert.status == "firing" else tick.resolved).append(alert)
    if tick.still_withheld:
        draft.because("still-withheld", f"{tick.still_withheld} of its alerts are withheld as before.", group.key)
    return tick


def _closed(draft: Draft, route: Route) -> tuple[Suppression, ...]:
    return draft.once(("closed", route.name), lambda: route_suppressions(draft.view.config, route, draft.now))


def _flaps_quietly(draft: Draft, group: Group, route: Route, flap: Flap) -> Suppression | None:
    """The reason that it flaps, where somebody was told of it in this group and not too long before it did."""
    flapping = flapping_of(flap)
    if flapping is None:
        return None
    since, reason = flapping[0] - micros(draft.view.config.flapping.within), flapping[1]
    notices = [_last_notice(draft, group, notifier) for notifier in route.notify]
    told = any(
        flap.fingerprint in last.firing or (flap.fingerprint in last.resolved and last.at >= since)
        for last in notices
        if last is not None
    )
    return reason if told else None


def _last_notice(draft: Draft, group: Group, notifier: str) -> Notice | None:
    return draft.once(("notice", group.key, notifier), lambda: draft.view.last_notice(group.key, notifier))


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


def _record(
    draft: Draft, route: Route, alert: Alert, before: Withheld | None, reasons: tuple[Suppression, ...]
) -> bool:
    """Store why the notice leaves a firing alert out, under its route. Whether that is as it was."""
    if before is not None and before.reasons == reasons:
        return True
    if reasons:
        withhold(draft, alert, route.name, reasons, review=False)
    elif before is not None:
        draft.put_withheld(Withheld(alert.id, route.name, draft.now, ()), alert.incident_id)
    return False


def _tell(draft: Draft, group: Group, route: Route, tick: _Tick) -> None:
    fires = frozenset(alert.fingerprint for alert in tick.firing)
    # An alert that came again since it was over is firing, and no more.
    over = frozenset(alert.fingerprint for alert in tick.resolved) - fires
    ended = [alert for alert in tick.resolved if alert.fingerprint in over]
    untold = frozenset(tick.untold) - fires
    for notifier in route.notify:
        last = _last_notice(draft, group, notifier)
        if last is not None and last.firing & untold:
            last = replace(last, firing=last.firing - untold)
            draft.change(PutNotice(group.key, notifier, last))
        known = last if last is not None else Notice(draft.now, frozenset(), frozenset())
        now = Notice(draft.now, fires | tick.quiet & known.firing, over | tick.quiet & known.resolved)
        # With everything hushed nothing is said: that it does not show is no sign that it is over.
        reason = send_reason(now.firing, now.resolved, last, route.repeat_interval, now.at) if fires or over else None
        if reason is None:
            draft.because("nothing-new", f"Nothing is new for {notifier} in the group {group.key}.", group.key)
            continue
        said = wording.of_group(group.key, group.labels, reason, tick.firing, ended)
        kind = "resolved" if not fires else "report" if said["severity"] == "info" else "page"
        tell_group(draft, group, reason, [notifier], kind, said)
        draft.change(PutNotice(group.key, notifier, now))


def _go_on(draft: Draft, group: Group, route: Route, tick: _Tick) -> None:
    """Who is over leaves; the group lives on as long as it has members."""
    draft.order(CancelTimers(group.key, "group"))
    if not tick.staying:
        draft.change(DropGroup(group.key))
        return
    if tick.over:
        draft.change(DropMembers(group.key, tuple(tick.over)))
    due = next_flush(group.created_at, True, group.created_at, draft.now, route, draft.now)
    draft.change(PutGroup(replace(group, route=route.name, flushed_at=draft.now, next_at=due)))
    draft.order(SetTimer("group", group.key, due))
