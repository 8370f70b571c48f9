"""Roll-ups say what the points said, whatever order the points came in and whichever way the clock went."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from forewatch.clock import micros
from forewatch.store import points, rollups, schema
from forewatch.store.engine import Store
from forewatch.store.points import Point

pytestmark = pytest.mark.unit

START = micros(1_767_225_600)
Sample = tuple[int, float]
"""(seconds from START, value)"""


def write(store: Store, samples: Sequence[Sample], metric: str = "m") -> None:
    with store.measure() as conn:
        points.write(conn, [Point(metric, {}, "host", START + micros(at), value) for at, value in samples])


def roll(store: Store, at: int) -> None:
    with store.measure() as conn:
        assert rollups.roll(conn, START + micros(at), budget=60)


def buckets(store: Store, resolution: int) -> dict[int, tuple[int, float, float, float, float]]:
    """Start in seconds -> count, sum, min, max, last."""
    c = schema.rollups.c
    with store.read_metrics() as conn:
        rows = conn.execute(select(c.at, c["count"], c.sum, c.min, c.max, c.last).where(c.resolution == resolution))
        return {(at - START) // micros(1): tuple(rest) for at, *rest in rows}  # type: ignore[misc]


def expected(
    samples: Sequence[Sample], resolution: int, until: int
) -> dict[int, tuple[int, float, float, float, float]]:
    kept = dict(samples)  # the later of two at the same time wins
    made = {}
    for start in {at - at % resolution for at in kept}:
        inside = [kept[at] for at in sorted(kept) if start <= at < start + resolution]
        if start + resolution <= until - until % resolution:
            made[start] = (len(inside), math.fsum(inside), min(inside), max(inside), inside[-1])
    return made


def same(
    found: dict[int, tuple[int, float, float, float, float]], wanted: dict[int, tuple[int, float, float, float, float]]
) -> None:
    assert found.keys() == wanted.keys()
    for start, (count, total, least, most, last) in wanted.items():
        assert found[start] == (count, pytest.approx(total, rel=1e-9, abs=1e-3), least, most, last)


times = st.integers(0, 3 * 3600 - 1)
values = st.floats(-1e6, 1e6, allow_nan=False)
batches = st.lists(st.lists(st.tuples(times, values), max_size=25), min_size=1, max_size=5)
clocks = st.lists(st.integers(0, 3 * 3600), min_size=5, max_size=5)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=batches, clock=clocks)
def test_roll_ups_equal_the_points_with_late_ones_duplicates_and_a_jumping_clock(
    store: Store, batches: list[list[Sample]], clock: list[int]
) -> None:
    with store.measure() as conn:
        for table in (schema.points, schema.rollups, schema.late_points, schema.marks, schema.series):
            conn.execute(table.delete())
        conn.execute(schema.marks.insert(), [{"name": "series", "value": hash(str((batches, clock))) % 10**9}])
    for batch, now in zip(batches, clock, strict=False):
        write(store, batch)
        roll(store, now)
    end = 3 * 3600
    roll(store, end)
    samples = [sample for batch in batches for sample in batch]
    same(buckets(store, 300), expected(samples, 300, end))
    same(buckets(store, 3600), expected(samples, 3600, end))


def test_a_bucket_is_rolled_up_only_once_it_has_ended(store: Store) -> None:
    write(store, [(10, 1.0), (299, 3.0)])
    roll(store, 299)
    assert buckets(store, 300) == {}
    roll(store, 300)
    assert buckets(store, 300) == {0: (2, 4.0, 1.0, 3.0, 3.0)}
    assert buckets(store, 3600) == {}


def test_a_late_point_changes_its_bucket_and_its_hour(store: Store) -> None:
    write(store, [(10, 1.0), (3700, 1.0)])
    roll(store, 7200)
    write(store, [(20, 5.0)])
    roll(store, 7200)
    assert buckets(store, 300)[0] == (2, 6.0, 1.0, 5.0, 5.0)
    assert buckets(store, 3600)[0] == (2, 6.0, 1.0, 5.0, 5.0)


def test_a_straggler_does_not_wipe_out_a_bucket_whose_points_are_gone(store: Store) -> None:
    write(store, [(10, 1.0), (20, 2.0), (30, 3.0)])
    roll(store, 3600)
    with store.measure() as conn:
        conn.execute(schema.points.delete())
    write(store, [(40, 100.0)])
    roll(store, 3600)
    assert buckets(store, 300)[0] == (3, 6.0, 1.0, 3.0, 3.0)


def test_a_clock_set_back_rolls_up_the_hour_lived_through_twice(store: Store) -> None:
    write(store, [(at, 1.0) for at in range(0, 3600, 60)])
    roll(store, 3600)
    write(store, [(at + 30, 3.0) for at in range(0, 3600, 60)])
    roll(store, 600)
    roll(store, 3600)
    assert buckets(store, 3600)[0] == (120, 240.0, 1.0, 3.0, 3.0)


def test_a_gap_of_years_is_passed_over_at_once(store: Store) -> None:
    write(store, [(0, 1.0), (20 * 365 * 86400, 2.0)])
    roll(store, 21 * 365 * 86400)
    assert len(buckets(store, 300)) == len(buckets(store, 3600)) == 2


def test_without_time_left_it_says_so_and_goes_on_where_it_was(store: Store) -> None:
    write(store, [(at, 1.0) for at in range(0, 7200, 300)])
    rounds = 0
    done = False
    while not done:
        with store.measure() as conn:
            done = rollups.roll(conn, START + micros(7200), budget=0.0005)
        rounds += 1
        assert rounds < 1000
    assert rounds > 1
    assert len(buckets(store, 300)) == 24
    assert len(buckets(store, 3600)) == 2


def test_series_are_kept_apart(store: Store) -> None:
    write(store, [(0, 1.0)], "one")
    write(store, [(0, 2.0), (1, 3.0)], "two")
    roll(store, 300)
    with store.read_metrics() as conn:
        found = conn.execute(select(schema.rollups.c["count"], schema.rollups.c.sum)).all()
    assert sorted(tuple(row) for row in found) == [(1, 1.0), (2, 5.0)]
