"""How often systemd has restarted a unit of late."""

from __future__ import annotations

import pytest

from forewatch.checking.restarts import Restarts

pytestmark = pytest.mark.unit


def counted(*seen: tuple[float, int]) -> list[int]:
    restarts = Restarts()
    return [restarts.seen("shop", count, at)[0] for at, count in seen]


def test_restarts_are_counted_from_the_first_look():
    assert counted((0, 3), (30, 9), (60, 14)) == [0, 6, 11]


def test_restarts_of_more_than_an_hour_ago_are_forgotten():
    every_ten_minutes = [(minute * 60, minute // 10) for minute in range(241)]
    assert max(counted(*every_ten_minutes)) == 6
    assert counted((0, 0), (10, 4), (1_800, 4), (3_500, 4), (3_700, 4), (9_000, 4)) == [0, 4, 4, 4, 0, 0]


def test_a_counter_that_begins_again_was_started_by_hand():
    assert counted((0, 0), (60, 9), (120, 0), (180, 1)) == [0, 9, 0, 1]
    assert counted((0, 9), (60, 2)) == [0, 2]


def test_units_do_not_share_their_restarts():
    restarts = Restarts()
    restarts.seen("a", 0, 0)
    assert restarts.seen("b", 9, 1) == (0, 0)
    assert restarts.seen("a", 2, 2) == (2, 2)


def test_what_an_earlier_watch_saw_counts_once():
    restarts = Restarts()
    restarts.remember("shop", [(-1_800, 3), (-60, 6)])
    assert restarts.seen("shop", 8, 0) == (5, 1_800)
    restarts.remember("shop", [(-1_800, 0)])
    assert restarts.seen("shop", 8, 10) == (5, 1_810)


def test_a_year_of_looks_takes_no_room():
    restarts = Restarts()
    for second in range(100_000):
        restarts.seen("shop", 7, second / 10)
    assert len(restarts._seen["shop"]) < 10
