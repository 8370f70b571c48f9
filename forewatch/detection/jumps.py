"""Increments that are no growth: what was removed or put there at once, and what comes again every few days."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from forewatch.detection.grid import Vector

_DAY = 24
_WINDOW = 7
"""Neighbours whose median an increment is held against: longer than a jump is smeared over by hourly means."""
_FAR = 8.0
"""Robust standard deviations."""
_WORTH = 0.25
"""Share of a day's growth below which nothing is a jump."""
_MANY = 5
"""Jumps that neither recur nor were a few: then they are the growth itself."""
_PERIODS = range(2, 8)
"""Days."""
_ALIKE = 1.7
"""The largest of a chain to its smallest."""


class Recurring(NamedTuple):
    back: int
    """Hours from its last time to the end."""
    period: int
    """Hours."""
    size: float


class Jumps(NamedTuple):
    sizes: Vector
    """To be taken off each increment; recurring ones included."""
    recurring: tuple[Recurring, ...]
    many: bool
    """Too many at odd hours to be left out: those are not in `sizes`."""


def jumps(increments: Vector, rhythm: Vector, hour: NDArray[np.int64]) -> Jumps:
    """Of hourly increments, given the usual one of each hour of the day."""
    count = len(increments)
    beside = increments - rhythm[hour]
    far = beside - _smooth(beside)
    day = np.convolve(increments, np.ones(_DAY), "valid")
    least = np.maximum(_FAR * spreads(increments, hour)[hour], _WORTH * float(np.median(np.abs(day))))
    left = {int(place) for place in np.flatnonzero(np.abs(far) > least)}

    sizes, recurring = np.zeros(count), []
    for period in (_DAY * days for days in _PERIODS):
        for last in sorted((place for place in left if place >= count - period - 1), reverse=True):
            chain = _chain(last, period, left) if last in left else []
            if len(chain) > 1 and _alike(far[chain]):
                recurring.append(Recurring(count - last, period, float(np.median(far[chain]))))
                sizes[chain] = far[chain]
                left.difference_update(chain)
    rest = sorted(left)
    many = len(rest) >= _MANY and rest[-1] - rest[0] > count / 2
    if not many:
        sizes[rest] = far[rest]
    return Jumps(sizes, tuple(recurring), many)


def spreads(increments: Vector, hour: NDArray[np.int64]) -> Vector:
    """Robust standard deviation of each hour of the day; none below a third of their median or of the resolution."""
    found = np.empty(_DAY)
    for h in range(_DAY):
        part = increments[hour == h]
        found[h] = 1.4826 * np.median(np.abs(part - np.median(part)))
    sizes = np.abs(increments[increments != 0])
    smallest = float(np.min(sizes)) if len(sizes) else 1.0
    # Where values come in whole steps, most increments are equal, and that is no certainty.
    return np.maximum(found, max(float(np.median(found)) / 3, smallest))


def _smooth(values: Vector) -> Vector:
    padded = np.pad(values, _WINDOW // 2, mode="reflect")
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(padded, _WINDOW), axis=1))


def _chain(last: int, period: int, among: set[int]) -> list[int]:
    """`last` and those a period before one another, back to the beginning; none where a link is missing."""
    chain = [last]
    while chain[-1] - period >= 2:
        before = chain[-1] - period
        link = next((place for place in (before, before - 1, before + 1) if place in among), None)
        if link is None:
            return []
        chain.append(link)
    return chain


def _alike(sizes: Vector) -> bool:
    size = np.abs(sizes)
    return bool(np.all(np.sign(sizes) == np.sign(sizes[0])) and np.max(size) < _ALIKE * np.min(size))
