"""Who must have been told, and that nobody was told without a reason, or twice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from chronicle import named_in
from ledger import Ledger
from simulated_world import World

from forewatch.alerting.alert import Alert
from forewatch.alerting.classification import labels_for_routing
from forewatch.alerting.grouping import group_key
from forewatch.alerting.notification import Notification
from forewatch.alerting.routing import Route, routes_of
from forewatch.alerting.silence import Silence
from forewatch.clock import micros
from forewatch.config.models import Config
from forewatch.incidents.wording import NOT_YOURS

_NEWS = frozenset(
    {
        "withheld-no-more",
        "got-worse",
        "grouped",
        "flaps",
        "flaps-otherwise",
        "stays-down",
        "merged",
        "split",
        "relabelled",
    }
)
"""Reasons to page of an alert once more."""
TICK = 12.0
"""Seconds from one tick of a group to the next, with the look that finds it due."""


def untold(world: World, ledger: Ledger) -> Iterator[str]:
    """Whoever is to hear of an alert has heard, by the receivers' own record, or it is written why not."""
    received = {one.notification.id for one in world.received}
    received |= {id for id, notice in ledger.outbox.items() if _sent_as(notice) in received}
    first = _first_decisions(ledger)
    relabelled = _relabelled(ledger)
    excused = _ever_withheld(ledger)
    for notice in ledger.outbox.values():
        if notice.state == "sent" and notice.id not in received:
            yield f"{notice.id} counts as sent and was received by nobody"
        if notice.state == "sent" and notice.receipt is None:
            yield f"{notice.id} counts as sent and has no receipt"
    _, newest = world.newest
    for alert in ledger.alerts.values():
        if alert.id not in first:
            yield f"{alert.id} has no decision that raised it"
            continue
        version, raised = first[alert.id]
        then = ledger.configs[version]
        if alert.status == "firing":
            yield from _untold_while_firing(ledger, alert, then, newest, received)
        elif alert.severity == "critical":
            for route in routes_of(then, raised if alert.id in relabelled else alert):
                if route.group_by is None and not {"", route.name} & excused[alert.id]:
                    yield from _unpaged(ledger, alert, route, received)
    yield from _wrongly_withheld(ledger, newest)


def _untold_while_firing(
    ledger: Ledger, alert: Alert, then: Config, newest: Config, received: set[str]
) -> Iterator[str]:
    incident = ledger.incidents.get(str(alert.incident_id))
    for route in routes_of(newest, alert):
        hushed = (alert.id, "") in ledger.withheld or (alert.id, route.name) in ledger.withheld
        if route.group_by is not None:
            if any(one.key == route.key for one in routes_of(then, alert)):
                yield from _untold_group(ledger, alert, route, hushed, received)
        elif not hushed and incident is not None and incident.open and then is newest:
            yield from _unpaged(ledger, alert, route, received)


def _untold_group(ledger: Ledger, alert: Alert, route: Route, hushed: bool, received: set[str]) -> Iterator[str]:
    key = group_key(route, labels_for_routing(alert))
    if (key, alert.id) not in ledger.members or key not in ledger.groups:
        yield f"{alert.id} fires and is no member of its group {key}"
        return
    for notifier in route.notify:
        told = alert.fingerprint in ledger.notices.get((key, notifier), frozenset())
        if hushed:
            continue
        if not told:
            yield f"{notifier} was not told that {alert.id} fires in the group {key}"
        elif not any(
            one["fingerprint"] == alert.fingerprint and one["status"] == "firing"
            for notice in ledger.outbox.values()
            if notice.notifier == notifier and notice.id in received
            for one in notice.content.get("alerts", ())
        ):
            yield f"{notifier} counts as told that {alert.id} fires and has received nothing that says so"


def _unpaged(ledger: Ledger, alert: Alert, route: Route, received: set[str]) -> Iterator[str]:
    """What fires is named to everybody; of what is over they have heard at least what became of it."""
    incidents = {alert.incident_id, *_merged_into(ledger, alert)}
    for notifier in route.notify:
        heard = [one for one in ledger.outbox.values() if one.notifier == notifier and one.id in received]
        if alert.status == "firing":
            told = any(alert.id in named_in(one.kind, one.alert_id, one.content) for one in heard)
        else:
            told = any(incidents.intersection(_incidents_of(one)) for one in heard)
        if not told:
            yield f"{notifier} was never told of {alert.id} ({alert.severity}, {alert.incident_id}, {alert.status})"


def _incidents_of(notice: Notification) -> list[str | None]:
    """The incidents a notification tells of. A notice of a group tells of alerts, whatever these are part of."""
    of_incidents = notice.content.get("incidents") if "receiver" not in notice.content else None
    return of_incidents or [notice.incident_id]


