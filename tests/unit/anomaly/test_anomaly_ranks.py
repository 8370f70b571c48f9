"""Tail probabilities by the sketch, against counting everything."""

from __future__ import annotations

import numpy as np
import pytest

from forewatch.detection.anomaly.ranks import COARSE, FINE, MEMORY, Ranks

pytestmark = [pytest.mark.unit, pytest.mark.filterwarnings("error")]


def feed(ranks: Ranks, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    shares, excesses = [], []
    start = 0
    while start < rows.shape[1]:
        end = min(rows.shape[1], start + ranks.room)
        share, excess = ranks.add(rows[:, start:end])
        shares.append(share)
        excesses.append(excess)
        start = end
    return np.concatenate(shares, axis=1), np.concatenate(excesses, axis=1)


def counted(values: np.ndarray) -> np.ndarray:
    found = np.ones(len(values))
    for row in range(2, len(values)):
        before = values[:row]
        least = min((before >= values[row]).sum(), (before <= values[row]).sum())
        found[row] = max(least, 1) / (row + 1)
    return found


@pytest.mark.parametrize(("grain", "within"), [(FINE, 0.06), (COARSE, 0.16)])
@pytest.mark.parametrize("kind", ["normal", "heavy tails", "counts", "two levels"])
def test_tail_probabilities_are_nearly_those_of_counting(grain, within, kind):
    random = np.random.default_rng(4)
    values = {
        "normal": random.normal(size=3000),
        "heavy tails": random.standard_cauchy(3000),
        "counts": random.poisson(3.0, 3000).astype(float),
        "two levels": random.choice([0.0, 20.0], 3000),
    }[kind].astype(np.float32)
    share, _ = feed(Ranks(1, grain), values[None])
    exact = counted(values)
    rare = exact < 0.05
    rare[:100] = False
    assert np.abs(np.log10(share[0]) - np.log10(exact))[~rare].mean() < within
    if rare.any():
        assert np.abs(np.log10(share[0]) - np.log10(exact))[rare].mean() < within


def test_counts_are_never_blurred_with_their_neighbours():
    values = np.random.default_rng(1).poisson(3.0, 20_000).astype(np.float32)
    ranks = Ranks(1, FINE)
    feed(ranks, values[None])
    for share in (0.01, 0.1, 0.5, 0.9, 0.99):
        assert ranks.quantile(0, share) == np.quantile(values[-MEMORY:], share, method="inverted_cdf")


def test_the_old_fades():
    ranks = Ranks(1, FINE)
    feed(ranks, np.full((1, 4 * MEMORY), 5, np.float32))
    feed(ranks, np.full((1, 6 * MEMORY), 1, np.float32))
    share, _ = ranks.add(np.array([[5.0]], np.float32))
    assert share[0, 0] < 0.01


def test_excess_is_measured_in_ranges():
    ranks = Ranks(1, FINE)
    feed(ranks, np.linspace(0, 10, 500, dtype=np.float32)[None])
    _, excess = ranks.add(np.array([[5.0, 30.0, 30.0, -30.0]], np.float32))
    np.testing.assert_allclose(excess[0], [0, 2, 0, 1], atol=1e-6)


def test_a_row_counted_many_times_becomes_ordinary():
    plain, taught = Ranks(1, FINE), Ranks(1, FINE)
    values = np.random.default_rng(0).normal(size=(1, 1024)).astype(np.float32)
    unusual = np.array([[9.0]], np.float32)
    for ranks in (plain, taught):
        feed(ranks, values)
    taught.reinforce(unusual[:, 0], 20.0)
    assert taught.add(unusual)[0][0, 0] > 15 * plain.add(unusual)[0][0, 0]


def test_nothing_is_known_of_the_first_rows():
    share, excess = Ranks(2, FINE).add(np.array([[1.0, 9.0], [1.0, 1.0]], np.float32))
    assert np.all(share == 1)
    assert not excess.any()
    assert np.isnan(Ranks(1, FINE).quantile(0, 0.5))
