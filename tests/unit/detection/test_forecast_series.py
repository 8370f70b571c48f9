"""Which series are forecast when, with what, and what is kept of it."""

from __future__ import annotations

import numpy as np
import pytest

from forewatch.clock import MICROSECONDS, micros
from forewatch.detection.band import Forecast, NotYet
from forewatch.detection.models import Model
from forewatch.store import forecasts, models, points, series
from forewatch.store.points import Point
from tasks.forecasting import models as fitting
from tasks.forecasting.models import Job, fit_all
from tasks.forecasting.pool import fit_in_processes
from tasks.forecasting.series import Row, due, fit_anew, go_on

pytestmark = pytest.mark.unit

T0 = 1_767_225_600 * MICROSECONDS
HOUR = 3600.0
DAY = 86400.0


def write(store, values, metric: str = "load", begin: float = 0.0, every: float = 60.0, **labels: str) -> int:
    """A value a minute; returns the moment after the last."""
    batch = [
        Point(metric, labels or {"host": "a"}, "host", T0 + micros(begin + every * index), float(value))
        for index, value in enumerate(values)
    ]
    with store.measure() as conn:
        points.write(conn, batch)
    return batch[-1].at + micros(every)


def run(store, now) -> list[Row]:
    """As the flow does it: first what has a model, then what has none."""
    waiting = due(store, now)
    rows, outgrown = go_on(store, [one for one in waiting if not one.needs_fit(now)], None, {}, now)
    return rows + fit_anew(store, [one for one in waiting if one.needs_fit(now)] + outgrown, None, {}, now)


def of(rows: list[Row], horizon: str) -> Row:
    [row] = [row for row in rows if row.horizon.name == horizon]
    return row


