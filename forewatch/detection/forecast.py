"""The future of a series with a 95 % band, from its samples: an even grid, the best model, its forecast, its score."""

from __future__ import annotations

import numpy as np

from forewatch.clock import micros
from forewatch.detection.band import Forecast, NotYet
from forewatch.detection.grid import Grid, regularise
from forewatch.detection.models import Model, fit
from forewatch.detection.quantity import Range
from forewatch.detection.seasons import Calendar
from forewatch.detection.statistics import Samples, clean
from forewatch.units import format_duration

__all__ = ["AT_LEAST", "HORIZON", "LONGEST", "Forecast", "NotYet", "forecast", "prepare", "score", "steps_to"]

HORIZON = 3600.0
"""How far a forecast reaches beyond now where nothing else is asked for, in seconds."""
AT_LEAST = 1800.0
"""How much history a forecast needs, in seconds."""
LONGEST = 28 * 86400.0
"""How much history is looked at, in seconds."""

_BRIDGED = 86400.0
"""Seconds without data that are looked across, once two days are known."""
_FEWEST_STEPS = 24
_RATIO = Range(0.0, 1.0)


def forecast(
    samples: Samples,
    now: int,
    *,
    ratio: bool = False,
    within: Range | None = None,
    horizon: float = HORIZON,
    calendar: Calendar | None = None,
) -> Forecast | NotYet:
    """Forecast a series from `now` to `horizon` seconds later.

    Args:
        ratio: short for `within=Range(0, 1)`.
        within: where the metric keeps (`quantity.range_of`); by default it does not become negative. A series that
            has ever left it is free.
        calendar: days that count as Sundays.
    """
    if within is None:
        within = _RATIO if ratio else Range(0.0)
    grid = prepare(samples, now, horizon=horizon)
    if isinstance(grid, NotYet):
        return grid
    steps = steps_to(grid, now, horizon)
    return fit(grid, within=within, calendar=calendar, steps=steps).predict(steps)


def prepare(samples: Samples, now: int, *, horizon: float = HORIZON) -> Grid | NotYet:
    """The even grid that a forecast as far as `horizon` seconds is fitted to; coarser for a farther one."""
    grid = regularise(samples, now, at_least=AT_LEAST, longest=LONGEST, horizon=horizon, gap=_BRIDGED)
    if isinstance(grid, Grid) and len(grid.values) < _FEWEST_STEPS:
        return NotYet(f"needs {_FEWEST_STEPS} steps of {format_duration(grid.step)}, has {len(grid.values)}")
    return grid


def steps_to(grid: Grid | Model, now: int, horizon: float) -> int:
    """How many steps lead from the end of a grid (the start of a model's forecast) to `horizon` seconds beyond now."""
    start = grid.end if isinstance(grid, Grid) else grid.start
    return max(1, -(-(now + micros(horizon) - start) // micros(grid.step)))


def score(made: Forecast, actual: Samples) -> tuple[float, float] | None:
    """What came of a forecast: the share of steps inside the band, and the mean absolute error in the metric's unit.

    `actual` are samples over the forecast's span; a step's actual value is the mean of its samples, steps without any
    do not count. None where no step has a sample.
    """
    known = [(at, value) for at, value in clean(actual) if made.start <= at < made.end]
    if not known:
        return None
    index = np.array([(at - made.start) // micros(made.step) for at, _ in known])
    values = np.array([value for _, value in known])
    steps, first, count = np.unique(index, return_index=True, return_counts=True)
    came = np.add.reduceat(values, first) / count
    # What hardly changes has a narrow band: the rounding of a mean must not lie outside of it.
    slack = 1e-9 * np.abs(came)
    lower, upper, mean = (np.array(part)[steps] for part in (made.lower, made.upper, made.mean))
    inside = (came >= lower - slack) & (came <= upper + slack)
    return float(np.mean(inside)), float(np.mean(np.abs(came - mean)))
