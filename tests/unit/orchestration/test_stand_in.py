"""When does the worker put a spare on watch? A fake clock, a look every quarter second."""

from __future__ import annotations

import pytest

from forewatch.orchestration.patience import LEAST, LONGEST, patience
from forewatch.orchestration.stand_in import SHIFTS, ShiftGuard
from forewatch.store.shifts import ShiftRow

pytestmark = pytest.mark.unit

LOOK = 0.25
HOLDER = "host:1"


def row(shift: str, term: int = 1, beat: int = 0, holder: str = HOLDER) -> ShiftRow:
    return ShiftRow(shift, term, holder, 0, beat, 0, None, None, None)


def rows(beat: int = 0) -> list[ShiftRow]:
    return [row(shift, beat=beat) for shift in SHIFTS]


class Onlooker:
    """Looks at the rows again and again; `sent` says when a stand-in was asked for which shift."""

    def __init__(self, lag: float = 0.0) -> None:
        self.guard = ShiftGuard()
        self.lag = lag
        self.now = 0.0
        self.sent: list[tuple[float, str]] = []

    def look(self, seen: list[ShiftRow]) -> list[str]:
        missing = self.guard.missing(seen, self.now, self.lag)
        self.sent += [(self.now, shift) for shift in missing]
        return missing

    def watch(self, seen: list[ShiftRow], seconds: float, every: float = LOOK) -> list[tuple[float, str]]:
        """Look at rows that never change for a while; what was asked for meanwhile."""
        known, until = len(self.sent), self.now + seconds
        while self.now < until:
            self.now += every
            self.look(seen)
        return self.sent[known:]


def test_the_patience_is_ten_seconds_or_five_times_the_own_lag_and_at_most_a_minute() -> None:
    assert [patience(lag) for lag in (0.0, 1.9, 2.0, 4.0, 12.0, 500.0)] == [10.0, 10.0, 10.0, 20.0, 60.0, 60.0]


def test_a_shift_that_never_began_needs_somebody_at_once() -> None:
    assert Onlooker().look([]) == list(SHIFTS)


def test_a_living_holder_is_not_replaced_before_the_patience_is_over() -> None:
    onlooker = Onlooker()
    onlooker.look(rows())
    assert onlooker.watch(rows(), LEAST) == []
    assert [shift for _, shift in onlooker.watch(rows(), 1.0)] == list(SHIFTS)


def test_the_patience_grows_with_the_lag_of_the_one_who_looks() -> None:
    onlooker = Onlooker(lag=6.0)
    onlooker.look(rows())
    assert onlooker.watch(rows(), 30.0) == []
    assert [shift for _, shift in onlooker.watch(rows(), 1.0)] == list(SHIFTS)


def test_a_stopped_holder_is_replaced_within_a_minute_however_late_the_onlooker_is() -> None:
    onlooker = Onlooker(lag=15.0)
    onlooker.look(rows())
    sent = onlooker.watch(rows(), LONGEST + 15.0, every=15.0)
    assert sent
    assert sent[0][0] <= LONGEST + 15.0


def test_an_onlooker_that_was_itself_away_has_seen_no_silence() -> None:
    onlooker = Onlooker()
    onlooker.look(rows(beat=1))
    onlooker.now += 3600.0
    assert onlooker.look(rows(beat=1)) == []
    assert onlooker.watch(rows(beat=1), 5.0) == []
    assert onlooker.watch(rows(beat=2), LEAST) == []


def test_a_beat_that_moves_is_life() -> None:
    onlooker = Onlooker()
    for second in range(120):
        onlooker.now = float(second)
        assert onlooker.look(rows(beat=second)) == []


def test_a_holder_as_slow_as_nine_seconds_a_beat_is_never_replaced() -> None:
    onlooker = Onlooker()
    onlooker.look(rows())
    for beat in range(1, 60):
        assert onlooker.watch(rows(beat), 9.0) == []


def test_a_beat_without_the_store_is_life_when_the_store_stands_still() -> None:
    onlooker = Onlooker()
    onlooker.look(rows())
    for _ in range(30):
        for shift in SHIFTS:
            onlooker.guard.alive(shift)
        assert onlooker.watch(rows(), 2.0) == []


def test_a_holder_that_died_is_replaced_without_waiting_and_once() -> None:
    onlooker = Onlooker(lag=12.0)
    onlooker.look(rows())
    onlooker.guard.ended("page-people", HOLDER)
    assert onlooker.look(rows()) == ["page-people"]
    onlooker.guard.sent("page-people", "host:2")
    assert onlooker.look(rows()) == []


def test_a_holder_found_dead_at_the_first_look_is_replaced_at_once() -> None:
    onlooker = Onlooker()
    onlooker.guard.ended("page-people", HOLDER)
    assert onlooker.look(rows()) == ["page-people"]


