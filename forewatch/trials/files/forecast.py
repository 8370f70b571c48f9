"""The forecast of a series in a file, and when it reaches a limit: what the product does, tried on one's own data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from forewatch.clock import iso, micros, seconds
from forewatch.detection.band import Forecast, NotYet
from forewatch.detection.exhaustion import exhaustion
from forewatch.detection.grid import LARGEST
from forewatch.detection.quantity import Range
from forewatch.detection.statistics import Samples
from forewatch.trials.files.series_csv import Rows, SeriesError, write_csv
from forewatch.units import format_duration

HEAD = ("timestamp", "mean", "lower", "upper")
LONGEST_HORIZON = 31 * 86400.0
"""Seconds; what lies further ahead is no forecast any more."""

_SPARSEST = 86400.0
"""Seconds between two rows."""
_MINUTE = micros(60.0)


@dataclass(frozen=True)
class FileForecast:
    """A forecast made at the end of a file's rows."""

    forecast: Forecast
    samples: Samples
    now: int
    """The end of the newest row's step, microseconds UTC."""
    left_out: int = 0
    """Rows whose values are too large to be counted with."""


def forecast_rows(rows: Rows, horizon: float) -> FileForecast:
    """Forecast a file's series up to `horizon` seconds beyond its last row.

    A series that was never negative stays so. Raises SeriesError where it cannot be forecast, with the reason.
    """
    # statsmodels takes a second to load, which no other command should wait for.
    from forewatch.detection.forecast import LONGEST, forecast

    measured = np.isfinite(rows.values)
    known = measured & (np.abs(rows.values) < LARGEST)
    if not known.any():
        why = f"all its values are beyond {LARGEST:g}" if measured.any() else "no row has a value"
        raise SeriesError(f"{rows.path}: {why}, so there is nothing to forecast")
    newest = int(rows.at[known].max())
    samples = rows.samples(known & (rows.at >= newest - micros(LONGEST + 86400.0)))
    gaps = np.diff(np.unique(rows.at[known]))
    spacing = int(np.median(gaps)) if len(gaps) else _MINUTE
    if spacing > micros(_SPARSEST):
        apart = format_duration(seconds(spacing))
        raise SeriesError(f"{rows.path}: its rows come {apart} apart: only what comes once a day or more is forecast")
    now = newest + spacing
    least = min(value for _, value in samples)
    made = forecast(samples, now, within=Range(0.0) if least >= 0 else Range(), horizon=horizon)
    if isinstance(made, NotYet):
        raise SeriesError(f"{rows.path}: no forecast yet: it {made.reason}")
    return FileForecast(made, samples, now, int(np.count_nonzero(measured & ~known)))


def write_forecast(path: Path, found: FileForecast) -> int:
    """Write the steps that end after the newest row, each by its start in UTC; returns how many. Raises SeriesError."""
    made = found.forecast
    steps = [k for k in range(len(made.mean)) if made.time_of(k + 1) > found.now]
    write_csv(path, HEAD, ((iso(made.time_of(k)), made.mean[k], made.lower[k], made.upper[k]) for k in steps))
    return len(steps)


def limit_sentence(found: FileForecast, limit: float, *, falling: bool = False) -> str:
    """When the series reaches a limit, or that no such moment is forecast."""
    newest, level = found.samples[-1]
    if level <= limit if falling else level >= limit:
        return f"It is at {level:g}, at the limit of {limit:g} already."
    expected = exhaustion(found.samples, limit, newest + _MINUTE, falling=falling)
    if expected is not None:
        at, lower, upper, share = expected.at, expected.lower, expected.upper, "80 %"
    else:
        crossed = _crossed(found.forecast, limit, falling)
        if crossed is None:
            return (
                f"It is at {level:g} and not forecast to reach {limit:g}: "
                "it does not move towards it, or too little of it is known."
            )
        at, lower, upper = crossed
        share = "95 %"
    last = "never" if upper is None else format_duration(max(0.0, seconds(upper - newest)))
    return (
        f"It reaches {limit:g} in {format_duration(max(0.0, seconds(at - newest)))} "
        f"({share} interval {format_duration(max(0.0, seconds(lower - newest)))} to {last}), about {iso(at)[:16]}Z."
    )


def _crossed(made: Forecast, limit: float, falling: bool) -> tuple[int, int, int | None] | None:
    """When the mean reaches the limit, the band's nearer edge and its farther one; None where the mean does not."""

    def first(values: tuple[float, ...]) -> int | None:
        beyond = (k for k, value in enumerate(values) if (value <= limit if falling else value >= limit))
        step = next(beyond, None)
        return None if step is None else made.time_of(step)

    at = first(made.mean)
    near, far = (made.lower, made.upper) if falling else (made.upper, made.lower)
    if at is None:
        return None
    # Nothing is known more exactly than to a step.
    step, last = micros(made.step), first(far)
    return at, min(first(near) or at, at - step), None if last is None else max(last, at + step)
