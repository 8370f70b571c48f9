"""What a series rose by at once is taken out; what it grows by stays."""

from __future__ import annotations

import numpy as np
import pytest

from forewatch.detection.level_steps import without_steps

pytestmark = pytest.mark.unit


def test_a_step_is_taken_out_and_the_end_stays_where_it_is():
    assert without_steps(np.array([1.0] * 20 + [9.0] * 5)).tolist() == [9.0] * 25


def test_a_line_and_noise_stay_what_they_are():
    line = np.arange(50.0)
    assert without_steps(line) == pytest.approx(line)
    noise = np.random.default_rng(1).normal(size=200)
    assert without_steps(noise) == pytest.approx(noise)


def test_a_spike_that_does_not_last_stays():
    values = np.array([1.0] * 20 + [9.0] + [1.0] * 20 + [1.1])
    assert without_steps(values)[20] - without_steps(values)[19] == pytest.approx(8.0)


def test_a_step_smeared_over_two_means_is_one():
    assert without_steps(np.array([1.0] * 20 + [4.0, 9.0] + [9.0] * 5), over=2) == pytest.approx(9.0)


def test_what_comes_every_day_is_no_step():
    values = np.cumsum([10.0 * (hour % 24 == 3) for hour in range(96)])
    usual = np.array([10.0 * (hour % 24 == 3) for hour in range(1, 96)])
    assert without_steps(values, usual, over=2) == pytest.approx(values)


def test_a_fall_is_not_touched():
    values = np.array([9.0] * 20 + [1.0] * 5)
    assert without_steps(values) == pytest.approx(values)


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0]])
def test_too_few_values_are_left_alone(values):
    assert without_steps(np.array(values), over=2).tolist() == values
