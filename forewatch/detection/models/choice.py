"""Which model a series gets: each candidate is fitted on the first part and tried on the rest, from many origins.

The forecast is the mean of the best ones. The constants below were set on the labelled development series.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forewatch.detection.grid import Vector
from forewatch.detection.models import level
from forewatch.detection.models.autoregression import autoregression, autoregression_of_differences
from forewatch.detection.models.part import Part
from forewatch.detection.models.profile import profiles
from forewatch.detection.seasons import DAY

_BEST = 7
"""Candidates whose mean is the forecast, at most: steadier than the best one alone."""
_CLOSE = 1.2
"""How much greater than the best one's error theirs may be."""
_SHARE = 0.5
"""Of the past that candidates are fitted on for the trial, at least."""
_ORIGINS = 56
_TRIED = 7 * DAY
"""Seconds of the newest past that candidates are tried on, or as many as two forecasts reach."""


@dataclass(frozen=True)
class Trial:
    """The best candidates, fitted on everything, and what their mean's errors were: shape (origins, steps)."""

    parts: tuple[Part, ...]
    errors: Vector


def choose(y: Vector, known: NDArray[np.bool_], moments: NDArray[np.int64], step: float, steps: int) -> Trial:
    """The candidates of least absolute error in the trial; steps that were not `known` do not count."""
    count = len(y)
    cut = max(int(count * _SHARE), count - max(round(_TRIED / step), 2 * steps))
    horizon = min(steps, max(1, (count - cut) * 3 // 4))
    last = count - horizon
    origins = np.unique(np.linspace(cut, last, min(_ORIGINS, last - cut + 1)).astype(np.int64))
    ahead = origins[:, None] + np.arange(horizon)
    came = np.where(known[ahead], y[ahead], np.nan)
    fitted = {part.name: part for part in _candidates(y, moments, step)}
    tried = {}
    for part in _candidates(y[:cut], moments[:cut], step):
        if part.name in fitted:
            tried[part.name] = part.paths(y, moments, origins, horizon)
    lost = {name: _mean(np.abs(path - came)) for name, path in tried.items()}
    ranked = sorted(tried, key=lambda name: (lost[name], name))
    best = [name for name in ranked[:_BEST] if lost[name] <= _CLOSE * lost[ranked[0]]]
    mean = np.mean([tried[name] for name in best], axis=0)
    return Trial(tuple(fitted[name] for name in best), np.abs(mean - came))


def _candidates(y: Vector, moments: NDArray[np.int64], step: float) -> Iterator[Part]:
    span = len(y) * step
    yield level.random_walk(y)
    yield level.random_walk_with_drift(y)
    yield level.typical_level(y)
    for window, said in ((DAY / 8, "three hours"), (DAY, "day")):
        if span >= 2 * window > 2 * step:
            yield level.newest_level(y, round(window / step), said)
    day = span >= 4 / 3 * DAY
    # A trial's first part has two thirds of what there is.
    workday, week = span >= 2 / 3 * 12 * DAY, span >= 2 / 3 * 21 * DAY
    for with_day, with_week in sorted({(False, False), (day, False), (day, week)}):
        part = autoregression(y, moments, day=with_day, week=with_week)
        if part is not None:
            yield part
    differences = autoregression_of_differences(y, moments)
    if differences is not None:
        yield differences
    if day:
        yield from profiles(y, moments, step, "day")
    if workday:
        yield from profiles(y, moments, step, "workday")
    if week:
        yield from profiles(y, moments, step, "week")


def _mean(errors: Vector) -> float:
    there = errors[~np.isnan(errors)]
    return float(np.mean(there)) if len(there) else 0.0
