"""Fitting many models: in this process, or spread over all cores where hundreds are due."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from forewatch.detection.band import Forecast, NotYet
from forewatch.detection.forecast import steps_to
from forewatch.detection.grid import Grid
from forewatch.detection.models import fit_many
from forewatch.detection.quantity import Range
from forewatch.detection.seasons import Calendar

log = logging.getLogger("forewatch.forecast")

MANY = 400
"""Fits from which on other processes are worth their start: each takes three seconds to import what it needs."""
SHARE = 50
"""Fits handed to a process at a time."""


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
    """One outcome a job, in their order."""
    workers = os.cpu_count() or 1
    if len(jobs) < MANY or workers == 1:
        return fit_some(jobs, calendar)
    shares = [jobs[first : first + SHARE] for first in range(0, len(jobs), SHARE)]
    # Not forked: this process has threads, and a fork copies the locks they hold.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return [one for done in pool.map(fit_some, shares, [calendar] * len(shares)) for one in done]


def fit_some(jobs: Sequence[Job], calendar: Calendar | None) -> list[Fitted]:
    """The same in this process. A series that cannot be fitted costs none of the others."""
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
