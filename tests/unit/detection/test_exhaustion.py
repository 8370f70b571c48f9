from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forewatch.clock import MICROSECONDS, micros, seconds
from forewatch.detection.exhaustion import Exhaustion, exhaustion, quick_exhaustion

pytestmark = [pytest.mark.unit, pytest.mark.filterwarnings("error")]

T0 = 1_767_225_600 * MICROSECONDS
HOUR, DAY = 3600.0, 86400.0


def disk(of, span: float, every: float = 60.0) -> tuple[list[tuple[int, float]], int]:
    """Samples of `of(seconds)` over `span` seconds, and the moment they end."""
    times = np.arange(0, span, every)
    return [(T0 + micros(at), float(of(at))) for at in times], T0 + micros(span)


def hours(found: Exhaustion | None, now: int) -> float:
    assert found is not None
    return seconds(found.at - now) / HOUR


@given(st.floats(0.1, 0.9), st.floats(0.5, 40.0))
@settings(max_examples=25, deadline=None)
def test_a_disk_that_fills_in_a_line_is_forecast_to_the_percent(level, left):
    samples, now = disk(lambda at: 1 - (1 - level) * (2 * HOUR + left * HOUR - at) / (2 * HOUR + left * HOUR), 2 * HOUR)
    assert hours(exhaustion(samples, 1.0, now), now) == pytest.approx(left, rel=0.02, abs=0.05)


def test_days_of_history_see_through_a_daily_rhythm():
    rng = np.random.default_rng(1)

    def used(at: float) -> float:
        return 0.70 + 0.05 * at / DAY + 0.02 * np.sin(2 * np.pi * at / DAY) + rng.normal(0, 5e-4)

    samples, now = disk(used, 4 * DAY, every=300.0)
    found = exhaustion(samples, 1.0, now)
    # 0.90 now and 0.05 a day: two days, a little less since the wave gets there first.
    assert 1.5 * 24 < hours(found, now) < 2.05 * 24
    assert found.method == "days"
    assert found.lower <= found.at <= (found.upper or found.at)


def test_something_new_that_fills_it_fast_is_seen_within_the_hour():
    def used(at: float) -> float:
        return 0.5 + 0.002 * at / DAY + max(0.0, at - 3 * DAY) / HOUR * 0.1

    samples, now = disk(used, 3 * DAY + HOUR)
    found = exhaustion(samples, 1.0, now)
    assert hours(found, now) == pytest.approx(3.94, rel=0.4)
    assert found.method == "hours"