def noise(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(10, 1, count)


def kept(store, horizon: str = "hour") -> models.Model:
    with store.read_metrics() as conn:
        (one,) = series.find(conn, "load")
        return models.get_all(conn, series_id=one.id)[one.id, horizon]


def test_a_series_is_forecast_an_hour_ahead_after_twenty_minutes(store):
    now = write(store, noise(19))
    assert of(run(store, now), "hour").outcome == NotYet("needs 20 minutes of data, has 19 minutes")
    later = write(store, noise(5), begin=19 * 60)
    made = of(run(store, later), "hour").outcome
    assert isinstance(made, Forecast)
    assert made.end >= later + micros(HOUR)
    assert made.lower[-1] < made.mean[-1] < made.upper[-1]


def test_each_reach_waits_for_the_history_it_needs_and_says_so(store):
    now = write(store, noise(180))
    rows = run(store, now)
    assert of(rows, "day").outcome == NotYet("needs 24 hours of data, has 3 hours")
    assert of(rows, "week").outcome == NotYet("needs 7 days of data, has 3 hours")
    assert kept(store, "week").reason == "needs 7 days of data, has 3 hours"
    assert kept(store, "week").state is None


def test_with_weeks_of_history_all_four_reaches_are_known(store):
    hours = np.arange(24 * 22)
    now = write(store, 10 + 3 * np.sin(2 * np.pi * hours / 24) + noise(len(hours)) / 10, every=HOUR)
    rows = run(store, now)
    for horizon, span in {"hour": HOUR, "day": DAY, "week": 7 * DAY, "month": 30 * DAY}.items():
        made = of(rows, horizon).outcome
        assert isinstance(made, Forecast), made
        assert made.end >= now + micros(span)


def test_a_model_is_gone_on_with_until_its_refit_is_due(store):
    now = write(store, noise(240))
    run(store, now)
    fitted = kept(store)
    later = write(store, noise(5, seed=2), begin=240 * 60)
    row = of(run(store, later), "hour")
    assert isinstance(row.outcome, Forecast)
    assert row.outcome.start == later
    assert kept(store).made_at == fitted.made_at == now
    assert kept(store).state == fitted.state
    assert kept(store).tried_at == later

    assert fitted.refit_at is not None
    much_later = write(store, noise(120, seed=3), begin=245 * 60)
    assert much_later > fitted.refit_at
    run(store, much_later)
    assert kept(store).made_at == much_later


def test_a_model_that_looks_at_a_whole_day_is_gone_on_with_too(store, monkeypatch):
    now = write(store, noise(3 * 288), every=300.0)
    assert isinstance(of(run(store, now), "hour").outcome, Forecast)
    monkeypatch.setattr(Model, "needs", property(lambda model: 288))
    later = write(store, noise(2), begin=3 * DAY, every=300.0) + micros(7.0)
    assert isinstance(of(run(store, later), "hour").outcome, Forecast)


def test_what_is_forecast_of_a_counter_is_its_growth(store):
    now = write(store, np.cumsum(np.full(120, 600.0) + noise(120)), metric="system.network.io")
    row = of(run(store, now), "hour")
    assert isinstance(row.outcome, Forecast)
    assert row.outcome.mean[-1] == pytest.approx(10.17, abs=0.3)
    assert row.value == pytest.approx(10.17, abs=0.3)


def test_what_never_moved_is_fitted_anew_once_it_does(store):
    now = write(store, [5.0] * 60)
    assert of(run(store, now), "hour").outcome.model == "constant"
    later = write(store, 5 + noise(10), begin=60 * 60)
    made = of(run(store, later), "hour").outcome
    assert isinstance(made, Forecast)
    assert made.model != "constant"
    assert made.upper[-1] > made.lower[-1]


def test_silence_makes_no_forecast_but_costs_no_model(store):
    now = write(store, noise(240))
    run(store, now)
    later = now + micros(2 * HOUR)
    row = of(run(store, later), "hour")
    assert isinstance(row.outcome, NotYet)
    assert row.outcome.reason.startswith("has no data")


def test_a_state_that_cannot_be_read_is_fitted_anew(store):
    now = write(store, noise(240))
    run(store, now)
    with store.measure() as conn:
        row = kept(store)
        models.put_many(conn, [models.Model(row.series_id, "hour", now, now, row.refit_at, b"\xff damaged")])
    later = write(store, noise(5), begin=240 * 60)
    assert isinstance(of(run(store, later), "hour").outcome, Forecast)
    assert kept(store).made_at == later


def test_a_series_is_due_again_after_minutes_and_after_the_clock_was_set_back(store):
    now = write(store, noise(180))
    run(store, now)
    assert due(store, now + micros(60)) == []
    assert [one.horizon.name for one in due(store, now + micros(300))] == ["hour"]
    assert [one.horizon.name for one in due(store, now + micros(1800))] == ["hour", "day"]
    assert len(due(store, now - micros(HOUR))) == 4


def test_the_phases_of_a_check_are_not_forecast_beside_its_duration(store):
    now = write(store, noise(60), "check.duration")
    write(store, noise(60), "check.phase.duration", phase="connect")
    assert {one.series.metric for one in due(store, now)} == {"check.duration"}


def test_when_it_runs_out_is_kept_with_the_forecast_of_the_hour(store):
    now = write(store, noise(60))
    waiting = due(store, now)
    fit_anew(store, waiting, None, {waiting[0].series.id: now + 5}, now)
    with store.read_metrics() as conn:
        stored = forecasts.newest(conn, waiting[0].series.id)
    assert stored is not None
    assert stored.exhausted_at == now + 5


def test_one_series_that_cannot_be_fitted_costs_none_of_the_others(monkeypatch):
    from forewatch.detection.grid import Grid
    from forewatch.detection.quantity import Range

    real = fitting.fit_many

    def fit_many(grids, **others):
        if any(grid.start == 0 for grid in grids):
            raise np.linalg.LinAlgError("singular")
        return real(grids, **others)

    monkeypatch.setattr(fitting, "fit_many", fit_many)
    good, bad = (Grid(start, 60.0, noise(60)) for start in (T0, 0))
    jobs = [Job(grid, Range(0.0), grid.end, HOUR) for grid in (good, bad, good)]
    first, second, third = fit_all(jobs, None)
    assert second == NotYet("could not be fitted: singular")
    assert not isinstance(first, NotYet)
    assert not isinstance(third, NotYet)


async def test_hundreds_are_fitted_by_other_processes_and_kept_all_the_same(store):
    for number in range(3):
        now = write(store, noise(60, seed=number), host=str(number))
    waiting = [one for one in due(store, now) if one.horizon.name == "hour"]
    rows, left = await fit_in_processes(store.home, waiting, None, {}, now, 60.0)
    assert left == []
    assert all(isinstance(row.outcome, Forecast) for row in rows)
    with store.read_metrics() as conn:
        assert len(forecasts.newest_many(conn, [one.series.id for one in waiting])) == 3


async def test_what_other_processes_have_no_time_for_is_left(store):
    now = write(store, noise(60))
    waiting = due(store, now)
    assert await fit_in_processes(store.home, waiting, None, {}, now, 0.0) == ([], waiting)
