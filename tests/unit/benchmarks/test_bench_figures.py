"""Medians and percentiles of benchmark trials."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks._figures import HEAD, line, percentile, slope, summary

pytestmark = pytest.mark.unit

values = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50)


@given(values)
def test_the_median_is_that_of_the_standard_library(some: list[float]) -> None:
    assert percentile(some, 0.5) == pytest.approx(statistics.median(some))


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50))
def test_p95_is_interpolated_as_the_standard_library_does(some: list[float]) -> None:
    wanted = statistics.quantiles(some, n=20, method="inclusive")[18]
    assert percentile(some, 0.95) == pytest.approx(wanted, rel=1e-6, abs=1e-6)


def test_the_extremes_are_the_smallest_and_the_largest() -> None:
    assert (percentile([3.0, 1.0, 2.0], 0.0), percentile([3.0, 1.0, 2.0], 1.0)) == (1.0, 3.0)


def test_nothing_has_no_percentile_and_no_summary() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)
    assert summary([]) is None


def test_a_row_stands_under_its_head() -> None:
    row = line(summary([1.0, 2.0, 3.0, 4.0]))
    assert row.split() == ["4", "2.50", "3.85", "1.00", "4.00"]
    assert len(row) == len(HEAD) == len(line(None))


def test_growth_is_from_the_first_moment_to_the_last() -> None:
    assert slope([(10.0, 100.0), (11.0, 900.0), (20.0, 150.0)]) == 5.0


def test_growth_needs_two_moments() -> None:
    with pytest.raises(ValueError, match="two moments"):
        slope([(1.0, 1.0), (1.0, 2.0)])
