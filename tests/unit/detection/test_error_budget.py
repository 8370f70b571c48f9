"""What is left of an error budget, and until when it lasts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewatch.clock import MICROSECONDS, micros, seconds
from forewatch.config.detection import Objective
from forewatch.detection.error_budget import Budget, Pace, budget, outlook, pace, used_up
from forewatch.detection.objectives import Tally

pytestmark = pytest.mark.unit

NOW = 1_767_225_600 * MICROSECONDS
"""1 January."""
DAY = 86400.0
MONTH = 30 * DAY
PROMISED = Objective.model_validate({"availability": "99.9%"})
ALLOWED = 2592.0
"""43 minutes of a month."""
CALM = [0.0] * 30


def test_a_month_of_three_nines_has_forty_three_minutes():
    full = budget(Tally(1000, 1000), MONTH, PROMISED)
    assert full is not None
    assert full.allowed == pytest.approx(ALLOWED)
    assert (full.left, full.left_time) == (1.0, pytest.approx(ALLOWED))


def test_half_the_bad_answers_it_may_have_leave_half_of_it():
    half = budget(Tally(9995, 10_000), MONTH, PROMISED)
    assert half is not None
    assert half.left == pytest.approx(0.5)


def test_too_many_bad_answers_overspend_it():
    over = budget(Tally(9980, 10_000), MONTH, PROMISED)
    assert over is not None
    assert over.left == pytest.approx(-1.0)
    assert over.left_time == pytest.approx(-ALLOWED)


def test_what_nobody_saw_is_not_spent():
    # Ten minutes of outage on the first day: of the month's 43, not of the day's one and a half.
    day = budget(Tally(DAY - 600, round(DAY)), DAY, PROMISED)
    assert day is not None
    assert day.spent == pytest.approx(600)
    assert budget(Tally(), MONTH, PROMISED) is None


def test_a_pace_needs_six_hours_with_answers():
    assert pace([Tally(10, 10)] * 5 + [Tally()] * 19) is None
    steady = pace([Tally(9, 10)] * 6 + [Tally()] * 18)
    assert steady is not None
    assert (steady.low, steady.mean, steady.high) == pytest.approx((0.1, 0.1, 0.1))


def test_the_more_the_hours_differ_the_wider_the_interval():
    even, uneven = pace([Tally(9, 10)] * 24), pace([Tally(10, 10)] * 22 + [Tally(0, 10)] * 2)
    assert even is not None
    assert uneven is not None
    assert uneven.high - uneven.low > even.high - even.low
    assert uneven.low >= 0


def test_at_twice_the_pace_it_may_have_it_is_used_up_in_half_the_window():
    twice = 2 * ALLOWED / MONTH
    found = used_up(Budget(ALLOWED, 0.0), CALM, Pace(twice, twice, twice), MONTH, NOW)
    assert found is not None
    assert seconds(found.at - NOW) == pytest.approx(15 * DAY)
    assert found.lower == found.upper == found.at


def test_a_pace_the_window_bears_never_uses_it_up():
    bearable = 0.99 * ALLOWED / MONTH
    spent = [0.99 * ALLOWED / 30] * 30
    assert used_up(Budget(ALLOWED, 0.99 * ALLOWED), spent, Pace(0, bearable, bearable), MONTH, NOW) is None


def test_what_went_wrong_comes_back_a_window_later():
    # Nine tenths went in the oldest day of the window, which leaves it tomorrow.
    rate = 1.5 * ALLOWED / MONTH
    oldest = used_up(Budget(ALLOWED, 0.9 * ALLOWED), [0.9 * ALLOWED, *CALM[1:]], Pace(rate, rate, rate), MONTH, NOW)
    newest = used_up(Budget(ALLOWED, 0.9 * ALLOWED), [*CALM[1:], 0.9 * ALLOWED], Pace(rate, rate, rate), MONTH, NOW)
    assert oldest is not None
    assert newest is not None
    assert seconds(newest.at - NOW) == pytest.approx(2 * DAY)
    assert seconds(oldest.at - NOW) == pytest.approx(20 * DAY)


def test_where_the_slowest_pace_lasts_there_is_no_latest_moment():
    twice = 2 * ALLOWED / MONTH
    found = used_up(Budget(ALLOWED, 0.0), CALM, Pace(0.0, twice, 2 * twice), MONTH, NOW)
    assert found is not None
    assert found.upper is None
    assert seconds(found.lower - NOW) == pytest.approx(7.5 * DAY)


@pytest.mark.parametrize(
    ("spent", "at_pace", "words"),
    [
        (1.0, None, "used up"),
        (1.5, None, "used up, 21m 36s too much"),
        (0.5, None, "needs 6 hours of the last day"),
        (0.5, Pace(0, 0, 0), "nothing spent in the last day"),
        (0.5, Pace(0, 1e-6, 1e-6), "lasts at the pace of the last day"),
        (0.0, Pace(0.0015, 0.002, 0.004),
         "at the pace of the last day used up on 16 Jan (80% interval: 8 Jan to 21 Jan)"),
        (0.0, Pace(0.0, 0.1, 0.2), "at the pace of the last day used up in 7h 12m (80% interval: in 3h 36m to never)"),
    ],
)  # fmt: skip
def test_the_outlook_in_words(spent, at_pace, words):
    here = Budget(ALLOWED, spent * ALLOWED)
    found = used_up(here, CALM, at_pace, MONTH, NOW) if at_pace is not None else None
    assert outlook(here, found, at_pace, NOW) == words


def test_without_answers_there_is_no_outlook():
    assert outlook(None, None, None, NOW) == "no answers"


@given(st.lists(st.floats(0, 200), min_size=30, max_size=30), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_the_interval_holds_the_moment_and_a_faster_pace_comes_no_later(past, first, second, third):
    low, mean, high = sorted((first, second, third))
    here = Budget(ALLOWED, sum(past))
    found = used_up(here, past, Pace(low, mean, high), MONTH, NOW)
    slower = used_up(here, past, Pace(0.0, low, low), MONTH, NOW)
    if found is None:
        assert slower is None
        return
    assert NOW <= found.lower <= found.at
    assert found.upper is None or found.at <= found.upper <= NOW + micros(MONTH)
    assert (slower is None) == (found.upper is None)
