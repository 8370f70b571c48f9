"""Points: written once, found again, and never under the number of a series that is gone."""

from __future__ import annotations

import logging

import pytest
from sqlalchemy import func, select

from forewatch.clock import micros
from forewatch.store import forecasts, marks, points, rollups, schema, series
from forewatch.store.engine import Store
from forewatch.store.points import Point

pytestmark = pytest.mark.unit

START = micros(1_767_225_600)  # a full hour
CPU = "system.cpu.utilization"


def point(at: float, value: float, metric: str = CPU, service: str = "host", **labels: str) -> Point:
    return Point(metric, labels, service, START + micros(at), value)


def write(store: Store, *batch: Point) -> int:
    with store.measure() as conn:
        return points.write(conn, batch)


def roll(store: Store, at: float) -> None:
    with store.measure() as conn:
        assert rollups.roll(conn, START + micros(at), budget=60)


def stored(store: Store, metric: str = CPU) -> list[tuple[float, float]]:
    """(seconds from START, value) of the metric's only series."""
    with store.read_metrics() as conn:
        (one,) = series.find(conn, metric)
        return [((at - START) / 1e6, value) for at, value in points.between(conn, one.id, 0, START * 2)]


def test_points_come_back_in_order_of_time(store: Store) -> None:
    assert write(store, point(10, 2.0), point(0, 1.0), point(20, 3.0)) == 3
    assert stored(store) == [(0, 1.0), (10, 2.0), (20, 3.0)]


def test_a_point_written_twice_counts_once_and_the_later_value_wins(store: Store) -> None:
    write(store, point(0, 1.0), point(0, 2.0))
    write(store, point(0, 3.0))
    assert stored(store) == [(0, 3.0)]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1.7e308])
