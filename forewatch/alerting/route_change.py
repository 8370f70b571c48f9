"""Whom another configuration has hear of what fires already."""

from __future__ import annotations

from collections.abc import Iterable

from forewatch.alerting.alert import Alert
from forewatch.alerting.routing import routes_of
from forewatch.config.models import Config


def rerouted(before: Config, after: Config, alerts: Iterable[Alert]) -> list[str]:
    """The ids of those alerts that `after` leads to other receivers, or into other groups, than `before`."""
    return [alert.id for alert in alerts if _ends(before, alert) != _ends(after, alert)]


def _ends(config: Config, alert: Alert) -> set[tuple[str, str]]:
    """Each receiver, and the group route it hears through: empty where it hears of the incident."""
    return {
        (route.key if route.group_by is not None else "", notifier)
        for route in routes_of(config, alert)
        for notifier in route.notify
    }
