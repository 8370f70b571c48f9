from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forewatch.clock import MICROSECONDS, micros, seconds
from forewatch.detection.exhaustion import Exhaustion, disk_full_alert, exhaustion
from forewatch.incidents.events import AlertCleared, AlertRaised

pytestmark = [pytest.mark.unit, pytest.mark.filterwarnings("error")]

T0 = 1_767_225_600 * MICROSECONDS
HOUR, DAY = 3600.0, 86400.0
VAR = {"mountpoint": "/var", "device": "/dev/sda1"}


def disk(of, span: float, every: float = 60.0) -> tuple[list[tuple[int, float]], int]:
    """Samples of `of(seconds)` over `span` seconds, and the moment they end."""
    times = np.arange(0, span, every)
    return [(T0 + micros(at), float(of(at))) for at in times], T0 + micros(span)


def hours(found: Exhaustion | None, now: int) -> float:
    assert found is not None
    return seconds(found.at - now) / HOUR


@given(st.floats(0.1, 0.9), st.floats(0.5, 40.0))
@settings(max_examples=25, deadline=None)
def test_a_disk_that_fills_in_a_line_is_foreseen_to_the_percent(level, left):
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


def soon(after: float) -> Exhaustion:
    at = T0 + micros(after * HOUR)
    return Exhaustion(at, at - micros(HOUR / 2), at + micros(HOUR), "hours")


def test_the_warning_says_when_in_plain_words():
    event = disk_full_alert(VAR, "host", soon(3.2), 0.931, firing=False, now=T0)
    assert isinstance(event, AlertRaised)
    assert event.labels == VAR | {"alertname": "DiskFullSoon", "service": "host", "severity": "warning"}
    assert event.annotations["summary"].startswith(
        "/var full in 3.2 h (between 2.7 h and 4.2 h, about 2026-01-01T03:12Z)"
    )
    assert "now 93.1% used" in event.annotations["summary"]
    assert event.values["full_at"] == T0 + micros(3.2 * HOUR)


def test_it_warns_within_a_day_and_ends_beyond_a_day_and_a_half():
    assert disk_full_alert(VAR, "", soon(25), 0.9, firing=False, now=T0) is None
    assert disk_full_alert(VAR, "", soon(30), 0.9, firing=True, now=T0) is None
    ended = disk_full_alert(VAR, "", soon(37), 0.9, firing=True, now=T0)
    assert isinstance(ended, AlertCleared)
    assert ended.values["reason"] == "/var is at 90% and it lasts 37.0 h"


def test_it_ends_when_the_disk_no_longer_grows():
    assert disk_full_alert(VAR, "", None, 0.4, firing=False, now=T0) is None
    ended = disk_full_alert(VAR, "", None, 0.4, firing=True, now=T0)
    assert isinstance(ended, AlertCleared)
    raised = disk_full_alert(VAR, "", soon(1), 0.4, firing=False, now=T0)
    assert raised is not None
    assert ended.labels == raised.labels
