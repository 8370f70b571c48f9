"""Which series are counters: a name only hints, values may say otherwise, the configuration settles it."""

from __future__ import annotations

import pytest

from forewatch.clock import micros
from forewatch.config.models import Rule
from forewatch.detection.rules import RuleState, evaluate
from forewatch.store import models, points, series
from forewatch.store.points import Point
from forewatch.store.series import Series
from tasks.forecasting.counting import settle, settled_by
from tasks.forecasting.series import measured

pytestmark = pytest.mark.unit

NOW = micros(1_767_225_600)
GAUGE = [100.0, 120.0, 90.0, 110.0] * 10


def fill(store, metric: str, values: list[float]) -> None:
    with store.measure() as conn:
        points.write(
            conn,
            [Point(metric, {}, "shop", NOW - micros(60 * (len(values) - k)), value) for k, value in enumerate(values)],
        )


def known(store, metric: str) -> Series:
    with store.read_metrics() as conn:
        [one] = series.find(conn, metric)
    return one


def test_a_gauge_that_is_called_a_count_is_found_out_and_stays_one(store):
    fill(store, "queue_count", GAUGE)
    assert known(store, "queue_count").counts
    assert settle(store, {}, NOW) == 1
    one = known(store, "queue_count")
    assert not one.counts
    assert measured(one, [(0, 100.0), (1, 90.0)]) == [(0, 100.0), (1, 90.0)]
    assert settle(store, {}, NOW) == 0
    assert settle(store, {}, NOW + micros(7 * 86_400)) == 0
    assert not known(store, "queue_count").counts


def test_a_counter_stays_one_though_it_begins_again(store):
    fill(store, "jobs_total", [float(k % 20) for k in range(60)])
    assert settle(store, {}, NOW) == 0
    assert known(store, "jobs_total").counts


def test_what_forewatch_measures_itself_is_what_it_is_called(store):
    fill(store, "system.network.errors", GAUGE)
    assert settle(store, {}, NOW) == 0


def test_the_configuration_settles_it_either_way(store):
    fill(store, "queue_count", GAUGE)
    fill(store, "jobs.done", [1.0, 2.0, 3.0])
    assert settle(store, {"queue_count": True, "jobs.*": True}, NOW) == 2
    assert known(store, "queue_count").counts
    assert known(store, "jobs.done").counts
    assert settle(store, {"jobs.done": False}, NOW) == 2
    assert not known(store, "queue_count").counts
    assert not known(store, "jobs.done").counts
    assert settle(store, {}, NOW) == 1
    assert known(store, "jobs.done").counter is None


def test_what_was_learned_of_it_as_a_counter_is_forgotten(store):
    fill(store, "queue_count", GAUGE)
    number = known(store, "queue_count").id
    with store.measure() as conn:
        models.put_many(conn, [models.Model(number, "hour", NOW, NOW, NOW, b"x")])
    settle(store, {}, NOW)
    with store.read_metrics() as conn:
        assert models.get_all(conn, series_id=number) == {}


def test_a_name_goes_before_a_pattern():
    assert settled_by({"*": False, "jobs.done": True}, "jobs.done") is True
    assert settled_by({"jobs.*": True}, "jobs.done") is True
    assert settled_by({"jobs.*": True}, "queue_count") is None


def test_a_rule_against_a_forecast_looks_at_a_gauges_value_and_at_a_counters_growth():
    rule = Rule.model_validate({"alert": "Odd", "metric": "queue_count", "outside": "forecast", "window": "5m"})
    samples = [(NOW - micros(60 * k), 100.0) for k in range(5)]
    judged = {
        counts: evaluate(rule, samples, (), None, RuleState(), NOW, counts=counts) for counts in (True, False, None)
    }
    assert judged[False].evidence.value == 100
    assert judged[True].evidence.value == judged[None].evidence.value == 0
    assert "counts" not in judged[True].evidence.as_json(rule)