def _merged_into(ledger: Ledger, alert: Alert) -> list[str]:
    """Incidents the alert has been in before people merged or split them."""
    return [
        str(change["alert"]["incident_id"])
        for decision in ledger.decisions
        for change in decision.changes
        if change["type"] == "PutAlert" and change["alert"]["id"] == alert.id
    ]


def _wrongly_withheld(ledger: Ledger, newest: Config) -> Iterator[str]:
    """What is withheld fires, and every reason given is true now."""
    firing = {alert.id for alert in ledger.alerts.values() if alert.status == "firing"}
    tick = ledger.now - micros(TICK)
    # When that was decided counts, not the end its sender had named.
    lately = firing | {alert.id for alert in ledger.alerts.values() if alert.ends_at and alert.updated_at > tick}
    for (alert_id, route), reasons in ledger.withheld.items():
        if alert_id not in firing:
            yield f"{alert_id} is withheld and does not fire"
        if not reasons:
            yield f"{alert_id} is withheld on {route or 'all routes'} for no reason"
        incident = ledger.incidents.get(str(ledger.alerts[alert_id].incident_id))
        if incident is None or not incident.open:
            continue  # of what a person called over nobody is told anyway
        since = tick if route else ledger.now  # a group looks again on its ticks only
        active = {one.id for one in ledger.silences if one.starts_at <= ledger.now and one.ends_at >= since}
        for reason in reasons:
            match reason["kind"]:
                case "silence" | "maintenance":
                    good = reason["by"] in active
                case "dependency" if reason["until"] is not None:  # it has recovered, and this is being checked again
                    good = reason["until"] > since
                case "inhibition" | "dependency":
                    good = reason["by"] in (lately if route else firing)
                case "flapping":
                    good = reason["by"] in ledger.flapping
                case _:
                    good = reason["until"] is None or reason["until"] > since
            if reason["kind"] == "inhibition" and _hushes(ledger, alert_id, reason["by"]):
                yield f"{alert_id} and {reason['by']} inhibit each other, so nobody is told of either"
            if not good:
                yield f"{alert_id} is withheld on {route or 'all routes'} for what is over: {reason['text']}"


def _hushes(ledger: Ledger, source: str, target: str) -> bool:
    return any(
        reason["kind"] == "inhibition" and reason["by"] == source
        for (alert_id, _), reasons in ledger.withheld.items()
        if alert_id == target
        for reason in reasons
    )


def doubled(world: World, ledger: Ledger) -> Iterator[str]:
    """Nobody is paged twice for one alert, unless there is news. The same id twice is the wire's doing."""
    for one in world.received:
        id = one.notification.id
        if id not in ledger.outbox and not id.startswith("NT-direct"):
            yield f"{one.notifier} received {id}, which was never decided"
    news = Counter(
        subject
        for decision in ledger.decisions
        for reason in decision.reasons
        if reason["code"] in _NEWS
        for subject in reason["subjects"]
    )
    pages = Counter(
        (alert_id, notice.notifier)
        for notice in ledger.outbox.values()
        if notice.kind == "page" and notice.state not in ("held", "merged") and "receiver" not in notice.content
        for alert_id in named_in(notice.kind, notice.alert_id, notice.content)
    )
    returned = _given_up(ledger)
    for (alert_id, notifier), count in pages.items():
        if count > 1 + news[str(alert_id)] + returned[str(alert_id), notifier]:
            yield f"{notifier} is paged {count} times for {alert_id}"
    for decision in ledger.decisions:
        for notifier in ledger.observations[decision.seq].event.get("told_directly", ()):
            for effect in decision.effects:
                if effect["type"] == "Notify" and effect["kind"] == "page" and effect["notifier"] == notifier:
                    yield f"{effect['id']} pages {notifier} of what it was paged of without the store"
    told: dict[tuple[str | None, str], str] = {}
    for notice in sorted(ledger.outbox.values(), key=lambda notice: notice.created_at):
        for incident_id in _incidents_of(notice):
            before = told.get((incident_id, notice.notifier))
            over = notice.kind == "resolved" and notice.content.get("ended") != NOT_YOURS
            if over and len(_incidents_of(notice)) > 1:
                # Beside the end of others it may say that this one is not theirs any more.
                incident = ledger.incidents[incident_id]
                over = incident.resolved_at is not None and incident.resolved_at <= notice.created_at
            # Of a service that is well again while its incident goes on, and fails anew, people hear anew.
            if over and before == "resolved" and incident_id is not None:
                yield f"{notice.notifier} is told twice that {incident_id} is over, and of nothing between"
            if over or notice.kind in ("page", "update", "failure", "report"):
                told[incident_id, notice.notifier] = notice.kind


