"""What runs out: every capacity held against its limit, and the alerts that follow from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from forewatch.clock import micros
from forewatch.config.models import Config
from forewatch.detection.band import NotYet
from forewatch.detection.capacity import Outlook, Watch, capacity_events, outlook_of, watches
from forewatch.detection.trust import Trust, as_ticket
from forewatch.incidents.events import AlertCleared, AlertRaised
from forewatch.store import alerts, models, points, series
from forewatch.store.engine import Store
from forewatch.store.series import Series

BATCH = 20
"""Capacities looked at while the store's thread is held."""

_DAY = 86400.0
_FINE = 300.0
_MINUTE = 60.0
_LOOKED_AT = 14 * _DAY


@dataclass(frozen=True)
class Watched:
    """A capacity and what is to be seen of it."""

    watch: Watch[Series]
    outlook: Outlook[Series] | NotYet


def all_watches(store: Store, config: Config) -> list[Watch[Series]]:
    """Everything that can run out, of all that is measured."""
    with store.read_metrics() as conn:
        return watches(config, series.all_series(conn))


def look_at(store: Store, batch: Sequence[Watch[Series]], now: int) -> list[Watched]:
    """When each of these runs out."""
    numbers = {one.id for watch in batch for one in (watch.series, watch.limit_series) if one is not None}
    last_day = now - micros(_DAY) - (now - micros(_DAY)) % micros(_FINE)
    with store.read_metrics() as conn:
        older = points.read_many(conn, list(numbers), now - micros(_LOOKED_AT), last_day, _FINE)
        newer = points.read_many(conn, list(numbers), last_day, now - now % micros(_MINUTE), _MINUTE)
    seen = {number: older.get(number, []) + newer.get(number, []) for number in numbers}
    return [
        Watched(
            watch,
            outlook_of(watch, seen[watch.series.id], seen[watch.limit_series.id] if watch.limit_series else (), now),
        )
        for watch in batch
    ]


def exhausted(found: Sequence[Watched]) -> dict[int, int]:
    """When each series is used up, of those that run out: series -> instant."""
    return {
        one.watch.series.id: one.outlook.expected.at
        for one in found
        if not isinstance(one.outlook, NotYet) and one.outlook.expected is not None
    }


def events(
    store: Store, every: Sequence[Watch[Series]], found: Sequence[Watched], now: int
) -> list[AlertRaised | AlertCleared]:
    """Warnings of what will be used up, and the ends of those that are over.

    Those of a series whose bands fail are tickets: what it will be in a day is not known well enough to wake anybody.
    """
    with store.read() as conn:
        firing = {alert.fingerprint: alert.labels for alert in alerts.all_firing(conn) if not alert.source}
    with store.read_metrics() as conn:
        demoted = models.demoted(conn, "day")
    outlooks = [one.outlook for one in found if not isinstance(one.outlook, NotYet)]
    failing = _failing(every, demoted)
    return [_as_told(event, failing) for event in capacity_events(every, outlooks, firing, now)]


def _failing(every: Sequence[Watch[Series]], demoted: Mapping[int, Trust]) -> dict[tuple[tuple[str, str], ...], Trust]:
    return {
        tuple(sorted(watch.labels.items())): demoted[watch.series.id] for watch in every if watch.series.id in demoted
    }


def _as_told(
    event: AlertRaised | AlertCleared, failing: Mapping[tuple[tuple[str, str], ...], Trust]
) -> AlertRaised | AlertCleared:
    trust = failing.get(tuple(sorted(event.labels.items())))
    return as_ticket(event, trust) if trust is not None and isinstance(event, AlertRaised) else event