@pytest.mark.parametrize(
    "of",
    [
        lambda at: 0.6,
        lambda at: 0.6 - 0.01 * at / HOUR,
        lambda at: 0.6 + 0.001 * ((at // 60) % 7),
        lambda at: 0.6 + 0.05 * (at % 1800.0) / 1800.0,
    ],
)
def test_still_shrinking_noisy_and_saw_tooth_disks_do_not_fill(of):
    for span in (2 * HOUR, 3 * DAY):
        samples, now = disk(of, span)
        assert exhaustion(samples, 1.0, now) is None


def test_too_little_is_no_answer():
    samples, now = disk(lambda at: 0.5 + at / DAY, 600.0)
    assert exhaustion(samples, 1.0, now) is None
    assert exhaustion([], 1.0, now) is None


def test_a_full_disk_is_full_now():
    samples, now = disk(lambda at: 1.0, HOUR)
    assert exhaustion(samples, 1.0, now).at == now


def test_two_weeks_of_history_see_weekends_clean_ups_and_faster_growth():
    """Growth of 0.01 a day, half of it at weekends, doubled three days ago; something was removed a week ago."""

    def rate(day: float) -> float:
        return (0.5 if day % 7 >= 5 else 1.0) * (2.0 if day >= 11 else 1.0)

    days = np.arange(0, 30, 1 / 288)
    used = 0.5 + np.cumsum([0.01 * rate(day) / 288 for day in days]) - 0.03 * (days >= 7.3)
    past = days < 14
    samples = [(T0 + micros(day * DAY), float(value)) for day, value in zip(days[past], used[past], strict=True)]
    truth = days[np.argmax(used >= 0.7)] - 14
    found = exhaustion(samples, 0.7, T0 + micros(14 * DAY))
    assert hours(found, T0 + micros(14 * DAY)) / 24 == pytest.approx(truth, rel=0.05)


def test_hourly_samples_will_do():
    samples, now = disk(lambda at: 0.5 + 0.05 * at / DAY, 4 * DAY, every=HOUR)
    assert hours(exhaustion(samples, 0.9, now), now) == pytest.approx(4 * 24, rel=0.02)


def test_the_interval_is_wide_where_the_growth_is_unsteady():
    rng = np.random.default_rng(2)

    def width(spread: float) -> float:
        values = 0.2 + np.cumsum(np.maximum(0, rng.normal(0.001, spread, 14 * 24)))
        samples = [(T0 + micros(hour * HOUR), float(value)) for hour, value in enumerate(values)]
        found = exhaustion(samples, 1.0, samples[-1][0] + 1)
        assert found is not None
        assert found.upper is not None
        return (found.upper - found.lower) / (found.at - samples[-1][0])

    assert width(0.002) > 2 * width(0.0002)


def test_what_is_left_falls_to_its_limit_as_what_is_used_rises():
    samples, now = disk(lambda at: 0.3 + 0.05 * at / DAY + 0.01 * np.sin(at / 4000), 4 * DAY, every=300.0)
    left = [(at, 1 - value) for at, value in samples]
    assert exhaustion(left, 0.0, now, falling=True).left(now) == pytest.approx(exhaustion(samples, 1.0, now).left(now))
    assert exhaustion(left, 0.0, now).at == now


@given(st.floats(-12, 12), st.integers(0, 5))
@settings(max_examples=15, deadline=None)
def test_the_unit_does_not_matter(power, seed):
    rng = np.random.default_rng(seed)
    values = np.cumsum(np.abs(rng.normal(1, 0.5, 7 * 24)))
    limit, factor = float(values[-1] + 100), 10.0**power

    def when(scale: float) -> Exhaustion:
        samples = [(T0 + micros(k * HOUR), float(value * scale)) for k, value in enumerate(values)]
        found = exhaustion(samples, limit * scale, samples[-1][0] + 1)
        assert found is not None
        return found

    one, other = when(1.0), when(factor)
    assert one.at == pytest.approx(other.at, abs=micros(1))
    assert one.lower == pytest.approx(other.lower, abs=micros(1))


@given(
    st.lists(
        st.tuples(
            st.integers(-3_000_000, 1000),
            st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([1e300, -1e300, 0.5, 0.0])),
        ),
        max_size=400,
    ),
    st.one_of(st.floats(-1e6, 1e6), st.just(1e300)),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_garbage_gives_an_ordered_answer_or_none_and_never_a_warning(samples, limit, falling):
    garbage = [(T0 + micros(at), value) for at, value in samples]
    for found in (
        exhaustion(garbage, limit, T0, falling=falling),
        quick_exhaustion(garbage, limit, T0, falling=falling),
    ):
        if found is not None:
            assert T0 <= found.lower <= found.at <= (found.upper if found.upper is not None else found.at)
            assert found.span(T0)


@pytest.mark.parametrize("value", [0.0, 0.5, 1e-300, 1e149])
def test_what_never_changes_is_never_used_up(value):
    for count in (1, 3, 400):
        samples = [(T0 + micros(k * HOUR), value) for k in range(count)]
        assert exhaustion(samples, value + max(1.0, value), samples[-1][0] + 1) is None
        assert quick_exhaustion(samples, value + max(1.0, value), samples[-1][0] + 1) is None


def test_a_night_without_data_is_bridged_and_a_week_is_not():
    samples, now = disk(lambda at: 0.2 + 0.04 * at / DAY, 10 * DAY, every=300.0)
    begin = samples[0][0]
    night = [one for one in samples if not 5 * DAY < seconds(one[0] - begin) < 5.4 * DAY]
    assert hours(exhaustion(night, 1.0, now), now) == pytest.approx(10 * 24, rel=0.03)
    week = [one for one in samples if not 1 * DAY < seconds(one[0] - begin) < 9 * DAY]
    found = exhaustion(week, 1.0, now)
    assert found is not None
    assert found.method == "hours"


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (3.2, "3.2 h, 80 % interval 2.7-4.2 h"),
        (0.75, "45 min, 80 % interval 15-105 min"),
        (45 / 3600, "45 s, 80 % interval 0-3645 s"),
        (72, "3.0 d, 80 % interval 3.0-3.0 d"),
    ],
)
def test_a_person_reads_how_long_it_lasts(left, said):
    at = T0 + micros(left * HOUR)
    assert Exhaustion(at, at - micros(HOUR / 2), at + micros(HOUR), "days").span(T0) == said


