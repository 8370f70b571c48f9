"""Routing: which notifiers hear of an alert, how they are told, and how long a page may wait for a remedy.

Routes form a tree, as in Alertmanager: its root, the default route, matches everything; children are tried in order,
and the first that matches wins unless it says `continue`. The deepest match counts; what it does not say it inherits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from forewatch.alerting.alert import SEVERITIES, Alert, Labels, Severity
from forewatch.alerting.classification import labels_for_routing
from forewatch.alerting.compiled import Compiled
from forewatch.alerting.matchers import Matcher, matches, parse_matchers
from forewatch.config import models
from forewatch.config.models import Config

HOLD_CRITICAL = 30.0
HOLD = 60.0
"""Seconds a page waits while an `auto` remedy works, where the route does not say; nothing extends it."""
DEFAULT_ROUTE = "the default route"


@dataclass(frozen=True)
class Route:
    """Where an alert goes. `name` is its place in the configuration, as `routes[0].routes[1]`; times in seconds."""

    name: str
    notify: tuple[str, ...]
    hold: float
    group_by: tuple[str, ...] | None = None
    """Label names, `...` for all; None: notifications follow the incident."""
    group_wait: float = 30.0
    group_interval: float = 300.0
    repeat_interval: float = 14400.0
    mute: tuple[str, ...] = ()
    active: tuple[str, ...] = ()
    key: str = "{}"
    """What group keys begin with: the matchers on the way to it, as in Alertmanager; no two routes have the same."""


@dataclass(frozen=True)
class _Node:
    """A route in the tree. A critical alert may have another hold, so both are kept ready."""

    route: Route
    critical: Route
    matchers: tuple[Matcher, ...]
    goes_on: bool
    children: tuple[_Node, ...] = ()

    def below(self) -> Iterator[_Node]:
        yield self
        for child in self.children:
            yield from child.below()


def routes_for(config: Config, labels: Labels) -> list[Route]:
    """The routes of an alert with these labels, at least one: the default one where no other matches."""
    found: list[_Node] = []
    _collect(_tree(config)[DEFAULT_ROUTE], labels, found)
    critical = labels.get("severity") == "critical"
    return [node.critical if critical else node.route for node in found]


def route_for(config: Config, labels: Labels) -> Route:
    """The first of the routes."""
    return routes_for(config, labels)[0]


def routes_of(config: Config, alert: Alert) -> list[Route]:
    """The routes of an alert, by its labels and the service, severity and classification it counts as."""
    return routes_for(config, labels_for_routing(alert))


def route_of(config: Config, alert: Alert) -> Route:
    """The first of the alert's routes."""
    return routes_of(config, alert)[0]


def route_named(config: Config, name: str) -> Route | None:
    """The route with this name, if the configuration still has it; its hold is the one of a warning."""
    node = _tree(config).get(name)
    return node.route if node is not None else None


@dataclass(frozen=True)
class Step:
    """One route looked at on the way of an alert. `chosen`: it is one of `routes_for`; `depth` 0 is the default one."""

    route: Route
    matchers: tuple[Matcher, ...]
    depth: int
    matched: bool
    chosen: bool
    goes_on: bool
    """The siblings after it are tried even where it matches."""


def way(config: Config, labels: Labels) -> list[Step]:
    """Every route that is looked at for an alert with these labels, in order."""
    found: list[_Node] = []
    root = _tree(config)[DEFAULT_ROUTE]
    _collect(root, labels, found)
    critical = labels.get("severity") == "critical"
    return list(_way(root, labels, found, critical, 0))


def _way(node: _Node, labels: Labels, chosen: list[_Node], critical: bool, depth: int) -> Iterator[Step]:
    matched = matches(node.matchers, labels)
    route = node.critical if critical else node.route
    yield Step(route, node.matchers, depth, matched, any(one is node for one in chosen), node.goes_on)
    for child in node.children if matched else ():
        yield from _way(child, labels, chosen, critical, depth + 1)
        if matches(child.matchers, labels) and not child.goes_on:
            return


@dataclass(frozen=True)
class Shown:
    """A route of the whole tree, with its own matchers."""

    depth: int
    route: Route
    matchers: tuple[Matcher, ...]
    holds: dict[Severity, float]
    """Seconds a page of each severity that can come here waits for a remedy; information never does."""


def all_routes(config: Config) -> list[Shown]:
    """The whole tree, from the default route down."""

    def below(node: _Node, depth: int, severities: tuple[Severity, ...]) -> Iterator[Shown]:
        asked = tuple(matcher for matcher in node.matchers if matcher.name == "severity")
        severities = tuple(one for one in severities if matches(asked, {"severity": one}))
        holds: dict[Severity, float] = {"critical": node.critical.hold, "warning": node.route.hold, "info": 0.0}
        here = {severity: hold for severity, hold in holds.items() if severity in severities}
        yield Shown(depth, node.route, node.matchers, here)
        for child in node.children:
            yield from below(child, depth + 1, severities)

    return list(below(_tree(config)[DEFAULT_ROUTE], 0, SEVERITIES))


def _collect(node: _Node, labels: Labels, found: list[_Node]) -> bool:
    """Add the deepest matches at or below a node to `found`. Whether there were any."""
    if not matches(node.matchers, labels):
        return False
    before = len(found)
    for child in node.children:
        if _collect(child, labels, found) and not child.goes_on:
            break
    if len(found) == before:
        found.append(node)
    return True


@Compiled
def _tree(config: Config) -> dict[str, _Node]:
    """Every node by its name."""
    everyone = tuple(notifier.name for notifier in config.notifiers) or ("console",)
    route = Route(DEFAULT_ROUTE, everyone, HOLD)
    critical = replace(route, hold=HOLD_CRITICAL)
    root = _Node(route, critical, (), False, _children(config.routes, route, critical, "routes"))
    return {node.route.name: node for node in root.below()}


def _children(written: list[models.Route], parent: Route, critical: Route, place: str) -> tuple[_Node, ...]:
    nodes: list[_Node] = []
    keys: set[str] = set()
    for position, each in enumerate(written):
        matchers = parse_matchers(each.match)
        key = plain = f"{parent.key}/{{{','.join(sorted(map(str, matchers)))}}}"
        again = 1
        while key in keys:  # siblings that match alike, told apart by which of them it is
            again += 1
            key = f"{plain}/{again}"
        keys.add(key)
        own = _inherit(each, parent, f"{place}[{position}]", key)
        own_critical = replace(own, hold=critical.hold if each.hold is None else each.hold)
        children = _children(each.routes, own, own_critical, f"{own.name}.routes")
        nodes.append(_Node(own, own_critical, matchers, each.continue_, children))
    return tuple(nodes)


def _inherit(written: models.Route, parent: Route, name: str, key: str) -> Route:
    def own(value: float | None, inherited: float) -> float:
        return inherited if value is None else value

    return Route(
        name=name,
        notify=parent.notify if written.notify is None else tuple(dict.fromkeys(written.notify)),
        hold=own(written.hold, parent.hold),
        group_by=parent.group_by if written.group_by is None else tuple(dict.fromkeys(written.group_by)),
        group_wait=own(written.group_wait, parent.group_wait),
        group_interval=own(written.group_interval, parent.group_interval),
        repeat_interval=own(written.repeat_interval, parent.repeat_interval),
        mute=tuple(dict.fromkeys(written.mute)),
        active=tuple(dict.fromkeys(written.active)),
        key=key,
    )
