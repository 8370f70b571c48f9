"""From anomalies to alerts: which are confirmed, noted with the reason, and said to those who decide."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from forewatch.alerting.alert import Alert
from forewatch.clock import micros
from forewatch.config.graph import Graph
from forewatch.config.models import Config
from forewatch.detection.confirmation import ALERT, Finding, Trouble, anomalous_event, confirm, needed
from forewatch.detection.episode import Episode
from forewatch.detection.rules import HOST
from forewatch.detection.series_anomaly import Anomaly, family
from forewatch.detection.starter import all_rules
from forewatch.incidents.events import AlertCleared, AlertRaised
from forewatch.reports.anomalies import anomalies_of
from forewatch.store import alerts, anomalies
from forewatch.store.engine import Store
from forewatch.store.series import Series


@dataclass(frozen=True)
class Told:
    """What came of a look: the events, and the episodes whose standing changed."""

    events: Sequence[AlertRaised | AlertCleared]
    changed: Sequence[Episode]


def tell(store: Store, config: Config, looked_at: Mapping[int, Series], now: int) -> Told:
    """Judge the anomalies of every service by what is stored. `looked_at`: the series, by number.

    What fires is read from the alerts, so what a watch could not process is said again by the next. Raises
    StoreUnavailable.
    """
    within = config.anomalies.confirm_within
    with store.read_metrics() as conn:
        lately = _by_service(anomalies.since(conn, now - micros(within)), looked_at)
    series = _by_service_of(looked_at)
    events: list[AlertRaised | AlertCleared] = []
    changed: list[Episode] = []
    with store.read() as conn:
        firing = {one.service for one in alerts.firing_where(conn, {"alertname": ALERT}) if _is_ours(one)}
        for service in sorted({*firing, *(name for name, some in lately.items() if any(map(_goes_on, some)))}):
            found, members = lately.get(service, []), series.get(service, [])
            finding = confirm(
                found,
                _troubles(conn, config, service),
                metrics=len({family(one.metric) for one in members}),
                within=within,
                required=needed(len(members), config.anomalies.false_alarms, within),
            )
            changed += _judged(found, finding)
            joined = any(one.episode.told == "note" for one in finding.alert)
            if service not in firing or joined or not finding.alert:
                event = anomalous_event(
                    service,
                    finding,
                    labels=config.alert_labels(service),
                    severity=config.anomalies.severity,
                    firing=service in firing,
                    now=now,
                )
                events += [event] if event is not None else []
    if changed:
        with store.measure() as conn:
            anomalies.tell(conn, changed)
    return Told(events, changed)


def anything_told(store: Store, now: int) -> bool:
    """Whether an anomaly goes on, or the alert of some fires."""
    with store.read_metrics() as conn:
        if anomalies.going_on(conn, now):
            return True
    with store.read() as conn:
        return any(_is_ours(one) for one in alerts.firing_where(conn, {"alertname": ALERT}))


def _by_service(episodes: Iterable[Episode], looked_at: Mapping[int, Series]) -> dict[str, list[Anomaly]]:
    found: dict[str, list[Anomaly]] = {}
    for one in anomalies_of(episodes, looked_at):
        found.setdefault(one.service, []).append(one)
    return found


def _by_service_of(looked_at: Mapping[int, Series]) -> dict[str, list[Series]]:
    found: dict[str, list[Series]] = {}
    for one in looked_at.values():
        found.setdefault(one.service or HOST, []).append(one)
    return found


def _troubles(conn: Connection, config: Config, service: str) -> list[Trouble]:
    """What fires of a service and of all it depends on, but for anomalies."""
    metrics = {rule.alert: rule.metric for rule in all_rules(config)}
    around = [service, *Graph(config).dependencies(service)]
    return [
        Trouble(one.name or one.id, one.service, one.starts_at, metrics.get(one.name))
        for one in alerts.firing_of(conn, around)
        if not _is_ours(one)
    ]


def _is_ours(alert: Alert) -> bool:
    return alert.name == ALERT and not alert.source


def _goes_on(anomaly: Anomaly) -> bool:
    return anomaly.episode.end is None


def _judged(found: Sequence[Anomaly], finding: Finding) -> list[Episode]:
    """Episodes whose standing or reason is another now."""
    told = {one.episode.id for one in finding.alert}
    changed = []
    for one in found:
        reason = finding.reasons.get(one.episode.id or 0)
        if reason is None:
            continue
        fresh = replace(one.episode, told="alert" if one.episode.id in told else "note", reason=reason)
        if fresh != one.episode:
            changed.append(fresh)
    return changed
