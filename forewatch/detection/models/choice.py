"""Which model a series gets: each candidate is fitted on the first part and tried on the rest, from many origins.

The forecast is the mean of the best ones. The constants below were set on the labelled development series.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forewatch.detection.grid import Vector
from forewatch.detection.models import level
from forewatch.detection.models.autoregression import Form
from forewatch.detection.models.part import Part
from forewatch.detection.models.profile import growing_profile, profiles
from forewatch.detection.models.rhythm import Kind
from forewatch.detection.seasons import DAY

Regress = Callable[[int, Form], Part | None]
"""The autoregression of a form, fitted to so many of the oldest values."""

_BEST = 7
"""Candidates whose mean is the forecast, at most: steadier than the best one alone."""
_CLOSE = 1.2
"""How much greater than the best one's error theirs may be."""
_SHARE = 0.5
"""Of the past that candidates are fitted on for the trial, at least."""
_TRIED = 7 * DAY
"""Seconds of the newest past that candidates are tried on, or as many as two forecasts reach."""
_ORIGINS = 56
_SPARSE = 0.25
"""Share of steps with a sample below which only the level is looked at."""

_DAILY, _WORKDAYS, _WEEKLY = 2 * DAY, 12 * DAY, 21 * DAY


@dataclass(frozen=True)
class Trial:
    """The best candidates, fitted on everything, and what their mean's errors were: shape (origins, steps)."""

    parts: tuple[Part, ...]
    errors: Vector
    span: int
    """Over how many steps it stretched."""


def cut(count: int, step: float, steps: int) -> int:
    """How many of the oldest values the candidates of a trial are fitted on."""
    return max(int(count * _SHARE), count - max(round(_TRIED / step), 2 * steps))


def forms(span: float) -> tuple[Form, ...]:
    """The autoregressions that are worth fitting to so many seconds."""
    daily: tuple[Form, ...] = ("day", "daily differences") if span >= _DAILY else ()
    weekly: tuple[Form, ...] = ("week",) if span >= _WEEKLY else ()
    return ("level", "differences", *daily, *weekly)


def choose(
    y: Vector, known: NDArray[np.bool_], moments: NDArray[np.int64], step: float, steps: int, regress: Regress
) -> Trial:
    """The candidates of least absolute error in the trial; steps that were not `known` do not count."""
    count, span = len(y), len(y) * step
    fitted_on = cut(count, step, steps)
    horizon = min(steps, max(1, (count - fitted_on) * 3 // 4))
    last = count - horizon
    origins = np.unique(np.linspace(fitted_on, last, min(_ORIGINS, last - fitted_on + 1)).astype(np.int64))
    ahead = origins[:, None] + np.arange(horizon)
    came = np.where(known[ahead], y[ahead], np.nan)

    seasonal = float(np.mean(known)) >= _SPARSE
    fitted = {part.name: part for part in _candidates(y, moments, step, span, seasonal, regress)}
    tried = {}
    for part in _candidates(y[:fitted_on], moments[:fitted_on], step, span, seasonal, regress):
        if part.name in fitted:
            tried[part.name] = part.paths(y, moments, origins, horizon)
    lost = {name: _mean(np.abs(path - came)) for name, path in tried.items()}
    ranked = sorted(tried, key=lambda name: (lost[name], name))
    best = [name for name in ranked[:_BEST] if lost[name] <= _CLOSE * lost[ranked[0]]]
    mean = np.mean([tried[name] for name in best], axis=0)
    return Trial(tuple(fitted[name] for name in best), np.abs(mean - came), count - fitted_on)


def _candidates(
    y: Vector, moments: NDArray[np.int64], step: float, span: float, seasonal: bool, regress: Regress
) -> Iterator[Part]:
    """Models fitted to `y`; `span` is that of the whole past, so that a trial's candidates are those of the end."""
    yield level.random_walk(y)
    yield level.random_walk_with_drift(y)
    yield level.typical_level(y)
    for window, said in ((DAY / 8, "three hours"), (DAY, "day")):
        if span >= 4 * window > 8 * step:
            yield level.newest_level(y, round(window / step), said)
    for form in forms(span) if seasonal else ():
        part = regress(len(y), form)
        if part is not None:
            yield part
    kinds: dict[Kind, float] = {"day": _DAILY, "workday": _WORKDAYS, "week": _WEEKLY}
    for kind, after in kinds.items():
        if seasonal and span >= after and step < DAY:
            yield from profiles(y, moments, step, kind)
            growing = growing_profile(y, moments, step, kind)
            if growing is not None:
                yield growing


def _mean(errors: Vector) -> float:
    there = errors[~np.isnan(errors)]
    return float(np.mean(there)) if len(there) else 0.0
