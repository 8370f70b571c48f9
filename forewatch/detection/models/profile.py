"""The median seasonal profile: what is typical of each time of the day or week, and how long the series stays away."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from forewatch.clock import micros
from forewatch.detection.grid import Vector
from forewatch.detection.models.part import Part
from forewatch.detection.models.rhythm import Rhythm, slots
from forewatch.detection.seasons import DAY, WEEK


def daily_profile(y: Vector, moments: NDArray[np.int64], step: float) -> Part:
    """The median of each time of the day."""
    count = max(1, round(DAY / step))
    return _part("daily profile", y, moments, _medians(y, moments, count, DAY), daily=True)


def weekly_profile(y: Vector, moments: NDArray[np.int64], step: float) -> Part:
    """The median of each time of the week, in slots of a quarter of an hour at least."""
    count = 7 * max(1, round(DAY / max(step, 900.0)))
    return _part("weekly profile", y, moments, _medians(y, moments, count, WEEK), daily=False)


def _medians(y: Vector, moments: NDArray[np.int64], count: int, period: float) -> Vector:
    # Slots of one period side by side; what a period lacks at its ends stays out of the median.
    turn = moments // micros(period)
    table = np.full((int(turn[-1] - turn[0]) + 1, count), np.nan)
    table[turn - turn[0], slots(moments, count, period)] = y
    empty = np.all(np.isnan(table), axis=0)
    table[0, empty] = np.median(y)
    typical: Vector = np.nanmedian(table, axis=0).astype(np.float32).astype(np.float64)
    return typical


def _part(name: str, y: Vector, moments: NDArray[np.int64], profile: Vector, *, daily: bool) -> Part:
    rhythm = Rhythm(profile=profile, daily=daily)
    away = y - rhythm.at(moments)
    power = float(away[:-1] @ away[:-1])
    lag = min(0.999, max(0.0, float(away[1:] @ away[:-1]) / power)) if power > 0 else 0.0
    sigma = float(np.std(away[1:] - lag * away[:-1]))
    return Part(name, np.array([lag]), rhythm, sigma, about=True)
