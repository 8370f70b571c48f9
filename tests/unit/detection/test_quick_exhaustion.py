"""A leak that leaves minutes: told of before the service dies, and nothing told of what only breathes."""

from __future__ import annotations

import numpy as np
import pytest

from forewatch.clock import MICROSECONDS, micros
from forewatch.detection.exhaustion import Exhaustion, quick_exhaustion

pytestmark = [pytest.mark.unit, pytest.mark.filterwarnings("error")]

T0 = 1_767_225_600 * MICROSECONDS
MB = 1e6


def seen(of, span: float, every: float = 15.0) -> tuple[list[tuple[int, float]], int]:
    return [(T0 + micros(at), float(of(at))) for at in np.arange(0, span, every)], T0 + micros(span)


def left(found: Exhaustion | None, now: int) -> float:
    assert found is not None
    assert found.method == "minutes"
    assert now <= found.lower <= found.at <= (found.upper if found.upper is not None else found.at)
    return found.left(now)


@pytest.mark.parametrize(("span", "every"), [(130.0, 15.0), (60.0, 3.0), (600.0, 15.0)])
def test_a_steady_leak_is_forecast_from_two_minutes_or_twenty_samples(span, every):
    samples, now = seen(lambda at: 100 * MB + 1 * MB * at, span, every)
    truth = (1000 * MB - 100 * MB) / MB - span
    assert left(quick_exhaustion(samples, 1000 * MB, now), now) == pytest.approx(truth, rel=0.03)


def test_a_noisy_leak_is_forecast_as_well():
    rng = np.random.default_rng(3)
    samples, now = seen(lambda at: 100 * MB + 1 * MB * at + rng.normal(0, 5 * MB), 300)
    assert left(quick_exhaustion(samples, 1000 * MB, now), now) == pytest.approx(600, rel=0.1)


def test_a_leak_in_steps_is_forecast():
    samples, now = seen(lambda at: 100 * MB + 40 * MB * (at // 40), 300)
    assert left(quick_exhaustion(samples, 1000 * MB, now), now) == pytest.approx(600, rel=0.15)


def test_a_leak_under_garbage_collection_is_forecast_by_its_low_points():
    """Teeth of 60 MB every 50 s on a floor that rises by 0.5 MB/s: full where the tip of a tooth gets there."""
    samples, now = seen(lambda at: 100 * MB + 0.5 * MB * at + 1.2 * MB * (at % 50), 400, every=5.0)
    truth = (1000 - 60 - 100) / 0.5 - 400
    assert left(quick_exhaustion(samples, 1000 * MB, now), now) == pytest.approx(truth, rel=0.1)


@pytest.mark.parametrize(
    "of",
    [
        lambda at: 300 * MB,
        lambda at: 300 * MB - 0.1 * MB * at,
        lambda at: 300 * MB + 2 * MB * (at % 60),
        lambda at: 300 * MB + 2 * MB * (at % 110),
        lambda at: 300 * MB + 50 * MB * np.sin(at / 30),
        lambda at: 300 * MB * (1 - np.exp(-at / 25)),
    ],
    ids=["still", "shrinking", "teeth", "long teeth", "a wave", "warming up"],
)
def test_what_only_breathes_or_warms_up_is_not_running_out(of):
    for span in (240.0, 300.0, 600.0):
        samples, now = seen(of, span, every=5.0)
        assert quick_exhaustion(samples, 1000 * MB, now) is None


def test_noise_is_hardly_ever_taken_for_a_leak():
    rng = np.random.default_rng(4)
    alarms = 0
    for _ in range(300):
        samples, now = seen(lambda at: 300 * MB + rng.normal(0, 5 * MB), 300)
        alarms += quick_exhaustion(samples, 1000 * MB, now) is not None
    assert alarms == 0


def test_a_leak_that_speeds_up_is_judged_by_its_latest_pace():
    samples, now = seen(lambda at: 100 * MB + 0.2 * MB * at + max(0.0, at - 200) * 2 * MB, 300, every=5.0)
    assert left(quick_exhaustion(samples, 1000 * MB, now), now) == pytest.approx((1000 - 360) / 2.2, rel=0.1)


def test_too_little_or_too_old_is_no_answer():
    rising = lambda at: 100 * MB + MB * at  # noqa: E731
    samples, now = seen(rising, 110, every=15.0)
    assert quick_exhaustion(samples, 1000 * MB, now) is None
    assert quick_exhaustion([], 1000 * MB, now) is None
    samples, now = seen(rising, 300)
    assert quick_exhaustion(samples, 1000 * MB, now + micros(1000)) is None


def test_a_limit_far_beyond_what_was_seen_is_no_answer():
    samples, now = seen(lambda at: 100 * MB + 1e3 * at, 300)
    assert quick_exhaustion(samples, 1000 * MB, now) is None


def test_what_is_over_its_limit_is_used_up_now():
    samples, now = seen(lambda at: 1100 * MB, 30)
    found = quick_exhaustion(samples, 1000 * MB, now)
    assert found is not None
    assert found.at == now
