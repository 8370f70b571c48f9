"""Totals over a span: the same whatever is rolled up, to the point."""

from __future__ import annotations

import random

import pytest

from forewatch.clock import micros
from forewatch.store import points, rollups, series, totals
from forewatch.store.engine import Store
from forewatch.store.points import Point

pytestmark = pytest.mark.unit

START = micros(1_767_225_600)
HOUR = 3600


def at(second: float) -> int:
    return START + micros(second)


def write(store: Store, seconds: range, *services: str) -> list[int]:
    """A point a moment, of which every third is bad; the numbers of the series."""
    with store.measure() as conn:
        points.write(conn, [Point("m", {}, name, at(s), float(s % 3 > 0)) for name in services for s in seconds])
        return [one.id for one in series.find(conn, "m")]


def roll(store: Store, until: float) -> None:
    with store.measure() as conn:
        assert rollups.roll(conn, at(until), budget=60)


def total(store: Store, ids: list[int], start: float, end: float) -> dict[int, tuple[float, int]]:
    with store.read_metrics() as conn:
        found = totals.totals(conn, ids, at(start), at(end))
    return {number: (one.sum, one.count) for number, one in found.items()}


def test_a_span_holds_its_beginning_and_not_its_end(store: Store) -> None:
    [number] = write(store, range(0, 40, 10), "shop")
    assert total(store, [number], 10, 30) == {number: (2.0, 2)}
    assert total(store, [number], 11, 20) == {}
    assert total(store, [], 0, 40) == {}


def test_the_same_is_said_whatever_is_rolled_up(store: Store) -> None:
    ids = write(store, range(0, 5 * HOUR, 7), "shop", "mail")
    dice = random.Random(4)
    spans = [sorted((dice.uniform(0, 5 * HOUR), dice.uniform(0, 5 * HOUR))) for _ in range(40)]
    spans += [[0, 5 * HOUR], [300, 600], [HOUR, 3 * HOUR], [1, 2]]
    fresh = [total(store, ids, *span) for span in spans]
    for until in (1000, 2 * HOUR + 100, 4 * HOUR, 5 * HOUR):
        roll(store, until)
        assert [total(store, ids, *span) for span in spans] == fresh


def test_where_points_are_no_longer_kept_roll_ups_say_it(store: Store) -> None:
    [number] = write(store, range(0, 3 * HOUR, 10), "shop")
    roll(store, 3 * HOUR)
    before = total(store, [number], 0, 3 * HOUR)
    with store.measure() as conn:
        conn.exec_driver_sql("DELETE FROM points")
    assert total(store, [number], 0, 3 * HOUR) == before
    # Of the broken buckets at its ends nothing is known any more.
    assert total(store, [number], 100, 3 * HOUR)[number][1] == before[number][1] - 30


def test_it_says_how_much_of_the_span_was_watched(store: Store) -> None:
    ids = write(store, range(0, HOUR, 10), "shop")
    write(store, range(3 * HOUR, 4 * HOUR, 10), "shop")
    roll(store, 4 * HOUR)
    with store.read_metrics() as conn:
        [found] = totals.totals(conn, ids, at(0), at(4 * HOUR)).values()
    assert found.covered == 2 * HOUR


@pytest.mark.parametrize("until", [0.0, 20.5 * HOUR, 24.0 * HOUR])
def test_the_parts_of_a_span_add_up_to_it(store: Store, until: float) -> None:
    [number] = write(store, range(0, 24 * HOUR, 60), "shop")
    roll(store, until)
    with store.read_metrics() as conn:
        parts = totals.in_parts(conn, [number], at(0), at(24 * HOUR), 12)[number]
    assert sum(part[1] for part in parts) == 1440
    assert (sum(part[0] for part in parts), 1440) == total(store, [number], 0, 24 * HOUR)[number]


def test_each_part_holds_its_own_hours(store: Store) -> None:
    [number] = write(store, range(0, 24 * HOUR, 60), "shop")
    roll(store, 24 * HOUR)
    with store.read_metrics() as conn:
        parts = totals.in_parts(conn, [number], at(0), at(24 * HOUR), 12)[number]
    assert [part[1] for part in parts] == [120] * 12


def test_what_is_kept_begins_with_the_first_point(store: Store) -> None:
    [number] = write(store, range(2000, 2 * HOUR, 10), "shop")
    roll(store, 2 * HOUR)
    with store.read_metrics() as conn:
        assert totals.kept(conn, [number, 99]) == {number: totals.Kept(at(2000), at(2 * HOUR - 10))}


def test_where_only_roll_ups_are_kept_it_begins_no_earlier_than_is_sure(store: Store) -> None:
    [number] = write(store, range(2000, 2 * HOUR, 10), "shop")
    roll(store, 2 * HOUR)
    with store.measure() as conn:
        conn.exec_driver_sql("DELETE FROM points")
        [kept] = totals.kept(conn, [number]).values()
    assert kept == totals.Kept(at(2100), None)
