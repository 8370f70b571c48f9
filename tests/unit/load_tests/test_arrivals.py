"""Requests come due at moments fixed beforehand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from forewatch.load_tests.arrivals import arrivals

pytestmark = pytest.mark.unit


def test_constant_arrivals_are_evenly_spaced_and_do_not_drift():
    due = list(arrivals("constant", 3.0, 3000.0))
    assert len(due) == 9000
    assert due[0] == 0.0
    assert due[-1] == pytest.approx(8999 / 3, abs=1e-9)


def test_a_rate_below_one_request_in_the_whole_time_still_sends_one():
    assert list(arrivals("constant", 0.1, 2.0)) == [0.0]


def test_poisson_arrivals_have_the_rate_and_exponential_gaps():
    due = list(arrivals("poisson", 50.0, 400.0, seed=7))
    gaps = np.diff([0.0, *due])
    # 20,000 of them: the rate is within four standard errors, and the spread of the gaps is their mean.
    assert len(due) == pytest.approx(20_000, abs=4 * 20_000**0.5)
    assert gaps.mean() == pytest.approx(1 / 50, rel=0.03)
    assert gaps.std() == pytest.approx(1 / 50, rel=0.05)
    # What has passed since the last one says nothing of the next: no gap leans on the one before.
    assert abs(np.corrcoef(gaps[:-1], gaps[1:])[0, 1]) < 0.03
    assert max(due) < 400.0


def test_the_same_seed_gives_the_same_arrivals_and_another_gives_others():
    first, again, other = (list(arrivals("poisson", 5.0, 60.0, seed=seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_arrivals_are_drawn_as_they_are_needed():
    assert len(list(itertools.islice(arrivals("constant", 10_000.0, 3600.0), 5))) == 5
