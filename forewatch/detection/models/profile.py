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
_WIDTH = {"day": 900.0, "workday": 900.0, "week": 1800.0}


def profiles(y: Vector, moments: NDArray[np.int64], step: float, kind: Kind) -> Iterator[Part]:
    """The profile as it is, at the height of the last three hours or the last day, and returning to it slowly."""
    a_day = max(1, round(DAY / max(step, _WIDTH[kind])))
    rhythm = Rhythm(profile=_medians(y, moments, kind, a_day * days_of(kind)), kind=kind)
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
