"""Quantiles of a histogram against numpy's of the values themselves."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewatch.load_tests.histogram import ERROR, Histogram

pytestmark = pytest.mark.unit

SHARES = (0.0, 0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0)


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(1).lognormal(-3, 1.0, 20_000),
        np.random.default_rng(2).pareto(1.5, 20_000) * 0.01 + 0.001,
        np.concatenate([np.full(990, 0.002), np.full(10, 9.0)]),
        np.random.default_rng(3).uniform(1e-5, 3600.0, 5_000),
    ],
    ids=["lognormal", "heavy tail", "a stall", "microseconds to an hour"],
)
def test_quantiles_are_numpys_to_half_a_percent(values):
    histogram = Histogram.of(float(value) for value in values)
    for share in SHARES:
        exact = float(np.quantile(values, share, method="lower"))
        assert histogram.quantile(share) == pytest.approx(exact, rel=ERROR + 1e-9)
    assert pytest.approx(0.005, abs=1e-4) == ERROR


@given(st.lists(st.floats(1e-6, 3600.0), min_size=1, max_size=50), st.sampled_from(SHARES))
def test_any_values_are_within_the_error_and_never_above_the_largest(values, share):
    histogram = Histogram.of(values)
    found = histogram.quantile(share)
    assert found == pytest.approx(float(np.quantile(values, share, method="lower")), rel=ERROR + 1e-6)
    assert found <= histogram.most == max(values)


def test_it_goes_through_json_unchanged_and_small():
    made = Histogram.of(np.random.default_rng(5).lognormal(-3, 0.5, 100_000))
    text = json.dumps(made.as_json())
    assert Histogram.from_json(json.loads(text)) == made
    assert len(text) < 8_000


def test_nothing_has_no_quantile_and_no_time_is_too_short():
    assert Histogram().quantile(0.5) is None
    assert Histogram.of([0.0]).quantile(0.5) == 0.0


def test_it_says_how_many_were_longer():
    assert Histogram.of([0.1, 0.2, 5.0, 6.0]).above(1.0) == 2
