"""A fitted model of one series: parameters and a few numbers, from which forecasts and their bands follow."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from forewatch.clock import micros
from forewatch.detection.band import Forecast
from forewatch.detection.grid import Grid, Vector
from forewatch.detection.models.part import Part
from forewatch.detection.models.rhythm import lived
from forewatch.detection.models.state import Reader, Writer
from forewatch.detection.quantity import Range
from forewatch.detection.seasons import Calendar, times

_NORMAL_95 = 1.959964
_LEAST = 1e-3
"""Half the width of a band, as a share of the level: what never changed so far may yet."""


@dataclass(frozen=True)
class Model:
    """The mean of its parts' forecasts; the band is the wider of their own and of the errors seen in the trial."""

    start: int
    """Of the first step forecast, microseconds UTC."""
    step: float
    """Seconds."""
    centre: float
    scale: float
    """Parts speak of `(value - centre) / scale`."""
    recent: Vector
    """The newest values, scaled, the newest last."""
    parts: tuple[Part, ...]
    knots: Vector
    """Steps ahead at which the trial's errors were taken."""
    halves: Vector
    """The half width of the band that the trial asks for at each of them, scaled."""
    within: Range
    calendar: Calendar | None = None
    """Not part of the state: to be given again when loading."""
    unknown: tuple[str, ...] = ()
    """What cannot be known from so short a past."""

    @property
    def name(self) -> str:
        """As a person reads it: `autoregression + day and 4 more`, the best part first."""
        if not self.parts:
            return "constant"
        others = len(self.parts) - 1
        return self.parts[0].name + (f" and {others} more" if others else "")

    @property
    def needs(self) -> int:
        """How many newest values forecasts start from; `follow` copes with fewer."""
        return max((part.needs for part in self.parts), default=1) or 1

    def follow(self, recent: Grid) -> Model:
        """The same parameters with the newest values of `recent`, whose steps are the model's own.

        Where `recent` does not reach back far enough, the values that the model knew stand; a straight line leads from
        these to those. What ends before the model's own past changes nothing.
        """
        if recent.end < self.start or not self.parts:
            return self if recent.end < self.start else replace(self, start=recent.end)
        count, width = len(self.recent), micros(self.step)
        values = (recent.values - self.centre) / self.scale
        # Steps from the newest value back, 0 for it.
        old = (recent.end - self.start) // width + np.arange(count)[::-1]
        new = np.arange(len(values))[::-1]
        kept = old > new[0]
        age, known = np.concatenate([old[kept], new]), np.concatenate([self.recent[kept], values])
        return replace(self, start=recent.end, recent=np.interp(-np.arange(count)[::-1], -age, known))

    def predict(self, steps: int) -> Forecast:
        """The next steps, with a 95 % band."""
        if not self.parts:
            flat, half = np.full(steps, self.centre), _LEAST * (abs(self.centre) or 1.0)
            return self._forecast(flat, flat - half, flat + half)
        known = len(self.recent)
        moments = lived(times(self.start - known * micros(self.step), self.step, known + steps), self.calendar)
        origin = np.array([known])
        mean = np.mean([part.paths(self.recent, moments, origin, steps)[0] for part in self.parts], axis=0)
        own = _NORMAL_95 * np.array([part.spread(steps) for part in self.parts])
        # Farther than anything was tried, the most doubtful of the parts is believed.
        untried = np.arange(1, steps + 1) > self.knots[-1]
        half = np.maximum(np.where(untried, own.max(axis=0), own.mean(axis=0)), self._tried(steps))
        half = np.maximum(half, _LEAST * max(1.0, abs(self.centre / self.scale)))
        lower, upper = mean - half, mean + half
        off = np.mean([part.away(self.recent, moments) for part in self.parts], axis=0)
        move = float(np.mean([part.move(moments, known) for part in self.parts]))
        away = float(self.recent[-1] + move - mean[0])
        if min(abs(away), abs(float(off[-1]))) > half[0]:
            # Whether it stays where it went or comes back cannot be known yet: the band covers both.
            lower, upper = lower + min(away, 0.0), upper + max(away, 0.0)
            mean = mean + _led(away, off, float(half[0]), steps)
        return self._forecast(*(part * self.scale + self.centre for part in (mean, lower, upper)))

    def _forecast(self, mean: Vector, lower: Vector, upper: Vector) -> Forecast:
        def told(values: Vector) -> tuple[float, ...]:
            kept = np.clip(values, self.within.low, self.within.high)
            return tuple(_told(value) for value in kept)

        return Forecast(self.start, self.step, told(mean), told(lower), told(upper), self.name, self.unknown)

    def dump(self) -> bytes:
        """Its state: at most 4 KiB, without the calendar."""
        writer = Writer()
        header = {
            "start": self.start,
            "step": self.step,
            "centre": self.centre,
            "scale": self.scale,
            "low": None if math.isinf(self.within.low) else self.within.low,
            "high": None if math.isinf(self.within.high) else self.within.high,
            "unknown": self.unknown,
            "recent": writer.put_short(self.recent),
            "knots": writer.put(self.knots),
            "halves": writer.put(self.halves),
            "parts": [part.write(writer) for part in self.parts],
        }
        return writer.finish(header)

    def _tried(self, steps: int) -> Vector:
        """The half widths of the trial at every step; beyond it they grow as those of a random walk."""
        ahead = np.arange(1.0, steps + 1)
        half: Vector = np.interp(ahead, self.knots, self.halves)
        beyond = ahead > self.knots[-1]
        half[beyond] *= np.sqrt(ahead[beyond] / self.knots[-1])
        return half


def load(state: bytes, calendar: Calendar | None = None) -> Model:
    """The model of a state; the calendar it was fitted with is to be given again.

    Raises:
        StateUnreadable: it is of another version or damaged.
    """
    reader = Reader(state)
    header = reader.header
    return Model(
        start=header["start"],
        step=header["step"],
        centre=header["centre"],
        scale=header["scale"],
        # In the order in which they were put.
        recent=reader.take_short(header["recent"]),
        knots=reader.take(header["knots"]),
        halves=reader.take(header["halves"]),
        parts=tuple(Part.read(reader, part) for part in header["parts"]),
        within=Range(
            -math.inf if header["low"] is None else header["low"],
            math.inf if header["high"] is None else header["high"],
        ),
        calendar=calendar,
        unknown=tuple(header["unknown"]),
    )


def _led(away: float, off: Vector, half: float, steps: int) -> Vector:
    """By how much each step is led from where the series stands back to where its models would have it.

    What has lasted for some steps is expected to last for as many. `away`: how far it stands from there; `off`: how
    far its newest values lie off, the newest last.
    """
    there = np.sign(away) * off > half
    lasted = len(there) if there.all() else int(np.argmin(there[::-1]))
    led: Vector = away * 0.5 ** (np.arange(steps) / max(1, lasted))
    return led


def _told(value: float) -> float:
    # Digits beyond what any metric has; fewer would tell 25,268,322,304 bytes that never change as another number.
    return float(f"{value:.12g}")
