"""Who would be told of an alert with some labels, when, and why nobody else: what `forewatch routes` answers.

Asked of the very code that decides, on an alert that is never stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from forewatch.alerting.alert import SEVERITIES, Alert, Labels, Severity
from forewatch.alerting.classification import classify, labels_for_routing
from forewatch.alerting.fingerprint import fingerprint
from forewatch.alerting.grouping import group_key
from forewatch.alerting.matchers import Matcher
from forewatch.alerting.routing import Route, Shown, Step, all_routes, way
from forewatch.alerting.suppression import Suppression
from forewatch.config.models import Config
from forewatch.incidents import wording
from forewatch.incidents.deciding.alerts import UNNAMED_SERVICE
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.deciding.withheld_alerts import route_suppressions, suppressions
from forewatch.remedy.choose import choose
from forewatch.store.view import StoreView
from forewatch.units import format_duration

_INDENT = "  "


@dataclass(frozen=True)
class Told:
    """`routes` with why each tells nobody now (nothing: it does); `reasons` hold for all of them."""

    alert: Alert
    steps: tuple[Step, ...]
    routes: tuple[tuple[Route, tuple[Suppression, ...]], ...]
    reasons: tuple[Suppression, ...]

    @property
    def why_not(self) -> list[Suppression]:
        """All that keeps somebody from being told."""
        return [*self.reasons, *(reason for _, why in self.routes for reason in why)]


def who_is_told(conn: Connection, config: Config, labels: Labels, now: int) -> Told:
    """Who would be told of an alert with these labels that fires at `now`, by the store as it is."""
    alert = alert_of(labels, now)
    steps = way(config, labels_for_routing(alert))
    chosen = [step.route for step in steps if step.chosen]
    reasons = suppressions(Draft(StoreView(conn, config), now), alert)
    return Told(alert, tuple(steps), tuple((one, route_suppressions(config, one, now)) for one in chosen), reasons)


def alert_of(labels: Labels, now: int) -> Alert:
    """The alert these labels would be, as it would come in."""
    severity: Severity = next((severity for severity in SEVERITIES if severity == labels.get("severity")), "critical")
    return Alert(
        id="this alert",
        fingerprint=fingerprint(labels),
        labels=labels,
        annotations={},
        service=labels.get("service") or UNNAMED_SERVICE,
        severity=severity,
        status="firing",
        starts_at=now,
        ends_at=None,
        updated_at=now,
        incident_id=None,
        classification=classify(labels, {}, None),
    )


def told_lines(told: Told, config: Config) -> list[str]:
    """The way through the tree, then who is told of it, how and when, or why nobody is."""
    alert = told.alert
    lines = [
        f"It counts as {alert.severity}, {alert.classification}, of the service {alert.service}.",
        "",
        *(_step(step) for step in told.steps),
        "",
    ]
    lines += [f"Nobody is notified now: {reason.text}." for reason in told.reasons]
    for route, why in told.routes:
        lines += list(_route(route, why, alert, config, bool(told.reasons)))
    return lines


def tree_lines(config: Config) -> list[str]:
    """The whole tree, a line a route."""
    lines = []
    for shown in all_routes(config):
        route = shown.route
        parts = [f"{route.name} {_matchers(shown.matchers)}".rstrip(), f"notifies {_names(route)}", _timing(shown)]
        parts += [f"mute in {', '.join(route.mute)}"] if route.mute else []
        parts += [f"only in {', '.join(route.active)}"] if route.active else []
        lines.append(_INDENT * shown.depth + ", ".join(filter(None, parts)))
    return lines


def _step(step: Step) -> str:
    said = "matches" if step.matched else "does not match"
    if step.matched and step.goes_on:
        said += ", and the next ones are tried as well"
    if step.chosen:
        said += f": it notifies {_names(step.route)}"
    return _INDENT * step.depth + f"{step.route.name} {_matchers(step.matchers)}".rstrip() + f" {said}"


def _route(route: Route, why: tuple[Suppression, ...], alert: Alert, config: Config, withheld: bool) -> Iterator[str]:
    names = _names(route)
    if why:
        yield f"{route.name} does not notify {names} now: {'; '.join(reason.text for reason in why)}."
        return
    would = "would notify" if withheld else "notifies"
    if route.group_by is not None:
        key = group_key(route, labels_for_routing(alert))
        yield f"{route.name} {would} {names} with the group {key}: {_ticks(route)}."
        return
    hold = _hold(route, alert, config)
    yield wording.sentence(f"{route.name} {would} {names} {hold}, and again if it becomes more severe")


def _hold(route: Route, alert: Alert, config: Config) -> str:
    remedy = choose(config, alert)
    if remedy is None or remedy.autonomy != "auto" or route.hold == 0 or alert.severity == "info":
        return "at once"
    return f"{format_duration(route.hold)} later unless {remedy.runbook} has healed it by then"


def _timing(shown: Shown) -> str:
    route = shown.route
    if route.group_by is not None:
        return f"in groups by {', '.join(route.group_by) or 'nothing'}: {_ticks(route)}"
    holds = {severity: hold for severity, hold in shown.holds.items() if severity != "info"}
    if not any(holds.values()):
        return ""
    if len(set(holds.values())) == 1:
        return f"holds pages {format_duration(max(holds.values()))} for a remedy"
    each = ", ".join(
        f"{severity} {format_duration(hold) if hold else 'not at all'}" for severity, hold in holds.items()
    )
    return f"holds pages for a remedy: {each}"


def _ticks(route: Route) -> str:
    wait, interval, again = map(format_duration, (route.group_wait, route.group_interval, route.repeat_interval))
    return f"first after {wait}, what is new every {interval}, what still fires again after {again}"


def _names(route: Route) -> str:
    return ", ".join(route.notify)


def _matchers(matchers: tuple[Matcher, ...]) -> str:
    return f"{{{', '.join(map(str, matchers))}}}" if matchers else ""
