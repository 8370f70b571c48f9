"""Fitting models of many series at once, those that belong together in one block."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from forewatch.detection.band import Forecast, NotYet
from forewatch.detection.forecast import steps_to
from forewatch.detection.grid import Grid
from forewatch.detection.models import fit_many
from forewatch.detection.quantity import Range
from forewatch.detection.seasons import Calendar

log = logging.getLogger("forewatch.forecast")


@dataclass(frozen=True)
class Job:
    """One series to be fitted, to be forecast from `now` as far as `span` seconds."""

    grid: Grid
    within: Range
    now: int
    span: float


Fitted = tuple[bytes, Forecast] | NotYet
"""The model's state and what it forecasts."""


def fit_all(jobs: Sequence[Job], calendar: Calendar | None) -> list[Fitted]:
    """One outcome a job, in their order. A series that cannot be fitted costs none of the others."""
    groups: dict[tuple[float, int], list[int]] = {}
    for index, job in enumerate(jobs):
        groups.setdefault((job.grid.step, steps_to(job.grid, job.now, job.span)), []).append(index)
    found: list[Fitted] = [NotYet("not looked at")] * len(jobs)
    for (_, steps), members in groups.items():
        try:
            done = _fit([jobs[index] for index in members], calendar, steps)
        except (ValueError, ArithmeticError) as error:  # numpy's LinAlgError is a ValueError
            log.warning("%d models could not be fitted together, one by one now: %s", len(members), error)
            done = [_fit_one(jobs[index], calendar, steps) for index in members]
        for index, outcome in zip(members, done, strict=True):
            found[index] = outcome
    return found


def _fit(jobs: Sequence[Job], calendar: Calendar | None, steps: int) -> list[Fitted]:
    grids, within = [job.grid for job in jobs], [job.within for job in jobs]
    fitted = fit_many(grids, within=within, calendar=calendar, steps=steps)
    return [(model.dump(), model.predict(steps)) for model in fitted]


def _fit_one(job: Job, calendar: Calendar | None, steps: int) -> Fitted:
    try:
        return _fit([job], calendar, steps)[0]
    except (ValueError, ArithmeticError) as error:
        log.exception("a model could not be fitted")
        return NotYet(f"could not be fitted: {error}")
