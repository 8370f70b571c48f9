"""From samples at odd moments to values at an even step, which is what time-series models want."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forewatch.clock import micros, seconds
from forewatch.detection.band import NotYet
from forewatch.detection.statistics import Samples, clean
from forewatch.units import format_duration

Vector = NDArray[np.float64]

LONGEST_GAP = 3600.0
"""Seconds; where nothing else is asked for."""

MOST_STEPS = 750
"""Of a forecast: a month in hours, a week in quarters of an hour."""

LARGEST = 1e150
"""Squares and sums of what is larger run over; no metric is."""

_STEPS = (60.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0, 43200.0, 86400.0)
_DAY = 86400.0


@dataclass(frozen=True)
class Grid:
    """Value `k` is the mean over `[start + k * step, start + (k + 1) * step)`."""

    start: int
    """Microseconds UTC, a whole multiple of the step."""
    step: float
    """Seconds."""
    values: Vector
    filled: NDArray[np.bool_] | None = None
    """Steps without a sample, whose value was made up from those around; None where it is not known."""

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which values were measured."""
        return np.ones(len(self.values), dtype=np.bool_) if self.filled is None else ~self.filled

    @property
    def end(self) -> int:
        return self.start + len(self.values) * micros(self.step)

    @property
    def span(self) -> float:
        """Seconds."""
        return len(self.values) * self.step


def regularise(
    samples: Samples,
    now: int,
    *,
    step: float | None = None,
    at_least: float,
    longest: float,
    horizon: float = 0.0,
    gap: float = LONGEST_GAP,
) -> Grid | NotYet:
    """The finished steps up to `now`, the newest `longest` seconds of them; NotYet below `at_least` seconds.

    Without a `step` it is a minute, five minutes once a day is there, or the samples' own spacing where that is wider;
    wide enough in any case that `horizon` seconds are 750 steps at most. Gaps of at most `gap` seconds are bridged, and
    those of over an hour only where two days are known, along the daily rhythm; what came before a longer one is left
    out.
    """
    known = [(at, value) for at, value in clean(samples) if at <= now and abs(value) < LARGEST]
    if not known:
        return NotYet("has no data")
    at = np.array([moment for moment, _ in known], dtype=np.int64)
    values = np.array([value for _, value in known])

    # Three of four steps are to have a sample, where samples come at odd moments.
    spacing = seconds(int(np.quantile(np.diff(at), 0.75))) if len(at) > 1 else 0.0
    step = step or _step(seconds(int(at[-1] - at[0])), max(spacing, horizon / MOST_STEPS))
    width = micros(step)
    silent = seconds(now - int(at[-1]))
    if silent > max(3 * step, 900.0):
        return NotYet(f"has no data for {format_duration(silent)}")

    bucket = at // width
    finished = bucket < now // width
    bucket, values = bucket[finished], values[finished]
    bucket, first, count = np.unique(bucket, return_index=True, return_counts=True)
    means = np.add.reduceat(values, first) / count if len(values) else values

    recent = bucket > now // width - longest / step if len(bucket) else slice(0)
    bucket, means = bucket[recent], means[recent]
    if len(bucket) * step < 2 * _DAY:
        gap = min(gap, LONGEST_GAP)
    breaks = np.flatnonzero(np.diff(bucket) * step > max(gap, 2 * step))
    if len(breaks):
        bucket, means = bucket[breaks[-1] + 1 :], means[breaks[-1] + 1 :]
    span = (int(bucket[-1] - bucket[0]) + 1) * step if len(bucket) else 0.0
    if span < at_least:
        since = f" since the last gap of over {_say(gap).replace('1 hour', 'an hour')}" if len(breaks) else ""
        return NotYet(f"needs {_say(at_least)} of data, has {_say(span)}{since}")
    even = np.arange(bucket[0], bucket[-1] + 1)
    filled = ~np.isin(even, bucket)
    if np.max(np.diff(bucket), initial=0) * step > max(LONGEST_GAP, 2 * step):
        rhythm = _rhythm(bucket, means, max(1, round(_DAY / step)))
        line = np.interp(even, bucket, means - rhythm[bucket % len(rhythm)])
        return Grid(int(bucket[0]) * width, step, line + rhythm[even % len(rhythm)], filled)
    return Grid(int(bucket[0]) * width, step, np.interp(even, bucket, means), filled)


def _rhythm(bucket: NDArray[np.int64], means: Vector, slots: int) -> Vector:
    """How far each time of the day mostly lies from its day's median; days that are half empty are not asked."""
    days = [np.flatnonzero(bucket // slots == day) for day in np.unique(bucket // slots)]
    whole = [day for day in days if 2 * len(day) > slots]
    if not whole:
        return np.zeros(slots)
    place = np.concatenate(whole)
    apart = np.concatenate([means[day] - np.median(means[day]) for day in whole])
    slot = bucket[place] % slots
    order = np.lexsort((apart, slot))
    size = np.bincount(slot, minlength=slots)
    there = np.flatnonzero(size)
    first, many, ranked = (np.cumsum(size) - size)[there], size[there], apart[order]
    medians = (ranked[first + (many - 1) // 2] + ranked[first + many // 2]) / 2
    # A time that was never measured lies between its neighbours.
    rhythm: Vector = np.interp(np.arange(slots), there, medians)
    return rhythm


def _step(span: float, spacing: float) -> float:
    smallest = 300.0 if span >= _DAY else 60.0
    return next((step for step in _STEPS if step >= max(smallest, spacing * 0.99)), _STEPS[-1])


def _say(span: float) -> str:
    for size, word in ((_DAY, "day"), (3600.0, "hour"), (60.0, "minute")):
        if span >= 2 * size or (span >= size and word != "day"):
            count = span / size
            number = f"{count:.1f}".removesuffix(".0")
            number = "two" if number == "2" else number
            return f"{number} {word}{'' if number == '1' else 's'}"
    return "less than a minute" if span else "nothing yet"
