"""What of a series comes back every day and week, as a few numbers: Fourier weights, or a profile of typical values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from forewatch.clock import micros
from forewatch.detection.grid import Vector
from forewatch.detection.seasons import DAY, WEEK, Calendar, fourier_at, weekdays

DAY_PAIRS = 6
"""Sines and cosines of the day: down to four hours."""
WEEK_PAIRS = 3
"""Sines and cosines of the week: what makes a weekend differ, beside the day's own."""

Kind = Literal["day", "workday", "week"]
"""Of a profile: every day alike, workdays and weekends apart, or each day of the week its own."""

_SATURDAY = 5


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
    """Typical values of the slots of a day; of a workday, then of a day of the weekend; or of the seven days."""
    kind: Kind = "day"

    def at(self, moments: NDArray[np.int64]) -> Vector:
        """Its value at moments, those of holidays already moved to their Sunday (`Calendar.as_lived`)."""
        value = np.full(len(moments), self.constant)
        for weights, period in ((self.day, DAY), (self.week, WEEK)):
            if len(weights):
                value += fourier_at(moments, period, len(weights) // 2) @ weights
        if len(self.profile):
            value += self.profile[slots(moments, self.kind, len(self.profile))]
        return value


def days_of(kind: Kind) -> int:
    """How many different days a profile has."""
    return {"day": 1, "workday": 2, "week": 7}[kind]


def slots(moments: NDArray[np.int64], kind: Kind, count: int) -> NDArray[np.int64]:
    """Which slot of a profile of `count` slots each moment lies in."""
    a_day = count // days_of(kind)
    slot: NDArray[np.int64] = (moments % micros(DAY)) * a_day // micros(DAY)
    if kind == "workday":
        slot += a_day * (weekdays(moments) >= _SATURDAY)
    elif kind == "week":
        slot += a_day * weekdays(moments)
    return slot


def lived(moments: NDArray[np.int64], calendar: Calendar | None) -> NDArray[np.int64]:
    """Moments as a weekly rhythm is to be asked for them."""
    return moments if calendar is None else calendar.as_lived(moments)