def test_what_may_never_come_is_said_so():
    at = T0 + micros(5 * HOUR)
    assert Exhaustion(at, at, None, "days").span(T0) == "5.0 h, 80 % interval from 5.0 h to never"


def five_minutes(values) -> tuple[list[tuple[int, float]], int]:
    samples = [(T0 + micros(300.0 * place), float(value)) for place, value in enumerate(values)]
    return samples, samples[-1][0] + micros(60.0)


_NOISE = np.random.default_rng(1).normal(0, 0.1, 600)
ONE_STEP = {
    "the last value": [40] * 599 + [41],
    "three hours ago": [40] * 560 + [41] * 40,
    "ten hours ago": [40] * 480 + [41] * 120,
    "half-way": [40] * 300 + [41] * 300,
    "a large one": [40] * 560 + [80] * 40,
    "in a week": [40] * 1500 + [41] * 516,
    "smeared over an hour and a half": [40] * 560 + list(np.linspace(40, 60, 18)) + [60] * 22,
    "in noise": list(np.array([40] * 560 + [41] * 40) + _NOISE),
    "a large one in noise": list(np.array([40] * 560 + [80] * 40) + _NOISE),
    "the last value in noise": list(np.array([40] * 599 + [41]) + _NOISE),
    "two of them": [40] * 300 + [41] * 200 + [42] * 100,
    "up and back": [40] * 500 + [60] * 10 + [40] * 90,
    "in three hours of data": [40] * 18 + [60] * 18,
    "the last value of three hours": [40] * 35 + [60],
    "on what hardly grows": [40 + place * 1e-4 for place in range(580)] + [80 + place * 1e-4 for place in range(20)],
}


@pytest.mark.parametrize("values", ONE_STEP.values(), ids=list(ONE_STEP))
@pytest.mark.parametrize("scale", [1.0, 1e9, 1e-6])
def test_one_step_is_no_trend(values, scale):
    samples, now = five_minutes(np.array(values) * scale)
    assert exhaustion(samples, 90 * scale, now) is None
    assert exhaustion([(at, -value) for at, value in samples], -90 * scale, now, falling=True) is None
    minutes = [(T0 + micros(5.0 * place), float(value) * scale) for place, value in enumerate(values)]
    assert quick_exhaustion(minutes, 90 * scale, minutes[-1][0] + micros(1.0)) is None


def test_a_step_on_steady_growth_leaves_the_growth():
    grows = [40 + place * 0.01 for place in range(2000)]
    stepped = [value + 10 * (place >= 1900) for place, value in enumerate(grows)]
    samples, now = five_minutes(stepped)
    # 0.01 every five minutes from 70 on: 2,000 of them.
    assert hours(exhaustion(samples, 90.0, now), now) == pytest.approx(2000 / 12, rel=0.1)


@pytest.mark.parametrize(
    "values",
    [
        [40 + place * 0.01 for place in range(600)], [40 + place // 288 for place in range(288 * 7)],
        [40 + place // 100 for place in range(4032)], [40 + place * 0.5 for place in range(36)],
        [40] * 1920 + [40 + place * 0.1 for place in range(96)], [40] * 552 + [40 + place * 0.3 for place in range(48)],
    ],
    ids=["a line", "a stair a day", "slow, in whole numbers", "hours", "a leak of eight hours", "of four"],
)  # fmt: skip
def test_no_interval_is_without_width(values):
    samples, now = five_minutes(values)
    for found in (exhaustion(samples, 90.0, now), quick_exhaustion(samples[-96:], 90.0, now)):
        if found is not None:
            left = found.left(now)
            assert found.left(now) - seconds(found.lower - now) >= 0.049 * left
            assert found.upper is None or seconds(found.upper - now) - left >= 0.049 * left
    assert exhaustion(samples, 90.0, now) is not None


def test_few_moves_leave_much_in_doubt():
    samples, now = five_minutes([40] * 1920 + [40 + place * 0.1 for place in range(96)])
    found = exhaustion(samples, 90.0, now)
    assert found is not None
    assert found.upper is None or found.upper - found.lower > 0.5 * (found.at - now)
