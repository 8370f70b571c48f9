"""Answers in time are counted from what checks left: once, all of them, in the order they came."""

from __future__ import annotations

import pytest

from forewatch.clock import MICROSECONDS, micros
from forewatch.config.models import Config
from forewatch.series.objective_answers import DURATION, IN_TIME, UP, service_objectives
from forewatch.store import points, series
from forewatch.store.points import Point
from tasks.rules.in_time import InTime

pytestmark = pytest.mark.unit

T0 = 1_767_225_600 * MICROSECONDS


def objectives(*unders: str):
    objectives = [{"name": f"in-{under}", "latency": {"under": under, "share": "99%"}} for under in unders]
    service = {"name": "shop", "checks": [{"http": "http://shop/"}], "objectives": objectives}
    return service_objectives(Config.model_validate({"services": [service]}))


def answer(store, second: float, up: float, took: float | None, instance: str = "default", service: str = "shop"):
    labels, at = {"check": "http", "instance": instance}, T0 + micros(second)
    batch = [Point(UP, labels, service, at, up)]
    if took is not None:
        batch.append(Point(DURATION, labels, service, at, took))
    with store.measure() as conn:
        points.write(conn, batch)


def counted(store, under: str = "0.3s", instance: str = "default") -> list[tuple[float, float]]:
    with store.read_metrics() as conn:
        found = series.find(conn, IN_TIME, {"under": under, "instance": instance, "service": "shop", "check": "http"})
        return [
            ((at - T0) / MICROSECONDS, value)
            for one in found
            for at, value in points.between(conn, one.id, 0, T0 + micros(10**7))
        ]


def test_it_is_good_if_it_passed_in_less_than_the_threshold(store):
    for second, up, took in ((0, 1, 0.2), (10, 1, 0.3), (20, 0, 0.01), (30, 1, 0.29)):
        answer(store, second, up, took)
    assert InTime(store).tick(objectives("300ms"), T0 + micros(31))
    assert counted(store) == [(0, 1), (10, 0), (20, 0), (30, 1)]


def test_each_threshold_and_each_instance_counts_for_itself(store):
    answer(store, 0, 1, 0.4, "a")
    answer(store, 0, 1, 0.2, "b")
    InTime(store).tick(objectives("300ms", "500ms"), T0 + micros(1))
    assert [counted(store, under, one) for under in ("0.3s", "0.5s") for one in "ab"] == [
        [(0, 0)], [(0, 1)], [(0, 1)], [(0, 1)]
    ]  # fmt: skip


def test_the_next_watch_goes_on_where_this_one_stopped(store):
    kept, first = objectives("300ms"), InTime(store)
    answer(store, 0, 1, 0.2)
    first.tick(kept, T0 + micros(1))
    answer(store, 10, 1, 0.2)
    answer(store, 20, 0, 0.2)
    second = InTime(store)
    second.tick(kept, T0 + micros(21))
    second.tick(kept, T0 + micros(22))
    assert counted(store) == [(0, 1), (10, 1), (20, 0)]


def test_the_past_is_counted_slice_by_slice_as_time_allows(store, monkeypatch):
    monkeypatch.setattr("tasks.rules.in_time._SLICE", 10)
    labels = {"check": "http", "instance": "default"}
    with store.measure() as conn:
        for metric in (UP, DURATION):
            points.write(conn, [Point(metric, labels, "shop", T0 + micros(s * 60), 1.0) for s in range(95)])
    kept, counting = objectives("2s"), InTime(store)
    now = T0 + micros(95 * 60 + 86400)
    assert not counting.tick(kept, now, budget=0.0)
    assert counted(store, "2s") == []
    assert counting.tick(kept, now, budget=60.0)
    assert counted(store, "2s") == [(s * 60, 1) for s in range(95)]


def test_what_came_while_nobody_counted_is_not_missed(store):
    kept, counting = objectives("300ms"), InTime(store)
    answer(store, 0, 1, 0.2)
    counting.tick(kept, T0 + micros(1))
    answer(store, 5000, 1, 0.2)
    answer(store, 90_000, 0, 0.2)
    assert counting.tick(kept, T0 + micros(90_001))
    assert counted(store) == [(0, 1), (5000, 1), (90_000, 0)]


def test_a_result_that_cannot_be_written_is_counted_the_next_time(store, monkeypatch):
    kept, counting = objectives("300ms"), InTime(store)
    answer(store, 0, 1, 0.2)
    with monkeypatch.context() as patched:
        patched.setattr(points, "write", lambda *_: (_ for _ in ()).throw(OSError("the disk is full")))
        with pytest.raises(OSError, match="the disk is full"):
            counting.tick(kept, T0 + micros(1))
    counting.tick(kept, T0 + micros(2))
    assert counted(store) == [(0, 1)]


def test_other_services_and_objectives_for_availability_leave_no_points(store):
    answer(store, 0, 1, 0.2, service="mail")
    InTime(store).tick(objectives("300ms"), T0 + micros(1))
    service = {"name": "mail", "checks": [{"http": "http://mail/"}], "objectives": [{"availability": "99%"}]}
    InTime(store).tick(service_objectives(Config.model_validate({"services": [service]})), T0 + micros(1))
    with store.read_metrics() as conn:
        assert series.find(conn, IN_TIME) == []


@pytest.mark.parametrize("new_watch", [False, True])
def test_a_clock_that_was_ahead_for_a_while_leaves_no_answer_uncounted(store, new_watch):
    kept, counting = objectives("300ms"), InTime(store)
    answer(store, 86_400, 1, 0.2)
    counting.tick(kept, T0 + micros(86_401))
    for second in (10, 20, 30):
        answer(store, second, 0, 0.2)
        (InTime(store) if new_watch else counting).tick(kept, T0 + micros(second + 1))
    assert counted(store) == [(10, 0), (20, 0), (30, 0), (86_400, 1)]
