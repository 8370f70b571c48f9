"""Forecasts against what came: scored once, without overlap, and what that makes of a series' alerts."""

from __future__ import annotations

import numpy as np
import pytest

from forewatch.clock import MICROSECONDS, micros
from forewatch.detection.trust import judge
from forewatch.store import forecasts, models, points, series
from forewatch.store.forecasts import Forecast
from forewatch.store.points import Point
from tasks.forecasting.scores import score_due

pytestmark = pytest.mark.unit

T0 = 1_767_225_600 * MICROSECONDS
MINUTE = micros(60)
HOUR = 60 * MINUTE


def trusts(store):
    """What the last forecasts of every series and horizon came to."""
    with store.read_metrics() as conn:
        known = models.get_all(conn)
        return {
            key: judge(found, key in known and known[key].demoted_at is not None)
            for key, found in forecasts.coverages(conn).items()
        }


@pytest.fixture
def load(store):
    """A series that is 10 all the time, for two days."""
    with store.measure() as conn:
        points.write(conn, [Point("load", {}, "host", T0 + minute * MINUTE, 10.0) for minute in range(48 * 60)])
        (one,) = series.find(conn, "load")
        models.put_many(conn, [models.Model(one.id, "hour", T0)])
    return one.id


def promise(store, series_id: int, start: int, low: float, high: float) -> None:
    """An hour in twelve steps, between two values."""
    with store.measure() as conn:
        forecasts.add(
            conn, Forecast(series_id, start, "hour", start, 300.0, "m", [10.0] * 12, [low] * 12, [high] * 12)
        )  # fmt: skip


def test_a_forecast_is_scored_when_its_whole_span_is_over_and_once(store, load):
    promise(store, load, T0, 9.0, 11.0)
    assert score_due(store, T0 + HOUR - 1) == []
    assert trusts(store) == {}
    score_due(store, T0 + HOUR)
    trust = trusts(store)[load, "hour"]
    assert (trust.coverage, trust.scored, trust.demoted) == (1.0, 1, False)
    with store.read_metrics() as conn:
        assert forecasts.newest(conn, load) is None
        assert forecasts.unscored_due(conn, T0 + 2 * HOUR) == []


def test_of_forecasts_that_overlap_one_is_scored_and_the_others_go(store, load):
    for minute in range(0, 60, 5):
        promise(store, load, T0 + minute * MINUTE, 9.0, 11.0)
    score_due(store, T0 + 3 * HOUR)
    assert trusts(store)[load, "hour"].scored == 1
    promise(store, load, T0 + HOUR, 9.0, 11.0)
    score_due(store, T0 + 3 * HOUR)
    assert trusts(store)[load, "hour"].scored == 2


def test_a_series_whose_bands_fail_is_demoted_and_trusted_again_when_they_hold(store, load, caplog):
    for hour in range(8):
        promise(store, load, T0 + hour * HOUR, 11.0, 12.0)
    [change] = score_due(store, T0 + 9 * HOUR)
    assert change.trust.demoted
    assert "are tickets from now on: 0% of what came, over its last 8 forecasts" in caplog.text
    with store.read_metrics() as conn:
        assert set(models.demoted(conn)) == {load}
    assert score_due(store, T0 + 9 * HOUR) == []

    for hour in range(9, 35):
        promise(store, load, T0 + hour * HOUR, 9.0, 11.0)
    [change] = score_due(store, T0 + 40 * HOUR)
    assert not change.trust.demoted
    with store.read_metrics() as conn:
        assert models.demoted(conn) == {}


def test_a_counter_is_scored_by_its_growth(store):
    with store.measure() as conn:
        counted = np.cumsum(np.full(180, 600.0))
        points.write(
            conn,
            [Point("system.disk.io", {}, "host", T0 + minute * MINUTE, counted[minute]) for minute in range(180)],
        )
        (one,) = series.find(conn, "system.disk.io")
    promise(store, one.id, T0 + HOUR, 9.9, 10.1)
    score_due(store, T0 + 2 * HOUR)
    assert trusts(store)[one.id, "hour"].coverage == 1.0


def test_what_nobody_measured_is_no_score(store, load):
    promise(store, load, T0 + 72 * HOUR, 9.0, 11.0)
    score_due(store, T0 + 80 * HOUR)
    assert trusts(store) == {}
