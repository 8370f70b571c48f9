"""From an even grid of values to a fitted model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from forewatch.clock import micros
from forewatch.detection.grid import Grid, Vector
from forewatch.detection.models.choice import choose
from forewatch.detection.models.intervals import halves
from forewatch.detection.models.model import Model
from forewatch.detection.models.rhythm import lived
from forewatch.detection.quantity import Range
from forewatch.detection.seasons import DAY, Calendar, times

_RECENT = 8


def fit(grid: Grid, *, within: Range, calendar: Calendar | None = None, steps: int) -> Model:
    """The best model of a grid for forecasts of so many steps.

    Args:
        within: where the metric keeps; freed where the series has shown otherwise.
        calendar: days that count as Sundays.
    """
    values = grid.values
    lowest, highest = float(np.min(values)), float(np.max(values))
    kept = within.kept_by(lowest, highest)
    unknown = _unknown(grid)
    centre = float(np.mean(values))
    scale = float(np.max(np.abs(values - centre)))
    if scale <= 1e-12 * abs(centre) or scale < 1e-150:
        nothing = np.zeros(0)
        last = float(values[-1])
        return Model(grid.end, grid.step, last, 1.0, nothing, (), nothing, nothing, kept, calendar, unknown)
    # Bytes and ratios are fitted alike: no numerical trouble, and the answer scales with the series.
    y = _clip((values - centre) / scale)
    moments = lived(times(grid.start, grid.step, len(y)), calendar)
    trial = choose(y, grid.known, moments, grid.step, steps)
    needed = max(_RECENT, *(part.needs for part in trial.parts))
    knots, widths = halves(trial.errors)
    return Model(
        grid.start + len(y) * micros(grid.step),
        grid.step,
        centre,
        scale,
        y[-needed:],
        trial.parts,
        knots,
        widths,
        kept,
        calendar,
        unknown,
    )


def fit_many(
    grids: Sequence[Grid],
    *,
    within: Sequence[Range],
    calendar: Calendar | None = None,
    steps: int,
) -> list[Model]:
    """The same for many grids."""
    return [fit(grid, within=one, calendar=calendar, steps=steps) for grid, one in zip(grids, within, strict=True)]


def _unknown(grid: Grid) -> tuple[str, ...]:
    found = []
    if grid.span < 2 * DAY:
        found.append("daily rhythm: known after two days")
    if grid.span < 21 * DAY:
        found.append("weekly rhythm: known after three weeks")
    return tuple(found)


def _clip(y: Vector) -> Vector:
    """Rare spikes held to the range of all but the outermost 1 %, widened by half of it."""
    low, high = np.quantile(y, (0.005, 0.995))
    room = (high - low) / 2
    return np.clip(y, low - room, high + room) if room > 0 else y
