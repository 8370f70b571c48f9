from __future__ import annotations

import numpy as np
import pytest

from forewatch.clock import MICROSECONDS, micros
from forewatch.config.models import Config
from forewatch.deciding import decide
from forewatch.detection.band import Forecast, NotYet
from forewatch.incidents.events import AlertCleared, AlertRaised
from forewatch.store import forecasts, points, series
from forewatch.store.points import Point
from tasks.forecast_series import DISK, disk_events, due, forecast_batch, score_due

pytestmark = pytest.mark.unit

T0 = 1_767_225_600 * MICROSECONDS
HOUR = 3600.0


def write(store, values, metric: str = "load", begin: float = 0.0, **labels: str) -> int:
    """A value a minute; returns the moment after the last."""
    batch = [
        Point(metric, labels or {"host": "a"}, "host", T0 + micros(begin + 60 * index), float(value))
        for index, value in enumerate(values)
    ]
    with store.measure() as conn:
        points.write(conn, batch)
    return batch[-1].at + micros(60)


def run(store, now):
    coverage = score_due(store, now)
    return forecast_batch(store, due(store, now), coverage, now)


def noise(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(10, 1, count)


def test_a_forecast_is_stored_scored_an_hour_later_and_not_before(store):
    values = noise(240)
    now = write(store, values[:180])
    (row,) = run(store, now)
    assert isinstance(row.outcome, Forecast)
    with store.read_metrics() as conn:
        (one,) = series.find(conn, "load")
        stored = forecasts.newest(conn, one.id)
    assert stored is not None
    assert tuple(stored.mean) == row.outcome.mean
    assert stored.scored_at is None

    later = write(store, values[180:], begin=180 * 60)
    assert score_due(store, later - micros(61)) == {}
    (share,) = score_due(store, later).values()
    assert share > 0.8
    assert score_due(store, later) == {}


def test_a_young_series_says_what_it_waits_for(store):
    now = write(store, noise(14))
    (row,) = run(store, now)
    assert row.outcome == NotYet("needs 30 minutes of data, has 14 minutes")


def test_a_series_is_due_again_after_minutes_and_after_the_clock_was_set_back(store):
    now = write(store, noise(180))
    run(store, now)
    assert due(store, now + micros(60)) == []
    assert len(due(store, now + micros(300))) == 1
    assert len(due(store, now - micros(HOUR))) == 1


def test_a_filling_disk_is_warned_of_once_and_ends_when_cleaned(store):
    config = (1, Config())

    def decided(rows, now):
        events = disk_events(store, rows, now)
        for event in events:
            decide(store, event, config=config, now=now)
        return events

    now = write(store, np.linspace(0.5, 0.8, 180), DISK, mountpoint="/var")
    rows = run(store, now)
    (raised,) = decided(rows, now)
    assert isinstance(raised, AlertRaised)
    assert raised.annotations["summary"].startswith("/var full in 2.0 h")
    with store.read_metrics() as conn:
        (one,) = series.find(conn, DISK)
        stored = forecasts.newest(conn, one.id)
    assert stored is not None
    assert stored.exhausted_at == pytest.approx(now + micros(2 * HOUR), abs=micros(300))
    assert decided(rows, now) == []

    now = write(store, [0.3] * 180, DISK, begin=180 * 60, mountpoint="/var")
    (cleared,) = decided(run(store, now), now)
    assert isinstance(cleared, AlertCleared)
    assert cleared.values["reason"] == "/var is at 30% and it no longer grows"


def test_a_warning_of_a_disk_nobody_measures_any_more_ends(store):
    now = write(store, np.linspace(0.5, 0.8, 180), DISK, mountpoint="/gone")
    for event in disk_events(store, run(store, now), now):
        decide(store, event, config=(1, Config()), now=now)
    with store.measure() as conn:
        for table in (points.points, forecasts.forecasts):
            conn.execute(table.delete())
        series.remove_empty(conn)
    (cleared,) = disk_events(store, [], now)
    assert isinstance(cleared, AlertCleared)
    assert cleared.values["reason"] == "this disk is no longer measured"


def test_silence_of_a_disk_ends_no_warning(store):
    now = write(store, np.linspace(0.5, 0.8, 180), DISK, mountpoint="/var")
    for event in disk_events(store, run(store, now), now):
        decide(store, event, config=(1, Config()), now=now)
    later = now + micros(2 * HOUR)
    assert disk_events(store, run(store, later), later) == []
