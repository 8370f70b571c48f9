"""The median seasonal profile: what is typical of each time of the day or week, and how long the series stays away."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from forewatch.detection.grid import Vector
from forewatch.detection.models.part import Part
from forewatch.detection.models.rhythm import Kind, Rhythm, days_of, slots
from forewatch.detection.models.state import rounded
from forewatch.detection.seasons import DAY

_SAID = {"day": "daily profile", "workday": "profile of workdays and weekends", "week": "weekly profile"}
# A profile of more different days has fewer values a slot: its slots are wider.
_SURE = 3.0
"""Standard errors by which the growth of a day must differ from none."""
_WIDTH = {"day": 900.0, "workday": 900.0, "week": 1800.0}


def profiles(y: Vector, moments: NDArray[np.int64], step: float, kind: Kind) -> Iterator[Part]:
    """The profile as it is, at the height of the last three hours or the last day, and returning to it slowly."""
    rhythm = _rhythm(y, moments, step, kind)
    away = y - rhythm.at(moments)
    sigma = float(np.std(away))
    yield Part(_SAID[kind], rhythm, sigma)
    for span, said in ((DAY / 8, "three hours"), (DAY, "day")):
        window = max(1, round(span / step))
        yield Part(f"{_SAID[kind]} at the level of the last {said}", rhythm, sigma, window=window)
    power = float(away[:-1] @ away[:-1])
    lag = min(0.999, max(0.0, float(away[1:] @ away[:-1]) / power)) if power > 0 else 0.0
    rest = float(np.std(away[1:] - lag * away[:-1]))
    yield Part(f"{_SAID[kind]} with autoregression", rhythm, rest, np.array([lag]), about=True)


def growing_profile(y: Vector, moments: NDArray[np.int64], step: float, kind: Kind) -> Part | None:
    """A profile on a straight line, for what grows by about the same every day; None where it does not."""
    a_day = round(DAY / step)
    if len(y) < 2 * a_day:
        return None
    changes = y[a_day:] - y[:-a_day]
    a_days = float(np.median(changes))
    spread = 1.4826 * float(np.median(np.abs(changes - a_days)))
    if abs(a_days) <= _SURE * spread / np.sqrt(len(changes) / a_day):
        return None
    growth = a_days / a_day
    level = y - growth * np.arange(len(y))
    rhythm = _rhythm(level, moments, step, kind)
    sigma = float(np.std(level - rhythm.at(moments)))
    name = f"{_SAID[kind]} on a line"
    return Part(name, rhythm, sigma, window=max(1, round(DAY / 8 / step)), growth=growth)


def _rhythm(y: Vector, moments: NDArray[np.int64], step: float, kind: Kind) -> Rhythm:
    a_day = max(1, round(DAY / max(step, _WIDTH[kind])))
    return Rhythm(profile=_medians(y, moments, kind, a_day * days_of(kind)), kind=kind)


def _medians(y: Vector, moments: NDArray[np.int64], kind: Kind, count: int) -> Vector:
    """The median of each slot; the median of all where a slot has none."""
    slot = slots(moments, kind, count)
    order = np.lexsort((y, slot))
    ranked, size = y[order], np.bincount(slot, minlength=count)
    first = np.cumsum(size) - size
    typical = np.full(count, float(np.median(y)))
    filled = size > 0
    low, high = first + (size - 1) // 2, first + size // 2
    typical[filled] = (ranked[low[filled]] + ranked[high[filled]]) / 2
    return rounded(typical)