def test_a_last_beat_seen_after_its_holder_died_is_no_sign_of_life() -> None:
    onlooker = Onlooker()
    onlooker.look(rows(beat=1))
    onlooker.guard.ended("page-people", HOLDER)
    assert onlooker.look(rows(beat=2)) == ["page-people"]


def test_the_death_of_a_child_that_was_relieved_before_takes_the_watch_from_nobody() -> None:
    onlooker = Onlooker()
    onlooker.look(rows())
    onlooker.guard.ended("page-people", "host:2")
    assert onlooker.look(rows()) == []


def test_a_clean_end_is_no_death() -> None:
    onlooker = Onlooker()
    onlooker.look(rows())
    onlooker.guard.ended("page-people", HOLDER, clean=True)
    assert onlooker.look(rows()) == []


def test_a_new_term_is_life_too() -> None:
    onlooker = Onlooker()
    onlooker.look(rows())
    onlooker.watch(rows(), LEAST)
    assert onlooker.watch([row(shift, term=2) for shift in SHIFTS], 2.0) == []


def test_no_second_stand_in_is_sent_while_the_first_one_lives_and_shows_it() -> None:
    onlooker = Onlooker()
    onlooker.look(rows())
    onlooker.guard.ended("check-health", HOLDER)
    assert onlooker.look(rows()) == ["check-health"]
    onlooker.guard.sent("check-health", "host:2")
    others_beat = [row("check-health")]
    for beat in range(60):
        onlooker.guard.alive("check-health")
        seen = [*others_beat, row("collect-metrics", beat=beat), row("page-people", beat=beat)]
        assert onlooker.watch(seen, 2.0) == []


def test_a_stand_in_that_shows_no_life_gets_the_same_patience_as_a_holder() -> None:
    onlooker = Onlooker()
    for shift in onlooker.look([]):
        onlooker.guard.sent(shift, "host:2")
    assert onlooker.watch([], LEAST) == []
    assert {shift for _, shift in onlooker.watch([], 1.0)} == set(SHIFTS)


def test_no_other_is_asked_for_while_a_spare_is_still_being_made() -> None:
    onlooker = Onlooker()
    onlooker.look([])
    assert onlooker.watch([], 50.0) == []
    for shift in SHIFTS:
        onlooker.guard.unsent(shift)
    assert len(onlooker.watch([], LOOK)) == len(SHIFTS)


def failing_stand_ins(onlooker: Onlooker, seconds: float) -> list[float]:
    """Each stand-in dies at once; when they were sent."""
    began, until, times = onlooker.now, onlooker.now + seconds, []
    while onlooker.now < until:
        if "check-health" in onlooker.guard.missing([row("check-health")], onlooker.now, 0.0):
            times.append(onlooker.now - began)
            onlooker.guard.sent("check-health", "host:2")
            onlooker.guard.ended("check-health", "host:2")
        # The process that stood last is found ended at every look.
        onlooker.guard.ended("check-health", HOLDER)
        onlooker.now += LOOK
    return times


def test_stand_ins_that_die_are_followed_at_doubling_distances() -> None:
    onlooker = Onlooker()
    onlooker.guard.ended("check-health", HOLDER)
    assert failing_stand_ins(onlooker, 70.0) == [0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 63.0]


def test_one_that_could_not_be_sent_is_tried_again_with_the_same_back_off() -> None:
    onlooker = Onlooker()
    onlooker.guard.ended("check-health", HOLDER)
    times = []
    for _ in range(40):
        if "check-health" in onlooker.guard.missing([row("check-health")], onlooker.now, 0.0):
            times.append(onlooker.now)
            onlooker.guard.unsent("check-health")
        onlooker.now += LOOK
    assert times == [0.0, 1.0, 3.0, 7.0]


def test_after_a_steady_minute_the_next_stand_in_is_the_first_again() -> None:
    onlooker = Onlooker()
    onlooker.guard.ended("check-health", HOLDER)
    failing_stand_ins(onlooker, 10.0)
    for beat in range(70):
        onlooker.now += 1.0
        onlooker.guard.missing([row("check-health", 2, beat, "host:3")], onlooker.now, 0.0)
    onlooker.guard.ended("check-health", "host:3")
    assert "check-health" in onlooker.guard.missing([row("check-health", 2, 70, "host:3")], onlooker.now, 0.0)


def test_a_stand_in_that_took_the_term_and_hangs_is_replaced_like_any_holder() -> None:
    onlooker = Onlooker()
    onlooker.look(rows())
    onlooker.guard.ended("check-health", HOLDER)
    onlooker.look(rows())
    onlooker.guard.sent("check-health", "host:2")
    taken = [row("check-health", 2, 0, "host:2")]
    onlooker.sent.clear()
    assert [at for at, shift in onlooker.watch(taken, LEAST) if shift == "check-health"] == []
    assert "check-health" in [shift for _, shift in onlooker.watch(taken, 1.0)]
