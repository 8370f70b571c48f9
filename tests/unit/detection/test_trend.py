"""Where a series is heading over weeks, since when, and which change that began with; nothing where it is chance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forewatch.clock import MICROSECONDS, from_datetime, micros, to_datetime
from forewatch.detection.trend import Trend, trend
from forewatch.incidents.events import ChangeReported

pytestmark = [pytest.mark.unit, pytest.mark.filterwarnings("error")]

T0 = 1_767_225_600 * MICROSECONDS
DAY = 86400.0


def history(of, days: int, per_day: int = 8) -> tuple[list[tuple[int, float]], int]:
    """Samples of `of(days)` for so many days, and the moment they end."""
    return [(T0 + micros(k * DAY / per_day), float(of(k / per_day))) for k in range(days * per_day)], T0 + micros(
        days * DAY
    )


def noise(seed: int, days: int, spread: float, alike: float = 0.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    values, last = np.zeros(days), 0.0
    for day in range(days):
        last = alike * last + random.normal(0, np.sqrt(1 - alike**2))
        values[day] = last
    return spread * values


def deployed(day: float, summary: str = "shop 2.3 was deployed") -> ChangeReported:
    return ChangeReported(summary, "shop", "ci", T0 + micros(day * DAY))


def test_it_rises_since_the_deploy():
    slow = noise(1, 42, 0.02)
    samples, now = history(lambda day: 0.2 * (1 + 0.12 * max(0.0, day - 21) / 7) * (1 + slow[int(day)]), 42)
    found = trend(samples, now)
    assert found is not None
    assert found.kind == "line"
    assert found.change == pytest.approx(0.12, rel=0.15)
    assert abs((found.since - T0) / micros(DAY) - 21) <= 3
    near = (found.since - T0) / micros(DAY)
    assert found.sentence("p95", "seconds", [deployed(3), deployed(near + 0.4)]).startswith(
        f"p95 has risen {found.change * 100:.0f} % a week since the deploy of "
    )
    assert "(shop 2.3 was deployed)" in found.sentence("p95", "seconds", [deployed(near + 0.4)])


def test_the_sentence_is_the_one_a_person_would_say():
    third = from_datetime(to_datetime(T0).replace(year=2025, month=11, day=3))
    found = Trend("line", third, 21, 0.12, 0.2, 0.272)
    mark = ChangeReported("shop 2.3 was deployed", "shop", "ci", third + micros(3600))
    assert found.sentence("p95", "seconds", [mark]) == (
        "p95 has risen 12 % a week since the deploy of 3 Nov (shop 2.3 was deployed) (200ms to 272ms)"
    )
    assert found.sentence("p95", "seconds") == "p95 has risen 12 % a week since 3 Nov (200ms to 272ms)"
    other = ChangeReported("cache size halved", "shop", "ci", third)
    assert "since the change of 3 Nov (cache size halved)" in found.sentence("p95", "seconds", [other])


def test_a_step_is_no_line():
    own = noise(2, 42, 0.02)
    samples, now = history(lambda day: (1.0 if day < 30 else 1.3) * (1 + own[int(day)]), 42)
    found = trend(samples, now)
    assert found is not None
    assert found.kind == "step"
    assert found.change == pytest.approx(0.3, abs=0.03)
    assert found.since == T0 + micros(30 * DAY)
    assert found.sentence("p95", "seconds").startswith("p95 is 31 % higher since 31 Jan")


def test_a_step_below_zero_is_called_by_its_direction():
    own = noise(2, 42, 0.1)
    samples, now = history(lambda day: (-20.0 if day < 30 else -10.0) + own[int(day)], 42)
    found = trend(samples, now)
    assert found is not None
    assert found.kind == "step"
    assert found.change == pytest.approx(0.5, abs=0.05)
    assert "50 % higher" in found.sentence("temperature", "count")


def test_a_line_all_along_began_before_what_was_looked_at():
    own = noise(3, 28, 0.01)
    samples, now = history(lambda day: 100 * (1 - 0.02 * day / 7 + own[int(day)]), 28)
    found = trend(samples, now)
    assert found is not None
    assert found.since is None
    assert found.sentence("throughput", "count").startswith("throughput has fallen 2 % a week over the last 28 days")


def test_weekdays_are_no_trend():
    samples, now = history(lambda day: 100 - 60 * (int(day) % 7 > 4) + 0.1 * np.sin(day * 40), 30)
    assert trend(samples, now) is None


@pytest.mark.parametrize(("alike", "most"), [(0.0, 0.02), (0.5, 0.06)])
def test_noise_is_hardly_ever_called_a_trend(alike, most):
    called = 0
    for seed in range(200):
        own = noise(seed, 28, 10.0, alike)
        samples, now = history(lambda day, own=own: 100 + own[int(day)] + 5 * np.sin(6.28 * day), 28, per_day=4)
        called += trend(samples, now) is not None
    assert called <= most * 200


def test_too_little_is_no_answer():
    samples, now = history(lambda day: 1 + day, 9)
    assert trend(samples, now) is None
    assert trend([], now) is None
    assert trend([(T0, 1.0)], now) is None


@given(st.integers(-9, 9), st.integers(0, 5))
@settings(max_examples=20, deadline=None)
def test_the_unit_does_not_matter(power, seed):
    own = noise(seed, 35, 0.03)
    samples, now = history(lambda day: (1 + 0.05 * day / 7) * (1 + own[int(day)]), 35, per_day=4)
    one = trend(samples, now)
    other = trend([(at, value * 10.0**power) for at, value in samples], now)
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert (one.kind, one.since) == (other.kind, other.since)
        assert one.change == pytest.approx(other.change, rel=1e-6)


@given(
    st.lists(
        st.tuples(
            st.integers(-60, 2),
            st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([1e300, -1e300, 0.0, 5.0])),
        ),
        max_size=120,
    )
)
@settings(max_examples=100, deadline=None)
def test_garbage_gives_a_finite_answer_or_none_and_never_a_warning(samples):
    found = trend([(T0 + micros(day * DAY), value) for day, value in samples], T0)
    if found is not None:
        assert np.isfinite([found.change, found.before, found.now]).all()
        assert found.sentence("m", "count")
