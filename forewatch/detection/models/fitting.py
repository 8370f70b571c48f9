"""From even grids of values to fitted models, one by one or many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forewatch.detection.grid import Grid, Vector
from forewatch.detection.models.autoregression import autoregression, autoregressions
from forewatch.detection.models.choice import Regress, choose, cut, forms
from forewatch.detection.models.intervals import halves
from forewatch.detection.models.model import Model
from forewatch.detection.models.rhythm import lived
from forewatch.detection.quantity import Range
from forewatch.detection.seasons import DAY, Calendar, times

_RECENT = 8
"""Values a model keeps at least."""


@dataclass(frozen=True)
class _Scaled:
    """A grid whose values lie about within -1 and 1, so that bytes and ratios are fitted alike."""

    grid: Grid
    centre: float
    scale: float
    y: Vector

    @property
    def is_constant(self) -> bool:
        return self.scale <= 1e-12 * abs(self.centre) or self.scale < 1e-150


def fit(grid: Grid, *, within: Range, calendar: Calendar | None = None, steps: int) -> Model:
    """The best model of a grid for forecasts of so many steps.

    Args:
        within: where the metric keeps; freed where the series has shown otherwise.
        calendar: days that count as Sundays.
    """
    one, moments = _scaled(grid), _moments(grid, calendar)
    return _model(
        one,
        moments,
        within,
        calendar,
        steps,
        lambda count, form: autoregression(one.y[:count], moments[:count], form),
    )


def fit_many(
    grids: Sequence[Grid], *, within: Sequence[Range], calendar: Calendar | None = None, steps: int
) -> list[Model]:
    """The same for many grids, `within` one of each. What shares its moments is fitted in one block.

    A pure function, so that blocks may be spread over processes.
    """
    groups: dict[tuple[int, float, int], list[int]] = {}
    for index, grid in enumerate(grids):
        groups.setdefault((grid.start, grid.step, len(grid.values)), []).append(index)
    found: dict[int, Model] = {}
    for members in groups.values():
        some = [_scaled(grids[index]) for index in members]
        moments = _moments(grids[members[0]], calendar)
        for place, (index, regress) in enumerate(zip(members, _regress_block(some, moments, steps), strict=True)):
            found[index] = _model(some[place], moments, within[index], calendar, steps, regress)
    return [found[index] for index in range(len(grids))]


def _regress_block(some: Sequence[_Scaled], moments: NDArray[np.int64], steps: int) -> list[Regress]:
    """For each of some series the autoregressions that its trial and its model will ask for."""
    block = np.array([one.y for one in some])
    grid = some[0].grid
    counts = (cut(len(moments), grid.step, steps), len(moments))
    ready = {
        (count, form): autoregressions(block[:, :count], moments[:count], form)
        for count in counts
        for form in forms(grid.span)
    }
    return [lambda count, form, row=row: ready[count, form][row] for row in range(len(some))]  # type: ignore[misc]


def _model(
    one: _Scaled,
    moments: NDArray[np.int64],
    within: Range,
    calendar: Calendar | None,
    steps: int,
    regress: Regress,
) -> Model:
    grid = one.grid
    kept = within.kept_by(float(np.min(grid.values)), float(np.max(grid.values)))
    nothing = np.zeros(0)
    if one.is_constant:
        value = float(grid.values[-1])
        return Model(grid.end, grid.step, value, 1.0, nothing, (), nothing, nothing, kept, calendar, _unknown(grid))
    trial = choose(one.y, grid.known, moments, grid.step, steps, regress)
    newest = one.y[-max(_RECENT, *(part.needs for part in trial.parts)) :]
    knots, widths = halves(trial.errors, trial.span)
    return Model(
        grid.end, grid.step, one.centre, one.scale, newest, trial.parts, knots, widths, kept, calendar, _unknown(grid)
    )


def _scaled(grid: Grid) -> _Scaled:
    centre = float(np.mean(grid.values))
    scale = float(np.max(np.abs(grid.values - centre)))
    one = _Scaled(grid, centre, scale, np.zeros(len(grid.values)))
    return one if one.is_constant else _Scaled(grid, centre, scale, _clip((grid.values - centre) / scale))


def _moments(grid: Grid, calendar: Calendar | None) -> NDArray[np.int64]:
    return lived(times(grid.start, grid.step, len(grid.values)), calendar)


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
