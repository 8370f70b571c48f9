"""What is kept of forecasts and models: enough to score, to show and to go on, and no more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from forewatch.clock import micros
from forewatch.store import forecasts, models, points, series
from forewatch.store.engine import Store
from forewatch.store.forecasts import SCORES_KEPT, Forecast
from forewatch.store.models import Model

pytestmark = pytest.mark.unit

HOUR = micros(3600)
HOURLY = Forecast(7, 0, "hour", 0, 300.0, "m", [1.0] * 12, [0.5] * 12, [1.5] * 12)
DAILY = replace(HOURLY, horizon="day", step=7200.0)


def unscored(conn) -> list[int]:
    return [one.made_at for one in forecasts.unscored_due(conn, 10**15)]


def test_of_an_hour_all_forecasts_stay_until_they_are_over(store: Store) -> None:
    with store.measure() as conn:
        for minute in range(3):
            forecasts.add_many(conn, [replace(HOURLY, made_at=minute, start=minute)])
        assert unscored(conn) == [0, 1, 2]


def test_of_a_day_the_one_to_be_scored_and_the_newest_stay(store: Store) -> None:
    with store.measure() as conn:
        for at in range(5):
            forecasts.add_many(conn, [replace(DAILY, made_at=at, start=at), replace(DAILY, series_id=8)])
        assert [one.made_at for one in forecasts.unscored_due(conn, 10**15) if one.series_id == 7] == [0, 4]


def test_scores_stay_for_the_last_forecasts_without_their_values(store: Store) -> None:
    with store.measure() as conn:
        for hour in range(SCORES_KEPT + 5):
            number = forecasts.add(conn, replace(HOURLY, made_at=hour * HOUR, start=hour * HOUR))
            forecasts.score(conn, number, coverage=hour / 100, error=0.0, now=hour * HOUR)
        found = forecasts.coverages(conn)[7, "hour"]
        assert len(found) == SCORES_KEPT
        assert found[0] == (SCORES_KEPT + 4) / 100
        assert forecasts.scored_until(conn, [7]) == {(7, "hour"): (SCORES_KEPT + 4) * HOUR + micros(3300)}
        lists = conn.execute(forecasts.forecasts.select()).first()
        assert lists is not None
        assert lists.mean == lists.lower == lists.upper == []


def test_the_newest_of_many_series_and_horizons_are_found_at_once(store: Store) -> None:
    with store.measure() as conn:
        forecasts.add_many(conn, [HOURLY, replace(HOURLY, series_id=8), DAILY])
        forecasts.add_many(conn, [replace(HOURLY, made_at=5)])
        found = forecasts.newest_many(conn, [7, 8, 9])
        assert {key: one.made_at for key, one in found.items()} == {(7, "hour"): 5, (8, "hour"): 0, (7, "day"): 0}
        assert found[7, "hour"] == forecasts.newest(conn, 7)


def test_a_model_comes_back_as_it_was_put_and_the_next_one_takes_its_place(store: Store) -> None:
    row = Model(7, "week", 5, 4, 90, b"\x01state")
    with store.measure() as conn:
        models.put_many(conn, [row, replace(row, series_id=8), replace(row, horizon="day")])
        models.put_many(conn, [replace(row, state=None, made_at=None, refit_at=None, reason="has no data")])
        assert models.get_all(conn, horizon="week", series_id=7)[7, "week"].reason == "has no data"
        assert len(models.get_all(conn)) == 3


def test_a_failing_series_is_known_with_what_its_forecasts_came_to(store: Store) -> None:
    with store.measure() as conn:
        models.put_many(conn, [Model(7, "hour", 5)])
        number = forecasts.add(conn, HOURLY)
        forecasts.score(conn, number, coverage=0.25, error=1.0, now=HOUR)
        assert models.demoted(conn) == {}
        models.set_demoted(conn, 7, "hour", HOUR)
        [trust] = models.demoted(conn).values()
        assert (trust.demoted, trust.coverage, trust.scored) == (True, 0.25, 1)
        models.set_demoted(conn, 7, "hour", None)
        assert models.demoted(conn) == {}


def test_models_of_series_that_are_gone_go(store: Store) -> None:
    with store.measure() as conn:
        points.write(conn, [points.Point("load", {}, "host", HOUR, 1.0)])
        (one,) = series.all_series(conn)
        models.put_many(conn, [Model(one.id, "hour", 5), Model(one.id + 1, "hour", 5)])
        assert models.forget_removed(conn) == 1
        assert [number for number, _ in models.get_all(conn)] == [one.id]
