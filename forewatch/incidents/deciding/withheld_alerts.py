"""Why somebody is not told of an alert that fires, and looking again once that may be over.

Reasons that hold for every route: a silence, planned maintenance, inhibition, a failing dependency, flapping. Reasons
of one route: its mute and active times. Each is stored with the alert, and each brings a review when it ends: with a
time of its own through a timer, with an alert or a silence when that ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from forewatch.alerting.alert import Alert, at_least
from forewatch.alerting.classification import labels_for_routing
from forewatch.alerting.compiled import Compiled
from forewatch.alerting.flapping import Flap
from forewatch.alerting.inhibition import InhibitionRule, equalities, inhibition_rules, inhibits
from forewatch.alerting.matchers import matches
from forewatch.alerting.routing import Route, routes_of
from forewatch.alerting.silence import Silence, over_at
from forewatch.alerting.suppression import HOLDS_AUTOMATION, Suppression, Withheld
from forewatch.alerting.times import next_change, within
from forewatch.clock import iso, micros
from forewatch.config.models import Config, Times
from forewatch.incidents import wording
from forewatch.incidents.deciding.correlation import graph_of
from forewatch.incidents.deciding.dependencies import SPREADS
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.outcome import CancelTimers, SetTimer
from forewatch.remedy.verdict import Refused

TIMERS_A_SECOND = 50
LOOKS_AGAIN = 900.0
"""Seconds after which what is withheld is looked at again, whatever it rests on."""


def suppressions(draft: Draft, alert: Alert) -> tuple[Suppression, ...]:
    """Why nobody is notified of the alert now, on any route. Flapping is apart, see `flapping_of`: it counts only for
    receivers who were told of it."""
    labels = labels_for_routing(alert)
    return (
        *_silenced(draft, labels),
        *_maintained(draft, alert),
        *_inhibited(draft, alert, labels),
        *_explained(draft, alert),
    )


def flapping_of(flap: Flap | None) -> tuple[int, Suppression] | None:
    """Since when an alert flaps, and the reason this is to say no more of it; None where it does not."""
    if flap is None or flap.flapping_since is None:
        return None
    text = f"it has been flapping since {iso(flap.flapping_since)}, and people were notified of that"
    return flap.flapping_since, Suppression("flapping", flap.fingerprint, text)


def route_suppressions(config: Config, route: Route, now: int) -> tuple[Suppression, ...]:
    """Why a route tells nobody now, by the calendar."""
    found: list[Suppression] = []
    for name in route.mute:
        times = times_of(config)[name]
        if within(times, now):
            found.append(Suppression("mute_time_interval", name, f"{route.name} is mute in {name}", _end(times, now)))
    if route.active and not any(within(times_of(config)[name], now) for name in route.active):
        names = ", ".join(route.active)
        ends = [end for name in route.active if (end := _end(times_of(config)[name], now)) is not None]
        text = f"{route.name} notifies only in {names}"
        found.append(Suppression("active_time_interval", route.active[0], text, min(ends, default=None)))
    return tuple(found)


def silenced_by(silence: Silence) -> Suppression:
    """The reason a silence gives."""
    what = "silenced" if silence.kind == "silence" else "under maintenance"
    text = f"{what} by {silence.created_by} until {iso(silence.ends_at)} ({silence.comment})"
    return Suppression(silence.kind, silence.id, text, over_at(silence))


def holds_automation(reasons: Sequence[Suppression]) -> Suppression | None:
    """The reason for which no remedy may act either."""
    return next((reason for reason in reasons if reason.kind in HOLDS_AUTOMATION), None)


def held_back_from_acting(draft: Draft, alert: Alert) -> Refused | None:
    """The reason to notify nobody that also keeps a remedy from acting. A failing dependency is judged elsewhere: it
    counts for a remedy even where nobody is notified of it."""
    reasons = [reason for reason in suppressions(draft, alert) if reason.kind != "dependency"]
    found = holds_automation(reasons)
    return Refused(found.kind, found.text) if found is not None else None


def withhold(draft: Draft, alert: Alert, route: str, reasons: tuple[Suppression, ...], *, review: bool = True) -> None:
    """Store why, and look again when the first reason ends by itself; a group needs no `review`, it has its ticks."""
    before = next((one for one in draft.view.withheld(alert.id) if one.route == route), None)
    since = before.since if before is not None else draft.now
    draft.put_withheld(Withheld(alert.id, route, since, reasons), alert.incident_id)
    why = "; ".join(reason.text for reason in reasons)
    who = "nobody" if not route else f"nobody on {route}"
    if before is None or before.reasons != reasons:
        text = wording.sentence(f"{who.capitalize()} is notified of {wording.named(alert)}: {why}")
        subjects = dict.fromkeys(reason.by for reason in reasons)
        draft.because(reasons[0].kind.replace("_", "-"), text, alert.id, alert.incident_id, *subjects)
        draft.log(alert.incident_id, "withheld", text, alert=alert.id)
    else:
        draft.because(
            "still-withheld", f"{wording.named(alert)} is still withheld: {why}.", alert.id, alert.incident_id
        )
    if not review:
        return
    ends = [reason.until for reason in reasons if reason.until is not None]
    if ends:
        # All timers of one alert's reviews are one: it looks at every route.
        draft.order(SetTimer("review", alert.id, max(min(ends), draft.now)))
    if len(ends) < len(reasons):
        # What has no end of its own may go unnoticed, as with a new configuration.
        again = draft.now + micros(LOOKS_AGAIN)
        draft.order(CancelTimers(alert.id, "recheck"), SetTimer("recheck", alert.id, again))


def forget_withheld(draft: Draft, alert: Alert) -> None:
    """The alert is over: nothing is withheld of it any more."""
    for one in draft.view.withheld(alert.id):
        draft.put_withheld(Withheld(alert.id, one.route, one.since, ()), alert.incident_id)
    draft.order(CancelTimers(alert.id, "review"), CancelTimers(alert.id, "recheck"))


def look_again(draft: Draft, subject: str, *, outside: str | None = None, first: Sequence[str] = ()) -> None:
    """What a silence, an alert or the like withheld is to be looked at again, now that it ends: one review each.

    `outside`: of the alerts of other incidents than this only. `first`: these before the others, in this order.
    """
    found = draft.view.withheld_by(subject)
    if outside is not None:
        alerts = [draft.view.alert(alert_id) for alert_id in found]
        found = [alert.id for alert in alerts if alert is not None and alert.incident_id != outside]
    place = {alert_id: number for number, alert_id in enumerate(first)}
    found.sort(key=lambda alert_id: place.get(alert_id, len(place)))
    draft.order(*one_by_one(draft, "review", found))


CONFIGURATION_READ_WITHIN = 2.0
"""Seconds in which every process has read a new configuration: each looks twice a second. Whoever decides sooner may
still go by the one before."""


def one_by_one(draft: Draft, kind: str, alert_ids: Iterable[str], *, after: float = 0.0) -> list[SetTimer]:
    """A timer each, a few a second from `after` seconds on: ten thousand at once would keep waiting what comes due
    meanwhile."""
    return [SetTimer(kind, one, draft.now + micros(after + i // TIMERS_A_SECOND)) for i, one in enumerate(alert_ids)]


def over_since(draft: Draft, reasons: Iterable[Suppression]) -> int:
    """Since when none of these reasons holds; from now where that is not known."""
    return max((_ended(draft, reason) for reason in reasons), default=draft.now)


def is_told(draft: Draft, alert: Alert) -> bool:
    """Whether people have a firing alert before them: its incident is open, nothing but a dependency of its own speaks
    against it on all its routes, and it was named to somebody, is held for a remedy, or its group tells of it."""
    incident = draft.view.incident(alert.incident_id) if alert.incident_id is not None else None
    if incident is None or not incident.open:
        return False
    hushed = {
        one.route for one in draft.view.withheld(alert.id) if any(reason.kind != "dependency" for reason in one.reasons)
    }
    if "" in hushed:
        return False
    if draft.view.named(alert.id):
        return True
    if any(alert.id in one.content.get("named", ()) for one in draft.view.held_in(incident.id)):
        return True
    return any(
        # A group says what is mute on its ticks only, the calendar knows it before.
        route.group_by is not None
        and route.notify
        and route.name not in hushed
        and not route_suppressions(draft.view.config, route, draft.now)
        for route in routes_of(draft.view.config, alert)
    )


@Compiled
def times_of(config: Config) -> dict[str, Times]:
    """Named times by their name."""
    return {times.name: times for times in config.times}


def _silenced(draft: Draft, labels: dict[str, str]) -> list[Suppression]:
    return [silenced_by(one) for one in draft.view.silences_on(labels, draft.now)]


def _maintained(draft: Draft, alert: Alert) -> list[Suppression]:
    config = draft.view.config
    service = config.service(alert.service)
    if service is None:
        return []
    return [
        Suppression("maintenance", name, f"{alert.service} is in planned maintenance ({name})", _end(times, draft.now))
        for name in service.maintenance
        if within(times := times_of(config)[name], draft.now)
    ]


def _inhibited(draft: Draft, alert: Alert, labels: dict[str, str]) -> list[Suppression]:
    for rule in inhibition_rules(draft.view.config):
        if not matches(rule.target, labels):
            continue
        # Targets that agree in these have the same sources, and there may be many of them in a group.
        equal = equalities(rule, labels)
        alike = (rule.name, matches(rule.source, labels), *sorted(equal.items()))
        source = draft.once(alike, partial(_source, draft, rule, equal, labels))
        if source is not None and source.id != alert.id:
            return [Suppression("inhibition", source.id, f"inhibited by {wording.named(source)}")]
    return []


def _source(draft: Draft, rule: InhibitionRule, equal: dict[str, str], labels: dict[str, str]) -> Alert | None:
    found = draft.view.firing_where(equal)
    return next((source for source in found if inhibits(rule, labels_for_routing(source), labels)), None)


def _explained(draft: Draft, alert: Alert) -> list[Suppression]:
    """A dependency fails as badly, and people are told of that: this is its echo."""
    if alert.classification not in SPREADS:
        return []
    dependencies = graph_of(draft.view.config).dependencies(alert.service)
    if not dependencies:
        return []
    for cause in draft.once(("causes", dependencies), partial(_causes, draft, dependencies)):
        if (
            cause.classification in SPREADS
            and (draft.alert_now(cause.id) or cause).status == "firing"
            and at_least(cause.severity, alert.severity)
            # Checks have their own beats, so the echo may be heard first; what begins much later is no cause.
            and cause.starts_at <= alert.starts_at + micros(draft.view.config.correlation.within)
            and draft.once(("is_told", cause.id), partial(is_told, draft, cause))
        ):
            text = f"{alert.service} depends on {cause.service}, which fails: {wording.named(cause)}"
            return [Suppression("dependency", cause.id, text)]
    return []


def _causes(draft: Draft, dependencies: Sequence[str]) -> list[Alert]:
    """What fires of these services, the deepest first: what stands on another one may be an echo itself."""
    firing = draft.view.firing_of(dependencies)
    services = {alert.service for alert in firing}
    graph = graph_of(draft.view.config)
    return sorted(firing, key=lambda alert: len(services.intersection(graph.dependencies(alert.service))))


def _end(times: Times, now: int) -> int | None:
    return next_change(times, now)


def _ended(draft: Draft, reason: Suppression) -> int:
    if reason.kind in ("silence", "maintenance") and (silence := draft.view.silence(reason.by)) is not None:
        return over_at(silence)
    if reason.kind in ("inhibition", "dependency") and (source := draft.view.alert(reason.by)) is not None:
        return source.updated_at + 1 if source.status == "resolved" else draft.now
    return reason.until if reason.until is not None else draft.now
