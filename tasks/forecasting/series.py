"""Forecasting at work: which series are due, going on with their models, fitting those that have none or an old one.

Everything here is synchronous and meant for the store's thread, in batches short enough that the event loop's other
callers wait for a second or two at most.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sqlalchemy import Connection

from forewatch.clock import micros
from forewatch.config.known_metrics import PHASES
from forewatch.detection.band import Forecast, NotYet
from forewatch.detection.counters import to_rates
from forewatch.detection.forecast import steps_to
from forewatch.detection.grid import Grid, regularise
from forewatch.detection.horizons import FEWEST_VALUES, HORIZONS, Horizon
from forewatch.detection.models import Model, load
from forewatch.detection.quantity import range_of
from forewatch.detection.seasons import Calendar
from forewatch.detection.statistics import Sample
from forewatch.errors import StateUnreadable
from forewatch.store import forecasts, models, points, series
from forewatch.store.engine import Store
from forewatch.store.series import Series
from forewatch.units import format_duration
from tasks.forecasting.models import Job, fit_all

_DAY = 86400.0
_MINUTE = 60.0
_FINE = 300.0


@dataclass(frozen=True)
class Due:
    """A series that is to be forecast so far ahead."""

    series: Series
    horizon: Horizon
    known: models.Model | None
    """What it was forecast with so far."""

    def needs_fit(self, now: int) -> bool:
        """Whether its model is missing or old. One from the future was made before the clock was set back."""
        known = self.known
        if known is None or known.state is None or known.made_at is None or known.refit_at is None:
            return True
        return not known.made_at <= now < known.refit_at


@dataclass(frozen=True)
class Row:
    """What the forecast of one series came to."""

    series: Series
    horizon: Horizon
    value: float | None
    """The newest mean over a step; of a counter its growth per second."""
    outcome: Forecast | NotYet


LEFT_OUT = frozenset(PHASES)
"""Metrics that are not forecast: the phases of a check add up to its duration, which is."""


def due(store: Store, now: int) -> list[Due]:
    """What is to be forecast again: near horizons first, of each the series looked at longest ago first."""
    found: list[Due] = []
    with store.read_metrics() as conn:
        every = [one for one in series.all_series(conn) if one.metric not in LEFT_OUT]
        known = models.get_all(conn)
    for horizon in HORIZONS:
        waiting = []
        for one in every:
            row = known.get((one.id, horizon.name))
            # A try in the future was made before the clock was set back: it is due.
            age = now - row.tried_at if row and row.tried_at <= now else now
            if age >= micros(horizon.every):
                waiting.append((age, Due(one, horizon, row)))
        found += [one for _, one in sorted(waiting, key=lambda entry: -entry[0])]
    return found


def go_on(
    store: Store, batch: Sequence[Due], calendar: Calendar | None, exhausted: Mapping[int, int], now: int
) -> tuple[list[Row], list[Due]]:
    """Forecast with the models there are and what was measured since; returns what is to be fitted anew, too.

    `exhausted`: when what runs out is used up, series -> instant; it is kept with the forecast of the hour.
    """
    fitted: list[tuple[Due, Model]] = []
    anew: list[Due] = []
    for one in batch:
        try:
            fitted.append((one, load(one.known.state if one.known and one.known.state else b"", calendar)))
        except StateUnreadable:
            anew.append(one)
    samples = _recent(store, fitted, now)
    rows = []
    for one, model in fitted:
        found = samples.get((one.series.id, model.step), [])
        # A model keeps its own newest values where these do not reach: it needs one new step to go on, no more.
        grid = regularise(found, now, step=model.step, at_least=model.step, longest=2 * _DAY, gap=one.horizon.gap)
        if isinstance(grid, Grid) and not model.parts and np.any(grid.values != model.centre):
            # What never moved begins to.
            anew.append(one)
            continue
        outcome: Forecast | NotYet
        if isinstance(grid, NotYet):
            outcome = grid
        else:
            current = model.follow(grid)
            outcome = current.predict(steps_to(current, now, one.horizon.span))
        rows.append(Row(one.series, one.horizon, found[-1][1] if found else None, outcome))
    with store.measure() as conn:
        _store(conn, rows, exhausted, now)
        kept = {(one.series.id, one.horizon.name): one.known for one, _ in fitted if one.known}
        models.put_many(
            conn,
            [
                replace(kept[row.series.id, row.horizon.name], tried_at=now, reason=_reason(row))
                for row in rows
            ],
        )  # fmt: skip
    return rows, anew


def fit_anew(
    store: Store, batch: Sequence[Due], calendar: Calendar | None, exhausted: Mapping[int, int], now: int
) -> list[Row]:
    """Fit models to what history there is, store them and their forecasts, or why there are none yet."""
    with store.read_metrics() as conn:
        histories = _histories(conn, batch, now)
    grids = [_grid(histories.get((one.series.id, one.horizon.name), []), one.horizon, now) for one in batch]
    jobs = [
        Job(grid, range_of(one.series.metric), now, one.horizon.span)
        for one, grid in zip(batch, grids, strict=True)
        if isinstance(grid, Grid)
    ]
    fitted = iter(fit_all(jobs, calendar))
    rows, kept = [], []
    for one, grid in zip(batch, grids, strict=True):
        done = next(fitted) if isinstance(grid, Grid) else grid
        state, outcome = (None, done) if isinstance(done, NotYet) else done
        value = float(grid.values[-1]) if isinstance(grid, Grid) else None
        row = Row(one.series, one.horizon, value, outcome)
        rows.append(row)
        refit_at = now + micros(_patience(one, grid)) if isinstance(grid, Grid) and state is not None else None
        demoted_at = one.known.demoted_at if one.known else None
        kept.append(
            models.Model(
                one.series.id, one.horizon.name, now, now if state is not None else None, refit_at, state,
                _reason(row), "; ".join(outcome.unknown) if isinstance(outcome, Forecast) else "", demoted_at,
            )
        )  # fmt: skip
    with store.measure() as conn:
        _store(conn, rows, exhausted, now)
        models.put_many(conn, kept)
    return rows


def measured(one: Series, samples: list[Sample]) -> list[Sample]:
    """Samples as they are forecast: counters as their growth per second."""
    return to_rates(samples) if one.counts else samples


def _recent(store: Store, fitted: Sequence[tuple[Due, Model]], now: int) -> dict[tuple[int, float], list[Sample]]:
    """The newest values of each series at the step of its model: (series, step) -> means."""
    reach: dict[float, int] = {}
    wanted: dict[float, dict[int, Series]] = {}
    for one, model in fitted:
        wanted.setdefault(model.step, {})[one.series.id] = one.series
        reach[model.step] = max(reach.get(model.step, 0), model.needs + 4)
    found: dict[tuple[int, float], list[Sample]] = {}
    with store.read_metrics() as conn:
        for step, many in wanted.items():
            read = points.read_many(conn, list(many), now - micros(reach[step] * step), now + 1, step)
            for number, samples in read.items():
                found[number, step] = measured(many[number], samples)
    return found


def _histories(conn: Connection, batch: Iterable[Due], now: int) -> dict[tuple[int, str], list[Sample]]:
    found: dict[tuple[int, str], list[Sample]] = {}
    by_horizon: dict[Horizon, dict[int, Due]] = {}
    for one in batch:
        by_horizon.setdefault(one.horizon, {})[one.series.id] = one
    for horizon, members in by_horizon.items():
        start = now - micros(horizon.looked_at)
        read = points.read_many(conn, list(members), start, now + 1, horizon.step or _FINE)
        if horizon.at_least < _DAY:
            # What is younger than a day is looked at by the minute.
            young = [number for number in members if not read.get(number) or read[number][0][0] > now - micros(_DAY)]
            read |= points.read_many(conn, young, now - micros(_DAY + _FINE), now + 1, _MINUTE)
        for number, samples in read.items():
            found[number, horizon.name] = measured(members[number].series, samples)
    return found


def _grid(samples: list[Sample], horizon: Horizon, now: int) -> Grid | NotYet:
    grid = regularise(
        samples, now, step=horizon.step, at_least=horizon.at_least, longest=horizon.looked_at, gap=horizon.gap
    )
    if isinstance(grid, Grid) and len(grid.values) < FEWEST_VALUES:
        return NotYet(f"needs {FEWEST_VALUES} values {format_duration(grid.step)} apart, has {len(grid.values)}")
    return grid


def _patience(one: Due, grid: Grid) -> float:
    """Seconds until the next fit: a young series is fitted anew once it has grown by half; none all at once."""
    spread = 0.75 + 0.5 * (one.series.id * 0.618 % 1.0)
    return min(one.horizon.refit * spread, grid.span / 2)


def _store(conn: Connection, rows: Iterable[Row], exhausted: Mapping[int, int], now: int) -> None:
    forecasts.add_many(
        conn,
        [
            forecasts.Forecast(
                series_id=row.series.id,
                made_at=now,
                horizon=row.horizon.name,
                start=row.outcome.start,
                step=row.outcome.step,
                model=row.outcome.model,
                mean=row.outcome.mean,
                lower=row.outcome.lower,
                upper=row.outcome.upper,
                exhausted_at=exhausted.get(row.series.id) if row.horizon.name == "hour" else None,
            )
            for row in rows
            if isinstance(row.outcome, Forecast)
        ],
    )


def _reason(row: Row) -> str:
    return row.outcome.reason if isinstance(row.outcome, NotYet) else ""
