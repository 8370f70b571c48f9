"""Sums of many series over steps: the same from points, from roll-ups and from both."""

from __future__ import annotations

import pytest

from forewatch.clock import micros
from forewatch.store import buckets, points, rollups, series
from forewatch.store.engine import Store
from forewatch.store.points import Point

pytestmark = pytest.mark.unit

START = micros(1_767_225_600)


def write(store: Store, *, until: int, every: int = 30) -> list[int]:
    with store.measure() as conn:
        points.write(
            conn,
            [
                Point("m", {}, service, START + micros(at), float(at))
                for service in ("one", "two")
                for at in range(0, until, every)
            ],
        )
        return [one.id for one in series.find(conn, "m")]


def sums(store: Store, ids: list[int], start: int, end: int, width: float) -> list[tuple[int, int, float, int]]:
    with store.read_metrics() as conn:
        found = buckets.sums(conn, ids, START + micros(start), START + micros(end), width)
    return sorted((one.series_id, (one.at - START) // micros(1), one.sum, one.count) for one in found)


def test_points_are_summed_by_step(store: Store) -> None:
    [first, second] = write(store, until=120)
    assert sums(store, [first], 0, 120, 60.0) == [(first, 0, 30.0, 2), (first, 60, 150.0, 2)]
    assert sums(store, [first, second], 60, 90, 60.0) == [(first, 60, 60.0, 1), (second, 60, 60.0, 1)]
    assert sums(store, [], 0, 120, 60.0) == []


@pytest.mark.parametrize("width", [300.0, 600.0])
def test_rolled_up_and_fresh_steps_join_without_a_gap_or_a_double(store: Store, width: float) -> None:
    ids = write(store, until=1500)
    fresh = sums(store, ids, 0, 1500, width)
    with store.measure() as conn:
        assert rollups.roll(conn, START + micros(1000), budget=60)
    assert sums(store, ids, 0, 1500, width) == fresh


def test_roll_ups_serve_where_points_are_gone(store: Store) -> None:
    ids = write(store, until=600)
    whole = sums(store, ids, 0, 600, 300.0)
    with store.measure() as conn:
        assert rollups.roll(conn, START + micros(600), budget=60)
        conn.exec_driver_sql("DELETE FROM points")
    assert sums(store, ids, 0, 600, 300.0) == whole
