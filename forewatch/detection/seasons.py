"""The rhythms of days and weeks: Fourier terms whose phase comes from absolute time, and days that count as Sundays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forewatch.clock import micros
from forewatch.detection.grid import Vector

DAY = 86400.0
WEEK = 7 * DAY

_SUNDAY = 6
# The epoch, 1 January 1970, was a Thursday.
_FIRST_WEEKDAY = 3


@dataclass(frozen=True)
class Calendar:
    """Days on which a series behaves as on a Sunday: the `(start, end)` of each, microseconds UTC."""

    days: frozenset[tuple[int, int]] = frozenset()

    def is_holiday(self, at: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which moments lie in one of the days."""
        found = np.zeros(np.shape(at), dtype=np.bool_)
        for start, end in self.days:
            found |= (at >= start) & (at < end)
        return found

    def as_lived(self, at: NDArray[np.int64]) -> NDArray[np.int64]:
        """The moments, those of a holiday moved to the Sunday of its week: what a weekly rhythm is to be asked for."""
        moved = np.array(at, dtype=np.int64)
        for start, end in self.days:
            inside = (at >= start) & (at < end)
            # The middle of a day has its weekday in whatever zone the day begins and ends.
            moved[inside] += (_SUNDAY - weekday((start + end) // 2)) * micros(DAY)
        return moved


def times(start: int, step: float, count: int) -> NDArray[np.int64]:
    """The starts of `count` steps, microseconds UTC."""
    return start + np.arange(count, dtype=np.int64) * micros(step)


def weekday(at: int) -> int:
    """Of a moment in UTC; 0 is Monday."""
    return (at // micros(DAY) + _FIRST_WEEKDAY) % 7


def weekdays(at: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same of many moments."""
    return (at // micros(DAY) + _FIRST_WEEKDAY) % 7


def fourier(start: int, step: float, count: int, period: float, pairs: int) -> Vector:
    """Sines and cosines of a period (seconds) and its harmonics for `count` steps: shape (count, 2 * pairs).

    The phase comes from absolute time, so that a day begins at midnight UTC and a week on the same weekday always.
    """
    return fourier_at(times(start, step, count), period, pairs)


def fourier_at(at: NDArray[np.int64], period: float, pairs: int) -> Vector:
    """The same for any moments."""
    phase = (at % micros(period)) * (2 * np.pi / micros(period))
    angles = phase[:, None] * np.arange(1, pairs + 1)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
