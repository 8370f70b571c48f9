"""What of a series comes back every day and week, as a few numbers: Fourier weights, or a profile of typical values."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from forewatch.clock import micros
from forewatch.detection.grid import Vector
from forewatch.detection.seasons import DAY, WEEK, Calendar, fourier_at

DAY_PAIRS = 6
"""Sines and cosines of the day: down to four hours."""
WEEK_PAIRS = 3
"""Sines and cosines of the week: what makes a weekend differ, beside the day's own."""


def _nothing() -> Vector:
    return np.zeros(0)


@dataclass(frozen=True)
class Rhythm:
    """`constant + Fourier terms of day and week + profile`, in the units that the model is fitted in."""

    constant: float = 0.0
    day: Vector = field(default_factory=_nothing)
    """Weights of the sines, then of the cosines."""
    week: Vector = field(default_factory=_nothing)
    profile: Vector = field(default_factory=_nothing)
    """Typical values of the slots of a week (their number a multiple of 7) or, where `daily`, of a day."""
    daily: bool = True

    def at(self, moments: NDArray[np.int64]) -> Vector:
        """Its value at moments, those of holidays already moved to their Sunday (`Calendar.as_lived`)."""
        value = np.full(len(moments), self.constant)
        for weights, period in ((self.day, DAY), (self.week, WEEK)):
            if len(weights):
                value += fourier_at(moments, period, len(weights) // 2) @ weights
        if len(self.profile):
            value += self.profile[slots(moments, len(self.profile), DAY if self.daily else WEEK)]
        return value


def slots(moments: NDArray[np.int64], count: int, period: float) -> NDArray[np.int64]:
    """Which of `count` equal parts of a period (seconds) each moment lies in."""
    return (moments % micros(period)) * count // micros(period)


def lived(moments: NDArray[np.int64], calendar: Calendar | None) -> NDArray[np.int64]:
    """Moments as a weekly rhythm is to be asked for them."""
    return moments if calendar is None else calendar.as_lived(moments)
