"""Forecasting at work: reads series from the store, forecasts them, scores what came due, foresees full disks.

Everything here is synchronous and meant for the store's thread, in pieces short enough that the event loop's other
callers wait for a second at most.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from forewatch.alerting.fingerprint import fingerprint
from forewatch.clock import micros
from forewatch.detection.band import Forecast, NotYet
from forewatch.detection.exhaustion import ALERT, Exhaustion, disk_full_alert, disk_full_labels, exhaustion
from forewatch.detection.forecast import LONGEST, forecast, score
from forewatch.detection.quantity import unit_of
from forewatch.detection.statistics import Sample
from forewatch.incidents.events import AlertCleared, AlertRaised
from forewatch.store import alerts, forecasts, points, series
from forewatch.store.engine import Store
from forewatch.store.series import Series

DISK = "system.filesystem.utilization"
_FULL = 1.0
_DAY = 86400.0
_DUE_AFTER = 240.0
"""Seconds after which a series is forecast again: a little under the flow's five minutes, so that none is left out."""
_MOST_SCORED = 5000
"""Forecasts scored a run at most; more than are made a run, so that a backlog after an outage shrinks."""


@dataclass(frozen=True)
class Row:
    """What the forecast of one series came to."""

    series: Series
    value: float | None
    """The newest mean over a minute or five."""
    outcome: Forecast | NotYet
    full: Exhaustion | None
    coverage: float | None
    """Of the last forecast of this series that was scored in this run."""


def due(store: Store, now: int) -> list[Series]:
    """Series whose newest forecast is old, the oldest first."""
    with store.read_metrics() as conn:
        known = series.all_series(conn)
        made = {one.id: forecasts.newest(conn, one.id) for one in known}
    # A forecast from the future was made before the clock was set back: it is due.
    age = {number: now - row.made_at if row and row.made_at <= now else now for number, row in made.items()}
    return sorted((one for one in known if age[one.id] >= micros(_DUE_AFTER)), key=lambda one: -age[one.id])


def score_due(store: Store, now: int) -> dict[int, float]:
    """Score every forecast whose whole span has passed; the newest coverage of each series."""
    with store.read_metrics() as conn:
        found = []
        for row in forecasts.unscored_due(conn, now, limit=_MOST_SCORED):
            made = _value(row)
            if row.id is None or made.end > now:
                continue
            came = points.read(conn, row.series_id, made.start, made.end, made.step)
            found.append((row.id, row.series_id, score(made, came)))
    with store.measure() as conn:
        for number, _, result in found:
            coverage, error = result or (None, None)
            forecasts.score(conn, number, coverage=coverage, error=error, now=now)
    return {series_id: result[0] for _, series_id, result in found if result is not None}


def forecast_batch(store: Store, batch: list[Series], coverage: dict[int, float], now: int) -> list[Row]:
    """Forecast some series and store what came of it."""
    rows = []
    with store.read_metrics() as conn:
        histories = {one.id: history(conn, one.id, now) for one in batch}
    for one in batch:
        samples = histories[one.id]
        outcome = forecast(samples, now, ratio=unit_of(one.metric) == "ratio")
        full = exhaustion(samples, _FULL, now) if one.metric == DISK else None
        rows.append(Row(one, samples[-1][1] if samples else None, outcome, full, coverage.get(one.id)))
    with store.measure() as conn:
        for row in rows:
            if isinstance(row.outcome, Forecast):
                forecasts.add(conn, _record(row.series.id, row.outcome, row.full, now))
    return rows


def history(conn: Connection, series_id: int, now: int) -> list[Sample]:
    """What there is to learn from: five-minute means of two weeks, minute means of the last hours."""
    last_day = now - micros(_DAY) - (now - micros(_DAY)) % micros(300.0)
    whole_minute = now - now % micros(60.0)
    older = points.read(conn, series_id, now - micros(LONGEST), last_day, 300.0)
    return older + points.read(conn, series_id, last_day, whole_minute, 60.0)


def disk_events(store: Store, rows: list[Row], now: int) -> list[AlertRaised | AlertCleared]:
    """Warnings of disks that will be full, ends of those that will not, and of those that nobody measures any more."""
    with store.read() as conn:
        firing = {alert.fingerprint: alert for alert in alerts.all_firing(conn) if alert.name == ALERT}
    with store.read_metrics() as conn:
        kept = {fingerprint(disk_full_labels(one.labels, one.service)) for one in series.find(conn, DISK)}
    events: list[AlertRaised | AlertCleared] = []
    for row in rows:
        # What cannot be foreseen now (no data) is no reason to end a warning.
        if row.series.metric != DISK or row.value is None or (isinstance(row.outcome, NotYet) and row.full is None):
            continue
        labels = disk_full_labels(row.series.labels, row.series.service)
        event = disk_full_alert(
            row.series.labels, row.series.service, row.full, row.value, fingerprint(labels) in firing, now
        )
        if event is not None:
            events.append(event)
    for mark in firing.keys() - kept:
        events.append(
            AlertCleared(firing[mark].labels, now, {"reason": "this disk is no longer measured"}, unwatched=True)
        )
    return events


def _record(series_id: int, made: Forecast, full: Exhaustion | None, now: int) -> forecasts.Forecast:
    return forecasts.Forecast(
        series_id=series_id,
        made_at=now,
        horizon="hour",
        start=made.start,
        step=made.step,
        model=made.model,
        mean=made.mean,
        lower=made.lower,
        upper=made.upper,
        exhausted_at=full.at if full else None,
    )


def _value(row: forecasts.Forecast) -> Forecast:
    return Forecast(row.start, row.step, tuple(row.mean), tuple(row.lower), tuple(row.upper), row.model)
