"""Forecasts held against what came, and what that says of their series: trusted, or demoted to tickets."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from forewatch.clock import micros
from forewatch.detection.band import Forecast
from forewatch.detection.forecast import score
from forewatch.detection.statistics import Sample
from forewatch.detection.trust import Trust, judge
from forewatch.store import forecasts, models, points, series
from forewatch.store.engine import Store
from forewatch.store.series import Series
from tasks.forecasting.series import measured

log = logging.getLogger("forewatch.forecast")

MOST = 5000
"""Forecasts scored a run at most; more than are made a run, so that a backlog after an outage shrinks."""

_CHUNK = 200

Key = tuple[int, str]
"""Series and horizon."""


@dataclass(frozen=True)
class Changed:
    """A series whose alerts became tickets, or pages again."""

    series: Series
    horizon: str
    trust: Trust


def score_due(store: Store, now: int) -> list[Changed]:
    """Score every forecast whose whole span has passed and that overlaps no scored one; what trust changed by it."""
    with store.read_metrics() as conn:
        waiting = forecasts.unscored_due(conn, now, limit=MOST)
        reached = forecasts.scored_until(conn, {row.series_id for row in waiting})
        known = {one.id: one for one in series.all_series(conn)} if waiting else {}
    chosen, passed = [], []
    for row in waiting:
        if row.id is None or row.end > now:
            continue
        key = (row.series_id, row.horizon)
        if row.series_id not in known or row.start <= reached.get(key, 0):
            passed.append(row.id)
        else:
            reached[key] = row.until
            chosen.append(row)
    for first in range(0, len(chosen), _CHUNK):
        _score(store, chosen[first : first + _CHUNK], known, now)
    with store.measure() as conn:
        forecasts.remove(conn, passed)
    return _judge(store, {(row.series_id, row.horizon) for row in chosen}, known, now)


def _score(store: Store, batch: list[forecasts.Forecast], known: dict[int, Series], now: int) -> None:
    with store.read_metrics() as conn:
        results = [(row, score(made_of(row), _came(conn, row, known[row.series_id]))) for row in batch]
    with store.measure() as conn:
        for row, result in results:
            coverage, error = result or (None, None)
            if row.id is not None:
                forecasts.score(conn, row.id, coverage=coverage, error=error, now=now)


def _came(conn: Connection, row: forecasts.Forecast, one: Series) -> list[Sample]:
    # A step more at the beginning: the growth of a counter is told by two values.
    return measured(one, points.read(conn, one.id, row.start - micros(row.step), row.end, row.step))


def _judge(store: Store, keys: Iterable[Key], known: dict[int, Series], now: int) -> list[Changed]:
    scored = set(keys)
    changed = []
    with store.measure() as conn:
        rows = models.get_all(conn)
        found = forecasts.coverages(conn, series_ids={number for number, _ in scored})
        for key in sorted(scored & found.keys() & rows.keys()):
            before = rows[key].demoted_at is not None
            trust = judge(found[key], before)
            if trust.demoted != before:
                models.set_demoted(conn, key[0], rows[key].horizon, now if trust.demoted else None)
                changed.append(Changed(known[key[0]], key[1], trust))
    for one in changed:
        word = "are tickets from now on" if one.trust.demoted else "are pages again"
        log.warning(
            "alerts by forecasts of %s %s %s: %s", one.series.metric, dict(one.series.labels), word, one.trust.said
        )
    return changed


def made_of(row: forecasts.Forecast) -> Forecast:
    """A stored forecast as a value."""
    return Forecast(row.start, row.step, tuple(row.mean), tuple(row.lower), tuple(row.upper), row.model)
