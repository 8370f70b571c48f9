"""Faults of every kind, put into a well-behaved series, are found in time."""

from __future__ import annotations

import numpy as np
import pytest
from well_behaved import DAY, START, STEP, instants, load

from forewatch.detection.anomaly import Detector, silent
from forewatch.detection.grid import Vector

pytestmark = [pytest.mark.unit, pytest.mark.filterwarnings("error")]

FAULT = 10 * DAY
ROWS = 12 * DAY
TOLD = 0.6


def alarms(values: Vector) -> np.ndarray:
    told = Detector(STEP, warmup=2 * DAY).update_many(instants(len(values)), values)
    return np.flatnonzero(told.score >= TOLD)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("height", [20.0, -20.0])
def test_a_spike_is_told_of_at_once(seed, height):
    values = load(ROWS, seed)
    values[FAULT] += height
    assert FAULT in alarms(values)


@pytest.mark.parametrize("seed", range(3))
def test_a_level_that_moves_by_five_standard_deviations_is_told_of_within_the_hour(seed):
    values = load(ROWS, seed)
    values[FAULT:] += 5
    found = alarms(values)
    assert np.any((found >= FAULT) & (found < FAULT + 12))


def test_a_level_that_moves_is_called_a_shift():
    values = load(ROWS, 1)
    values[FAULT:] += 4
    told = Detector(STEP, warmup=2 * DAY).update_many(instants(ROWS), values)
    rows = np.flatnonzero(told.kind == "shift")
    first = rows[rows >= FAULT][0]
    assert first < FAULT + 12
    assert told.score[first] >= TOLD
    # What was usual before, at this time of day.
    assert told.expected[first] == pytest.approx(50 + 5 * np.sin(2 * np.pi * first / DAY), abs=1.5)
    assert told.lower[first] < told.expected[first] < told.upper[first] < values[first]


@pytest.mark.parametrize("seed", range(3))
def test_a_drift_is_told_of_within_two_days(seed):
    values = load(ROWS, seed)
    values[FAULT:] += np.linspace(0, 20, ROWS - FAULT)
    found = alarms(values)
    assert np.any(found >= FAULT)


def test_a_changed_rhythm_is_told_of_within_a_day():
    values = load(ROWS, 2)
    values[FAULT:] += np.where(np.arange(ROWS - FAULT) % 6 < 3, 8.0, -8.0)
    found = alarms(values)
    assert np.any((found >= FAULT) & (found < FAULT + DAY))


def test_a_standstill_is_told_of_as_one():
    values = load(ROWS, 3)
    values[FAULT:] = values[FAULT - 1]
    told = Detector(STEP, warmup=2 * DAY).update_many(instants(ROWS), values)
    flat = np.flatnonzero(told.kind == "flat")
    assert FAULT <= flat[0] < FAULT + 12
    assert told.score[flat[0]] >= TOLD


def test_a_series_that_often_stands_still_is_not_told_of_for_it():
    random = np.random.default_rng(0)
    values = np.repeat(random.normal(size=ROWS // 8), random.integers(1, 16, ROWS // 8))
    told = Detector(STEP, warmup=2 * DAY).update_many(instants(len(values)), values)
    assert np.sum(told.kind[2 * DAY :] == "flat") <= 1


def test_a_constant_series_is_never_told_of():
    told = Detector(STEP, warmup=DAY).update_many(instants(ROWS), np.full(ROWS, 7.0))
    assert not told.score.any()
    assert set(told.kind) == {"unusual"}


def test_noise_alone_raises_few_alarms():
    weeks, count = 0.0, 0
    for seed in range(8):
        found = alarms(load(3 * 7 * DAY, 100 + seed))
        count += int(found.size > 0) + int((np.diff(found) > 12).sum())
        weeks += 19 / 7
    assert count / weeks < 1.2


def test_the_band_holds_what_comes_and_not_much_more():
    values = load(ROWS, 5)
    told = Detector(STEP, warmup=2 * DAY).update_many(instants(ROWS), values)
    after = slice(3 * DAY, None)
    inside = (values >= told.lower) & (values <= told.upper)
    assert 0.92 < np.mean(inside[after]) < 0.99
    assert np.mean((told.upper - told.lower)[after]) < 5.0
    assert np.all(told.lower[after] <= told.expected[after])
    assert np.all(told.expected[after] <= told.upper[after])


def test_silence_begins_after_ten_values_that_did_not_come():
    last = START
    assert not silent(last, 60.0, last + 600_000_000)
    assert silent(last, 60.0, last + 600_000_001)


def test_no_silence_is_shorter_than_five_minutes():
    last = START
    assert not silent(last, 1.0, last + 300_000_000)
    assert silent(last, 1.0, last + 300_000_001)
