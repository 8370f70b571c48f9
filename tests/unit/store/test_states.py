"""Check states, rule states and forecasts: what was put is what comes back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from forewatch.store import check_states, forecasts, rule_states
from forewatch.store.check_states import CheckState
from forewatch.store.engine import Store
from forewatch.store.forecasts import Forecast
from forewatch.store.rule_states import RuleState

pytestmark = pytest.mark.unit

UP = CheckState("web", "http", "default", "up", 0, 4, since=10, at=20, duration=0.012, reason="")
FORECAST = Forecast(7, 1_000, "hour", 60_000_000, 60.0, "ar", [1.0, 2.0, 3.0], [0.0, 1.0, 2.0], [2.0, 3.0, 4.0])


def test_a_check_has_one_state_a_service_check_and_instance(store: Store) -> None:
    down = replace(UP, status="down", failures=3, successes=0, reason="refused")
    other = replace(UP, instance="z")
    with store.measure() as conn:
        check_states.put_many(conn, [UP, other])
        check_states.put_many(conn, [down])
        assert check_states.get_all(conn) == [down, other]
        check_states.remove(conn, [down.key])
        assert check_states.get_all(conn) == [other]


def test_rule_states_come_back_by_key(store: Store) -> None:
    pending = RuleState("DiskFilling{}", 5, False, 0.91, 10)
    firing = RuleState("HighLoad{}", 1, True, None, 10)
    with store.measure() as conn:
        rule_states.put_many(conn, [pending, firing])
        rule_states.put_many(conn, [replace(pending, firing=True)])
        assert rule_states.get_all(conn) == {pending.key: replace(pending, firing=True), firing.key: firing}
        rule_states.remove(conn, [pending.key, "unknown"])
        assert rule_states.get_all(conn) == {firing.key: firing}


def test_nothing_to_put_is_no_error(store: Store) -> None:
    with store.measure() as conn:
        check_states.put_many(conn, [])
        rule_states.put_many(conn, [])


def test_the_newest_forecast_of_a_series_is_found(store: Store) -> None:
    with store.measure() as conn:
        forecasts.add(conn, FORECAST)
        number = forecasts.add(conn, replace(FORECAST, made_at=2_000))
        forecasts.add(conn, replace(FORECAST, series_id=8, made_at=3_000))
        assert forecasts.newest(conn, 7) == replace(FORECAST, made_at=2_000, id=number)
        assert forecasts.newest(conn, 9) is None


def test_a_forecast_is_due_for_scoring_once_its_last_step_has_passed_and_only_once(store: Store) -> None:
    with store.measure() as conn:
        number = forecasts.add(conn, FORECAST)
        assert forecasts.unscored_due(conn, FORECAST.until - 1) == []
        assert [one.id for one in forecasts.unscored_due(conn, FORECAST.until)] == [number]
        forecasts.score(conn, number, coverage=0.9, error=0.1, now=FORECAST.until)
        assert forecasts.unscored_due(conn, FORECAST.until) == []
        assert forecasts.newest(conn, 7) is None
        assert forecasts.coverages(conn) == {(7, FORECAST.horizon): [0.9]}


def test_a_forecast_whose_lists_differ_in_length_is_refused(store: Store) -> None:
    with store.measure() as conn, pytest.raises(ValueError, match="same length"):
        forecasts.add(conn, replace(FORECAST, lower=[1.0]))
