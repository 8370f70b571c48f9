"""The small parts of the score: moving means, the day's profile, records, shifts and standstills."""

from __future__ import annotations

import numpy as np
import pytest
from well_behaved import START, STEP, instants

from forewatch.detection.anomaly.day_profile import DayProfile
from forewatch.detection.anomaly.moving_mean import MovingMean
from forewatch.detection.anomaly.record import Record
from forewatch.detection.anomaly.shift import LevelShift
from forewatch.detection.anomaly.standstill import Standstill

pytestmark = [pytest.mark.unit, pytest.mark.filterwarnings("error")]

HOUR = 3_600_000_000


def test_a_moving_mean_is_that_of_the_newest_rows():
    x = np.arange(20.0)
    means = MovingMean(5, cells=36).add(x)
    np.testing.assert_allclose(means[:5], [0, 0.5, 1, 1.5, 2])
    np.testing.assert_allclose(means[5:], x[5:] - 2)


def test_a_moving_mean_in_cells_stays_near_that_of_the_rows():
    x = np.random.default_rng(0).normal(size=1000).cumsum()
    coarse, fine = MovingMean(120, cells=36).add(x), MovingMean(120, cells=360).add(x)
    assert np.max(np.abs(coarse - fine)) < 0.1 * np.ptp(x)
    np.testing.assert_allclose(coarse[:100], fine[:100], rtol=1e-5, atol=1e-5)


def test_a_huge_value_leaves_a_moving_mean_no_trace():
    x = np.ones(100)
    x[20] = 1e30
    means = MovingMean(10, cells=36).add(x)
    assert means[20] > 1e28
    np.testing.assert_array_equal(means[40:], 1.0)


def test_the_profile_knows_a_time_of_day_from_the_days_before():
    day = np.sin(np.arange(24.0))
    profile = DayProfile(3600.0, 96)
    at = START // (24 * HOUR) * 24 * HOUR + np.arange(72) * HOUR
    x = np.tile(day, 3)
    x[60] += 5
    apart = profile.add(at, x)
    assert not apart[:24].any()
    np.testing.assert_allclose(np.delete(apart[24:], 36), 0, atol=1e-6)
    assert apart[60] == pytest.approx(5, abs=1e-6)


def test_what_does_not_beat_the_record_does_not_count_until_the_record_has_faded():
    record = Record(STEP)
    at = [START, START + HOUR, START + 49 * HOUR, START + 50 * HOUR]
    assert record.add(at, [20.0, 15.0, 11.0, 12.0]) == [20.0, 0.0, 11.0, 12.0]


def test_a_shift_is_told_of_once_and_one_wild_value_is_none():
    errors = np.zeros(100)
    errors[10] = 1000.0
    errors[50:] = 3.0
    told = LevelShift().add(instants(100), errors, 1.0)
    assert list(np.flatnonzero(told)) == [53]


def test_a_wandering_series_must_wander_further_than_it_did():
    errors = np.zeros(300)
    errors[20:28] = 2.0
    errors[120:127] = 2.0
    errors[220:240] = 3.0
    told = LevelShift().add(instants(300), errors, 1.0)
    assert len(np.flatnonzero(told[:200])) == 1
    assert np.any(told[220:])


def test_a_standstill_must_be_longer_than_those_before():
    x = np.random.default_rng(0).normal(size=300)
    x[100:121] = 1.0
    x[150:165] = 2.0
    x[200:260] = 3.0
    told = np.flatnonzero(Standstill().add(x))
    assert list(told) == [110, 241]
