"""Look before acting: which checks are asked anew, and what their answers speak against.

`check-health` probes, and the answer travels inside the event (`RunStarting.seen`, `TimerDue.seen`), so that a decision
never probes and a replay sees the very same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from forewatch.alerting.alert import Alert
from forewatch.alerting.compiled import Compiled
from forewatch.checking.results import ALERT_NAME, CheckKey, monitors
from forewatch.config.models import Check, Config
from forewatch.incidents.deciding.correlation import graph_of

Seen = Sequence[Mapping[str, Any]]
"""`{service, check, instance, ok, reason, at, status}` each, as `store.looks` keeps it."""


@dataclass(frozen=True)
class Glimpse:
    """One check as it was seen. `ok` is None where it did not answer in time: that is unknown, and stops nothing."""

    key: CheckKey
    check: Check
    ok: bool | None
    reason: str
    at: int | None
    status: str
    """What the check's state says, this answer folded in: `up`, `down` or `unknown`."""


def own_check(config: Config, alert: Alert) -> CheckKey | None:
    """The check whose failing the alert is; None for rules, forecasts, what others sent, and checks that are gone."""
    labels = alert.labels
    if alert.source or alert.name != ALERT_NAME:
        return None
    key = CheckKey(labels.get("service", ""), labels.get("check", ""), labels.get("instance", "default"))
    return key if key in _checks(config) else None


def keys_for(config: Config, alert: Alert) -> tuple[tuple[str, str, str], ...]:
    """The checks to look at before something is done about an alert: its own, and those of all it depends on."""
    own = own_check(config, alert)
    keys = [own] if own is not None else []
    by_service = _by_service(config)
    for service in graph_of(config).dependencies(alert.service):
        keys += by_service.get(service, ())
    return tuple((key.service, key.check, key.instance) for key in keys)


def own_glimpse(config: Config, alert: Alert, seen: Seen) -> Glimpse | None:
    """What was seen of the alert's own check."""
    own = own_check(config, alert)
    return next((one for one in _glimpses(config, seen) if one.key == own), None)


def of_dependencies(config: Config, alert: Alert, seen: Seen) -> list[Glimpse]:
    """What was seen of the checks of the services that the alert's service depends on."""
    needed = graph_of(config).dependencies(alert.service)
    return [one for one in _glimpses(config, seen) if one.key.service in needed]


def _glimpses(config: Config, seen: Seen) -> list[Glimpse]:
    checks = _checks(config)
    found = []
    for one in seen:
        key = CheckKey(one["service"], one["check"], one["instance"])
        if key in checks:
            found.append(Glimpse(key, checks[key], one["ok"], one["reason"], one["at"], one["status"]))
    return found


@Compiled
def _checks(config: Config) -> dict[CheckKey, Check]:
    return {monitor.key: monitor.check for monitor in monitors(config)}


@Compiled
def _by_service(config: Config) -> dict[str, list[CheckKey]]:
    found: dict[str, list[CheckKey]] = {}
    for key in _checks(config):
        found.setdefault(key.service, []).append(key)
    return found
