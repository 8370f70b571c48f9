"""When does the worker put a spare on watch?"""

from __future__ import annotations

import pytest

from forewatch.orchestration.stand_in import SHIFTS, ShiftGuard
from forewatch.store.shifts import ShiftRow

pytestmark = pytest.mark.unit


def row(shift: str, term: int = 1, beat: int = 0) -> ShiftRow:
    return ShiftRow(shift, term, "host:1", 0, beat, 0, None, None, None)


def rows(beat: int) -> list[ShiftRow]:
    return [row(shift, beat=beat) for shift in SHIFTS]


def test_a_shift_that_never_began_needs_somebody_at_once() -> None:
    assert ShiftGuard().missing([], now=0.0) == list(SHIFTS)


def test_a_shift_just_reported_is_given_time_before_it_is_reported_again() -> None:
    guard = ShiftGuard()
    guard.missing([], now=0.0)
    assert guard.missing([], now=2.9) == []
    assert guard.missing([], now=3.1) == list(SHIFTS)


def test_a_holder_seen_for_the_first_time_is_trusted_for_three_seconds() -> None:
    guard = ShiftGuard()
    assert guard.missing(rows(beat=5), now=100.0) == []
    assert guard.missing(rows(beat=5), now=102.9) == []
    assert guard.missing(rows(beat=5), now=103.1) == list(SHIFTS)


def test_a_beat_that_moves_is_life() -> None:
    guard = ShiftGuard()
    for second in range(60):
        assert guard.missing(rows(beat=second), now=float(second)) == []


def test_a_beat_over_the_pipe_is_life_when_the_store_stands_still() -> None:
    guard = ShiftGuard()
    guard.missing(rows(beat=1), now=0.0)
    for second in range(1, 30):
        for shift in SHIFTS:
            guard.pipe_beat(shift, now=float(second))
        assert guard.missing(rows(beat=1), now=float(second)) == []


def test_a_child_that_died_is_replaced_without_waiting() -> None:
    guard = ShiftGuard()
    guard.missing(rows(beat=1), now=0.0)
    guard.lost("page-people", "host:1")
    assert guard.missing(rows(beat=1), now=0.1) == ["page-people"]
    assert guard.missing(rows(beat=1), now=0.2) == []


def test_a_last_beat_seen_after_its_holder_died_is_no_sign_of_life() -> None:
    guard = ShiftGuard()
    guard.missing(rows(beat=1), now=0.0)
    guard.lost("page-people", "host:1")
    assert guard.missing(rows(beat=2), now=0.1) == ["page-people"]


def test_the_death_of_a_child_that_was_relieved_before_takes_the_watch_from_nobody() -> None:
    guard = ShiftGuard()
    guard.missing(rows(beat=1), now=0.0)
    guard.lost("page-people", "host:2")
    assert guard.missing(rows(beat=1), now=0.1) == []


def test_a_new_term_is_life_too() -> None:
    guard = ShiftGuard()
    guard.missing(rows(beat=0), now=0.0)
    assert guard.missing([row(shift, term=2, beat=0) for shift in SHIFTS], now=10.0) == []
