"""The likely causes of a stored incident: its alerts, the dependency graph and what was measured, put to the ranking.

Only services are named of which something was seen: that they fire, or that they were worse than usual. Buckets of a
minute (five minutes where the alert looked back further) from the one before the trouble on, beside the hours before.
Where nothing was measured, the deepest services that fire are blamed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from forewatch.alerting.alert import Alert
from forewatch.checking.results import ALERT_NAME
from forewatch.clock import micros
from forewatch.config.defaults import IMPLICIT_SERVICES
from forewatch.config.models import Config
from forewatch.detection.starter import all_rules
from forewatch.errors import NotFound
from forewatch.incidents.causes.graph import Graph
from forewatch.incidents.causes.ranking import Alarm, Kind, Ranking
from forewatch.incidents.causes.telemetry import Telemetry
from forewatch.incidents.rootcause import Ranker, rank_by_alerts
from forewatch.runtime import Runtime
from forewatch.series.matrices import measured
from forewatch.store import alerts, incidents

FINE, COARSE = 60.0, 300.0
"""Seconds of a bucket, for alerts that come at once and for those that look back over minutes."""
HISTORY = {FINE: 120, COARSE: 288}
"""Buckets of the past to compare with: two hours, a day."""
SEEN = 6
"""Buckets from the one before the trouble on."""
LOOKED_BACK = 600.0
"""Seconds that the rule behind an alert looked back, where the rule is not ours."""
MOST_SERVICES = 200
"""Of more services only those are looked at that the alarmed ones depend on, however indirectly."""


def causes_of(runtime: Runtime, incident_id: str) -> Ranking:
    """Rank the likely causes of an incident: services that fire in it, or were worse than usual.

    Raises NotFound for an unknown incident, StoreError where a store is away.
    """
    with runtime.store.read() as conn:
        incident = incidents.get(conn, incident_id)
        its_alerts = alerts.of_incident(conn, incident_id)
    if incident is None:
        raise NotFound(f"there is no incident {incident_id}")
    if not its_alerts:
        return Ranking((), f"{incident_id} has no alerts, so there is nothing to explain")
    _, config = runtime.configuration.current()
    watched = [service.name for service in config.services if service.name not in IMPLICIT_SERVICES]
    graph = Graph(
        [*watched, *(alert.service for alert in its_alerts)],
        {service.name: service.depends_on for service in config.services if service.depends_on},
    )
    begun = {alert.service: alert.starts_at for alert in reversed(its_alerts)}
    by_alerts = rank_by_alerts(graph, begun)
    measured = _measured_ranking(runtime, config, graph, its_alerts)
    if measured is None or (by_alerts.confident and not measured.confident):
        return by_alerts
    seen = [cause for cause in measured.causes if cause.evident]
    named = {cause.service for cause in seen}
    seen += [cause for cause in by_alerts.causes if cause.service not in named]
    return replace(measured, causes=tuple(sorted(seen, key=lambda cause: -cause.score)))


def _measured_ranking(runtime: Runtime, config: Config, graph: Graph, its_alerts: Sequence[Alert]) -> Ranking | None:
    """None where none of the alarmed services was measured."""
    first = min(its_alerts, key=lambda alert: alert.starts_at)
    together = [alert for alert in its_alerts if alert.starts_at - first.starts_at <= micros(COARSE)]
    back = max(_looks_back(config, alert) for alert in together)
    width = FINE if back <= 2 * FINE else COARSE
    step = micros(width)
    begin = first.starts_at - micros(back)
    start = begin - begin % step - HISTORY[width] * step
    end = min(runtime.clock.now() + 1, begin - begin % step + SEEN * step)
    names = _looked_at(graph, {alert.service for alert in together})
    with runtime.store.read_metrics() as conn:
        whole = measured(conn, names, start, end, width)
    before = max(0, whole.bucket_of(begin) - 1)
    alarms = [Alarm(alert.service, kind, begin) for alert in together for kind in _kinds(alert)]
    alarmed = [name for name in {alarm.service for alarm in alarms} if name in names]
    if not np.isfinite(whole.onto(alarmed).success[:, before:]).any():
        return None
    ranking = Ranker(graph, _part(whole, 0, before)).rank(_part(whole, before, None), alarms)
    silent = [name for name in names if not np.isfinite(whole.onto([name]).success).any()]
    if silent and ranking.causes:
        text = f"nothing is measured of {', '.join(silent[:5])}{' and others' if len(silent) > 5 else ''}"
        return replace(ranking, note="; ".join(filter(None, (ranking.note, text))))
    return ranking


def _looks_back(config: Config, alert: Alert) -> float:
    """Seconds from the beginning of a fault to its alert, at most, as far as the configuration says."""
    if alert.name == ALERT_NAME:
        service = config.service(alert.service)
        named = [check for check in service.checks if check.label == alert.labels.get("check")] if service else []
        return max((check.fails_after * (check.every + check.timeout) for check in named), default=FINE)
    return max((rule.window for rule in all_rules(config) if rule.alert == alert.name), default=LOOKED_BACK)


def _kinds(alert: Alert) -> tuple[Kind, ...]:
    match alert.classification:
        case "latency":
            return ("latency",)
        case "availability" | "errors":
            return ("availability",)
        case _:
            return ("availability", "latency")


def _looked_at(graph: Graph, alarmed: Iterable[str]) -> list[str]:
    if len(graph.services) <= MOST_SERVICES:
        return list(graph.services)
    reached = np.any([graph.depths(graph.place[name]) >= 0 for name in sorted(alarmed)], axis=0)
    return [name for name, found in zip(graph.services, reached, strict=True) if found]


def _part(whole: Telemetry, start: int, end: int | None) -> Telemetry:
    return replace(
        whole,
        starts=whole.starts[start:end],
        requests=whole.requests[:, start:end],
        latency=whole.latency[:, start:end],
        success=whole.success[:, start:end],
    )
