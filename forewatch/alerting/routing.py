"""Routing: which notifiers hear of an alert, and how long a page may wait for a remedy."""

from __future__ import annotations

from dataclasses import dataclass

from forewatch.alerting.alert import Alert, Labels
from forewatch.alerting.matchers import matches, parse_matchers
from forewatch.config.models import Config

HOLD_CRITICAL = 0.0
HOLD = 60.0
"""Seconds a page waits while an `auto` remedy works, where the route does not say; a critical one does not wait."""


@dataclass(frozen=True)
class Route:
    """Where an alert goes: notifier names, and the hold in seconds. `name` is its place in the configuration."""

    name: str
    notify: tuple[str, ...]
    hold: float


def route_for(config: Config, labels: Labels) -> Route:
    """The first route that matches, else the default one: every notifier there is, or `console`."""
    default_hold = HOLD_CRITICAL if labels.get("severity") == "critical" else HOLD
    for position, route in enumerate(config.routes):
        if matches(parse_matchers(route.match), labels):
            hold = default_hold if route.hold is None else route.hold
            return Route(f"routes[{position}]", tuple(dict.fromkeys(route.notify)), hold)
    everyone = tuple(notifier.name for notifier in config.notifiers) or ("console",)
    return Route("the default route", everyone, default_hold)


def route_of(config: Config, alert: Alert) -> Route:
    """The route of an alert, by its labels and the service and severity it counts as where they name none."""
    return route_for(config, {**alert.labels, "service": alert.service, "severity": alert.severity})
