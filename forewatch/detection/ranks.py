"""Exact rank tests for a handful of values against another handful: no distribution is assumed, ties are allowed.

The values must be exchangeable where nothing has changed, so each is to stand for a whole unit (a run, a day): values
within one lean on each other, and counting them one by one would make a certainty of a coincidence.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
_MOST = 20_000
"""Ways to deal the values into two heaps that are gone through."""
_TIE = 1e-9


@dataclass(frozen=True)
class Shift:
    """By how much the second heap lies above the first (Hodges and Lehmann: the median of all differences)."""

    estimate: float
    lower: float
    """Of the interval that holds the truth in `level` of all cases: as much as asked for, or as so few values give."""
    upper: float
    p: float
    """Two-sided (Mann and Whitney)."""
    level: float


def possible(before: int, after: int) -> bool:
    """Whether heaps of these sizes can be compared: at least two in each, and not too many ways to deal them."""
    return min(before, after) >= 2 and math.comb(before + after, after) <= _MOST


def higher(before: Vector, after: Vector) -> Vector:
    """For each column, how likely it is that rows `after` rank as high as they do above rows `before`, all alike.

    One-sided, and held against the best of all columns in each way to deal the rows (Westfall and Young): looking at
    several measures of the same runs is paid for, but no more than their independence costs.
    """
    count = len(before) + len(after)
    ranks = np.apply_along_axis(_midranks, 0, np.vstack([before, after])) - (count + 1) / 2
    spread = np.sqrt(np.mean(ranks**2, axis=0))
    scaled = ranks / np.where(spread > 0, spread, 1.0)
    best = np.max(scaled[_deals(count, len(after))].sum(axis=1), axis=1)
    seen = scaled[len(before) :].sum(axis=0)
    return np.array([np.mean(best >= one - _TIE) for one in seen])


def shift(before: Vector, after: Vector, level: float = 0.95) -> Shift:
    """The shift from one heap to the other, with its interval and how sure it is. Sizes as `possible` says."""
    count, wins = len(before) + len(after), _wins(len(before), len(after))
    # The largest number of differences to leave out at each end that keeps the interval's promise.
    edge = max(0, int(np.searchsorted(np.cumsum(wins) / wins.sum(), (1 - level) / 2, side="right")) - 1)
    differences = np.sort((after[:, None] - before[None, :]).ravel())
    kept = 1.0 - 2.0 * float(np.sum(wins[: edge + 1]) / wins.sum())
    ranks = _midranks(np.concatenate([before, after])) - (count + 1) / 2
    dealt = np.abs(ranks[_deals(count, len(after))].sum(axis=1))
    p = float(np.mean(dealt >= abs(float(ranks[len(before) :].sum())) - _TIE))
    return Shift(
        float(np.median(differences)), float(differences[edge]), float(differences[-1 - edge]), min(1.0, p), kept
    )


def _midranks(values: Vector) -> Vector:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[place], dtype=float)


@lru_cache(maxsize=8)
def _deals(count: int, taken: int) -> NDArray[np.intp]:
    return np.array(list(itertools.combinations(range(count), taken)), dtype=np.intp)


@lru_cache(maxsize=32)
def _wins(before: int, after: int) -> Vector:
    """In how many ways the second heap wins 0, 1, 2, ... of all pairs (Mann and Whitney's recursion, no ties)."""
    ways = np.zeros((after + 1, before * after + 1))
    ways[0, 0] = 1.0
    for value in range(before + after):
        # The value at this place of the order joins the second heap, and wins over those of the first below it.
        for taken in range(min(after, value + 1), 0, -1):
            below = value - (taken - 1)
            if below > before:
                continue
            ways[taken, below:] += ways[taken - 1, : ways.shape[1] - below]
    return np.asarray(ways[after])


def holm(chances: Sequence[float | None]) -> list[float | None]:
    """Each chance raised for how many there are (Holm), so that among many comparisons none is sure by luck alone.

    None stays None and counts for nothing.
    """
    known = sorted((chance, place) for place, chance in enumerate(chances) if chance is not None)
    raised: list[float | None] = [None] * len(chances)
    so_far = 0.0
    for number, (chance, place) in enumerate(known):
        so_far = max(so_far, min(1.0, (len(known) - number) * chance))
        raised[place] = so_far
    return raised
