"""Exact rank tests, against scipy where it has the same, and by counting where it has not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from forewatch.detection.ranks import higher, holm, possible, shift

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("before", "after"), [(7, 3), (20, 3), (5, 5), (2, 2), (10, 4)])
def test_without_ties_the_chances_are_scipys(before, after):
    rng = np.random.default_rng(before * 100 + after)
    for _ in range(20):
        old, new = rng.normal(size=before), rng.normal(0.5, 1, size=after)
        two = stats.mannwhitneyu(new, old, method="exact").pvalue
        one = stats.mannwhitneyu(new, old, alternative="greater", method="exact").pvalue
        assert shift(old, new).p == pytest.approx(two, abs=1e-12)
        assert higher(old[:, None], new[:, None])[0] == pytest.approx(one, abs=1e-12)


def test_the_clearest_case_is_one_way_of_all():
    old, new = np.arange(20.0), np.array([30.0, 31.0, 32.0])
    assert higher(old[:, None], new[:, None])[0] == pytest.approx(1 / math.comb(23, 3))
    assert shift(old, new).p == pytest.approx(2 / math.comb(23, 3))


def test_all_alike_says_nothing():
    same = np.zeros((7, 1)), np.zeros((3, 1))
    assert higher(*same)[0] == 1.0
    assert shift(same[0][:, 0], same[1][:, 0]).p == 1.0


def test_several_measures_are_paid_for_by_how_different_they_are():
    rng = np.random.default_rng(3)
    old, new = rng.normal(size=(12, 1)), rng.normal(size=(3, 1)) + 9
    alone = higher(old, new)[0]
    copies = higher(np.hstack([old] * 4), np.hstack([new] * 4))
    assert copies == pytest.approx([alone] * 4)
    strangers = higher(np.hstack([old, rng.normal(size=(12, 3))]), np.hstack([new, rng.normal(size=(3, 3))]))
    assert alone < strangers[0] <= 4 * alone + 1e-9


def test_looking_at_four_measures_at_once_is_wrong_no_oftener_than_promised():
    rng = np.random.default_rng(4)
    found = [higher(rng.normal(size=(9, 4)), rng.normal(size=(3, 4))).min() <= 0.05 for _ in range(600)]
    # 600 trials at 5 %: 30, and by chance hardly ever more than 48.
    assert 12 <= sum(found) <= 48


def test_the_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(5)
    held, level = 0, 0.0
    for _ in range(1000):
        found = shift(rng.standard_t(3, size=8), rng.standard_t(3, size=4) + 2.0)
        held += found.lower <= 2.0 <= found.upper
        level = found.level
    assert level >= 0.95
    assert held / 1000 == pytest.approx(level, abs=0.02)


def test_of_too_few_values_the_interval_is_as_wide_as_it_gets_and_says_how_sure_it_is():
    found = shift(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), np.array([7.0, 9.0]))
    assert (found.lower, found.upper) == (2.0, 8.0)
    assert found.level == pytest.approx(1 - 2 / math.comb(7, 2))


def test_only_what_can_be_counted_through_is_compared():
    assert possible(7, 7)
    assert possible(20, 3)
    assert not possible(1, 9)
    assert not possible(30, 30)


def test_holm_raises_each_chance_for_how_many_there_are():
    assert holm([0.01, None, 0.04, 0.03]) == pytest.approx([0.03, None, 0.06, 0.06], abs=1e-12, nan_ok=True)
    assert holm([]) == []
    assert holm([0.9, 0.9]) == [1.0, 1.0]