def test_what_is_no_measurement_is_dropped_and_said(
    store: Store, value: float, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert write(store, point(0, 1.0), point(5, value)) == 1
    assert "1 of 2 points dropped" in caplog.text
    assert stored(store) == [(0, 1.0)]


def test_an_undated_point_is_dropped(store: Store) -> None:
    assert write(store, Point(CPU, {}, "host", 0, 1.0), point(0, 1.0)) == 1


def test_labels_in_another_order_are_the_same_series(store: Store) -> None:
    write(store, Point(CPU, {"a": "1", "b": "2"}, "host", START, 1.0))
    write(store, Point(CPU, {"b": "2", "a": "1"}, "host", START + 1, 1.0))
    assert len(stored(store)) == 2


def test_the_service_is_a_label_and_tells_series_apart(store: Store) -> None:
    write(store, point(0, 1.0, "check.up", "web", check="http"), point(0, 0.0, "check.up", "shop", check="http"))
    with store.read_metrics() as conn:
        found = series.find(conn, "check.up", {"service": "shop"})
    assert [(one.service, dict(one.labels)) for one in found] == [("shop", {"service": "shop", "check": "http"})]


def test_series_are_found_by_labels_by_predicate_and_by_what_is_absent(store: Store) -> None:
    write(store, point(0, 1.0, mountpoint="/"), point(0, 1.0, mountpoint="/data", kind="raid"))
    with store.read_metrics() as conn:
        assert len(series.find(conn, CPU)) == 2
        assert [one.labels["mountpoint"] for one in series.find(conn, CPU, {"kind": ""})] == ["/"]
        assert [one.labels["mountpoint"] for one in series.find(conn, CPU, lambda of: "kind" in of)] == ["/data"]
        assert series.find(conn, "another") == []


def test_a_name_that_is_no_text_is_stored_all_the_same(store: Store) -> None:
    write(store, point(0, 1.0, mountpoint="/mnt/\udcff"))
    assert stored(store) == [(0, 1.0)]


def test_a_series_whose_making_was_rolled_back_is_made_again(store: Store) -> None:
    def give_up() -> None:
        with store.measure() as conn:
            points.write(conn, [point(0, 1.0, "given.up")])
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        give_up()
    write(store, point(0, 2.0, "taker.of.its.number"))
    write(store, point(0, 3.0, "given.up"))
    assert stored(store, "taker.of.its.number") == [(0, 2.0)]
    assert stored(store, "given.up") == [(0, 3.0)]


def test_a_process_that_remembers_a_removed_series_makes_it_anew(store: Store) -> None:
    other = Store.open(store.home)
    try:
        write(other, point(0, 1.0))
        with store.measure() as conn:
            conn.execute(schema.points.delete())
            assert series.remove_empty(conn) == 1
        write(store, point(0, 5.0, "taker.of.its.number"))
        write(other, point(10, 2.0))
    finally:
        other.close()
    assert stored(store) == [(10, 2.0)]
    assert stored(store, "taker.of.its.number") == [(0, 5.0)]


def test_a_series_with_a_forecast_stays(store: Store) -> None:
    with store.measure() as conn:
        points.write(conn, [point(0, 1.0)])
        (one,) = series.all_series(conn)
        forecasts.add(conn, forecasts.Forecast(one.id, START, "hour", START, 60.0, "ar", [1.0], [0.0], [2.0]))
        conn.execute(schema.points.delete())
        assert series.remove_empty(conn) == 0


def test_last_and_window(store: Store) -> None:
    write(store, point(0, 1.0), point(10, 2.0), point(0, 7.0, "other"))
    with store.read_metrics() as conn:
        (cpu,), (other,) = series.find(conn, CPU), series.find(conn, "other")
        assert points.last(conn, cpu.id) == (START + micros(10), 2.0)
        assert points.last(conn, 999) is None
        found = points.window(conn, [cpu.id, other.id, 999], START + 1, START + micros(10))
        assert found == {cpu.id: [(START + micros(10), 2.0)]}


def test_reading_in_steps_gives_means_and_the_sum_of_it_all_is_the_same_from_points_and_roll_ups(store: Store) -> None:
    write(store, *(point(at, at / 10) for at in range(0, 7200, 10)))
    with store.read_metrics() as conn:
        (one,) = series.find(conn, CPU)
        from_points = points.read(conn, one.id, START, START + micros(7200), 300)
    assert len(from_points) == 24
    assert from_points[0] == (START, pytest.approx(14.5))
    roll(store, 3900)  # 13 five-minute buckets and one hour; the rest is still points only
    with store.read_metrics() as conn:
        assert points.read(conn, one.id, START, START + micros(7200), 300) == from_points
        hours = points.read(conn, one.id, START, START + micros(7200), 3600)
        assert points.read(conn, one.id, START, START + micros(60), 0)[1] == (START + micros(10), 1.0)
    assert hours == [(START, pytest.approx(179.5)), (START + micros(3600), pytest.approx(539.5))]


def test_where_points_are_no_longer_kept_roll_ups_stand_in(store: Store) -> None:
    write(store, *(point(at, 4.0) for at in range(0, 7200, 60)))
    roll(store, 7200)
    with store.measure() as conn:
        conn.execute(schema.points.delete().where(schema.points.c.at < START + micros(3600)))
    with store.read_metrics() as conn:
        (one,) = series.find(conn, CPU)
        found = points.read(conn, one.id, START, START + micros(7200), 60)
    assert [value for _, value in found] == [4.0] * (12 + 60)
    assert [at for at, _ in found[:2]] == [START, START + micros(300)]


def test_marks_and_late_hours_are_noted_with_the_write(store: Store) -> None:
    write(store, point(0, 1.0))
    roll(store, 3600)
    write(store, point(5, 1.0), point(3601, 1.0))
    with store.read_metrics() as conn:
        assert marks.get_all(conn)["rollup.300"] == START + micros(3600)
        assert conn.execute(select(func.count()).select_from(schema.late_points)).scalar() == 1


def test_the_means_of_many_series_are_those_of_each(store: Store) -> None:
    write(store, *(point(60 * minute, minute, host="a") for minute in range(150)))
    write(store, *(point(60 * minute, 2 * minute, host="b") for minute in range(0, 150, 7)))
    roll(store, 7200)
    with store.measure() as conn:
        # Of one the fine roll-ups are gone, so hours stand in.
        (a, b) = (one.id for one in series.find(conn, CPU))
        gone = schema.rollups.c
        conn.execute(
            schema.rollups.delete().where(gone.series_id == b, gone.resolution == 300, gone.at < START + micros(3600))
        )
        conn.execute(schema.points.delete().where(schema.points.c.at < START + micros(3600)))
    with store.read_metrics() as conn:
        for step in (0, 60, 300, 3600):
            many = points.read_many(conn, [a, b, 99], START, START + micros(9000), step)
            assert many == {number: points.read(conn, number, START, START + micros(9000), step) for number in (a, b)}
        assert points.read(conn, b, START, START + micros(9000), 300)[0][0] == START
