from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forewatch.clock import MICROSECONDS
from forewatch.detection.statistics import clean, compute, within

pytestmark = pytest.mark.unit

EVERY = ("mean", "max", "min", "p50", "p95", "p99", "rate", "sum", "count", "last")
finite = st.floats(-1e12, 1e12)


def at(*values: float, every: float = 10.0) -> list[tuple[int, float]]:
    return [(round(index * every * MICROSECONDS), value) for index, value in enumerate(values)]


@pytest.mark.parametrize("statistic", EVERY)
def test_no_samples_is_no_data_and_not_zero(statistic):
    assert compute(statistic, []) is None


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [("mean", 2.5), ("max", 4), ("min", 1), ("sum", 10), ("count", 4), ("last", 4), ("p50", 2.5)],
)
def test_each_statistic_of_one_to_four(statistic, expected):
    assert compute(statistic, at(1, 2, 3, 4)) == expected


@given(st.lists(finite, min_size=1, max_size=60))
@settings(max_examples=50)
def test_quantiles_are_those_of_numpy(values):
    for statistic, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        assert compute(statistic, at(*values)) == pytest.approx(float(np.quantile(values, share)), rel=1e-9, abs=1e-3)


def test_a_rate_is_per_second():
    assert compute("rate", at(100, 150, 200, every=10)) == 5.0


def test_a_rate_counts_on_from_zero_after_a_reset():
    # 100 -> 150, process restarted, 30 since, 60.
    assert compute("rate", at(100, 150, 30, 60, every=10)) == pytest.approx((50 + 30 + 30) / 30)


def test_a_rate_needs_two_samples():
    assert compute("rate", at(7)) is None


def test_a_ratio_divides_the_means_of_two_metrics():
    assert compute("ratio", at(1, 3), at(8, 8, 8)) == 0.25


@pytest.mark.parametrize("per", [[], at(0, 0)])
def test_a_ratio_to_nothing_or_to_zero_is_no_data(per):
    assert compute("ratio", at(1), per) is None


def test_clean_sorts_keeps_the_last_of_a_moment_and_drops_what_is_no_number():
    assert clean([(3, 1.0), (1, 5.0), (2, math.inf), (3, 2.0), (4, math.nan)]) == [(1, 5.0), (3, 2.0)]


def test_a_window_is_open_at_its_start_and_closed_at_its_end():
    samples = at(0, 1, 2, 3, every=1)
    assert [value for _, value in within(samples, 2 * MICROSECONDS, 2.0)] == [1, 2]


@given(st.lists(finite, min_size=2, max_size=40), st.sampled_from([1e-6, 0.5, 3.0, 1e6]))
@settings(max_examples=50)
def test_all_but_count_scale_with_the_series(values, factor):
    scaled = at(*(value * factor for value in values))
    for statistic in EVERY:
        before, after = compute(statistic, at(*values)), compute(statistic, scaled)
        wanted = before if statistic == "count" else before * factor
        assert after == pytest.approx(wanted, rel=1e-6, abs=1e-3 * factor)


@given(st.lists(st.tuples(st.integers(0, 10**15), st.floats()), max_size=40))
@settings(max_examples=50)
def test_whatever_comes_the_answer_is_a_finite_number_or_no_data(samples):
    known = clean(samples)
    for statistic in EVERY:
        value = compute(statistic, known)
        assert value is None or math.isfinite(value)