def told_without_reason(ledger: Ledger) -> Iterator[str]:
    """Every notification was decided once, with a reason that names it; what it pages of fires and is not silenced."""
    decided: defaultdict[str, int] = defaultdict(int)
    alerts: dict[str, dict[str, Any]] = {}
    silences: dict[str, Any] = {}
    for decision in ledger.decisions:
        for change in decision.changes:
            if change["type"] == "PutAlert":
                alerts[change["alert"]["id"]] = change["alert"]
            elif change["type"] == "PutSilence":
                silences[change["silence"]["id"]] = change["silence"]
        named = {subject for reason in decision.reasons for subject in reason["subjects"]}
        for effect in decision.effects:
            if effect["type"] == "Release" and effect["notification_id"] not in named:
                yield f"{effect['notification_id']} was released without a reason that names it"
            if effect["type"] not in ("Notify", "RecordSent"):
                continue
            decided[effect["id"]] += 1
            if effect["id"] not in named:
                yield f"{effect['id']} was decided without a reason that names it"
            if effect["kind"] == "resolved" and "receiver" in effect["content"] and not effect["content"]["alerts"]:
                yield f"{effect['id']} gives word of a recovery and names no alert that is over"
            if effect["kind"] != "page" or effect["type"] == "RecordSent":
                continue
            for alert_id in _pages_of(effect):
                alert = alerts.get(alert_id)
                flaps = "It is flapping" in effect["content"]["text"]
                if alert is None or (alert["status"] != "firing" and not flaps):
                    yield f"{effect['id']} pages of {alert_id}, which does not fire"
                elif by := _silenced(alert, silences, decision.at):
                    yield f"{effect['id']} pages of {alert_id} at {decision.at}, which {by} silences until then"
    for notice in ledger.outbox.values():
        if decided[notice.id] != 1:
            yield f"{notice.id} was decided {decided[notice.id]} times"


def _sent_as(notice: Any) -> str:
    """The id under which it left, where that was directly, without the store."""
    detail = str((notice.receipt or {}).get("detail", ""))
    return detail.removeprefix("sent directly as ") if detail.startswith("sent directly as ") else ""


def _pages_of(effect: dict[str, Any]) -> list[str]:
    if effect["alert_id"] is not None:
        return [effect["alert_id"]]
    return [one["id"] for one in effect["content"].get("alerts", ()) if one["status"] == "firing"]


def _silenced(alert: dict[str, Any], silences: dict[str, Any], at: int) -> str | None:
    for silence in silences.values():
        agrees = all(alert["labels"].get(one["name"]) == one["value"] for one in _matchers(silence))
        if agrees and silence["starts_at"] <= at <= silence["ends_at"]:
            return str(silence["id"])
    return None


def _matchers(silence: dict[str, Any] | Silence) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = silence["matchers"]  # type: ignore[index]
    return found


def _first_decisions(ledger: Ledger) -> dict[str, tuple[int, Alert]]:
    """Alert id -> the configuration version under which it was raised, and what it was then."""
    found: dict[str, tuple[int, Alert]] = {}
    for decision in ledger.decisions:
        for change in decision.changes:
            if change["type"] == "PutAlert" and change["alert"]["id"] not in found:
                found[change["alert"]["id"]] = decision.config_version, Alert(**change["alert"])
    return found


def _given_up(ledger: Ledger) -> Counter[tuple[str, str]]:
    """How often a receiver was told of an alert that it is theirs no more: when it is again, they hear of it again."""
    return Counter(
        (change["alert_id"], change["notifier"])
        for decision in ledger.decisions
        for change in decision.changes
        if change["type"] == "Unname" and any(reason["code"] == "rerouted" for reason in decision.reasons)
    )


def _relabelled(ledger: Ledger) -> set[str]:
    """Alerts that a configuration gave other labels, while its incident was over perhaps: of then these say nothing."""
    return {
        subject
        for decision in ledger.decisions
        for reason in decision.reasons
        if reason["code"] == "relabelled"
        for subject in reason["subjects"]
    }


def _ever_withheld(ledger: Ledger) -> defaultdict[str, set[str]]:
    """Alert id -> routes on which it was withheld at some time, with reasons in the record."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for decision in ledger.decisions:
        for change in decision.changes:
            if change["type"] == "PutWithheld" and change["withheld"]["reasons"]:
                found[change["withheld"]["alert_id"]].add(change["withheld"]["route"])
    return found
