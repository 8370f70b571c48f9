"""Which model a series gets: each candidate is fitted on the first part and tried on the rest, at every horizon."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forewatch.clock import micros
from forewatch.detection.grid import Vector
from forewatch.detection.models import level, profile
from forewatch.detection.models.autoregression import autoregression, autoregression_of_differences
from forewatch.detection.models.part import Part, paths
from forewatch.detection.seasons import DAY

_DAILY_AFTER = 2 * DAY
_WEEKLY_AFTER = 21 * DAY
_ORIGINS = 200


@dataclass(frozen=True)
class Trial:
    """The best candidate and the absolute errors of its trial, shape (origins, steps)."""

    parts: tuple[Part, ...]
    errors: Vector


def choose(y: Vector, moments: NDArray[np.int64], step: float, steps: int) -> Trial:
    """The candidate of least absolute error in the trial, fitted on everything."""
    count = len(y)
    cut = count * 2 // 3
    horizon = min(steps, max(1, count - cut - 1))
    first = max(cut, count - horizon - _ORIGINS)
    origins = np.arange(first, count - horizon + 1)
    came = y[origins[:, None] + np.arange(horizon)]
    tried = {}
    for name, part in _candidates(y[:cut], moments[:cut], step).items():
        order = len(part.lags)
        before = moments[0] - np.arange(order, 0, -1) * micros(step)
        tried[name] = np.abs(paths(part, part.drift(moments, before), y, origins, horizon) - came)
    fitted = _candidates(y, moments, step)
    best = min(tried.keys() & fitted.keys(), key=lambda name: (float(np.mean(tried[name])), name))
    return Trial((fitted[best],), tried[best])


def _candidates(y: Vector, moments: NDArray[np.int64], step: float) -> dict[str, Part]:
    span = len(y) * step
    day = span >= _DAILY_AFTER * 2 / 3 and step <= 3600.0
    week = span >= _WEEKLY_AFTER * 2 / 3
    found: dict[str, Part | None] = {
        "walk": level.random_walk(y),
        "drift": level.random_walk_with_drift(y),
        "level": level.typical_level(y),
        "autoregression": autoregression(y, moments, day=day, week=week),
        "differences": autoregression_of_differences(y, moments),
    }
    if day:
        found["day"] = profile.daily_profile(y, moments, step)
    if week:
        found["week"] = profile.weekly_profile(y, moments, step)
    return {name: part for name, part in found.items() if part is not None}
