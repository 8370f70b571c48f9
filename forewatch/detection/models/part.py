"""The one form that all models share: a rhythm, and how the newest values move it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from forewatch.detection.grid import Vector
from forewatch.detection.models.rhythm import Rhythm
from forewatch.detection.models.state import Reader, Writer


@dataclass(frozen=True)
class Part:
    """`y[t] = rhythm[t] + sum(lags[i] * y[t - 1 - i])`, or with a `window` `rhythm[t] + offset + growth * t`.

    The offset is the median distance of the newest `window` values to the rest: how high the series stands now.
    """

    name: str
    rhythm: Rhythm
    sigma: float
    """The standard error of one step."""
    lags: Vector = field(default_factory=lambda: np.zeros(0))
    about: bool = False
    """Whether the lags work on the distance to the rhythm instead: `y` above is then `y - rhythm`."""
    window: int = 0
    growth: float = 0.0
    """A step, with a window."""

    @property
    def needs(self) -> int:
        """How many newest values a forecast starts from."""
        return max(len(self.lags), self.window)

    def paths(self, y: Vector, moments: NDArray[np.int64], origins: NDArray[np.int64], steps: int) -> Vector:
        """Forecasts from each origin, shape (origins, steps); what is known at origin `o` is `y[:o]`, `needs` of it.

        `moments` are those of `y` and, where an origin reaches beyond it, of the steps to come.
        """
        rhythm = self.rhythm.at(moments)
        ahead = origins[:, None] + np.arange(steps)
        if self.window:
            away = y - rhythm[: len(y)]
            newest = sliding_window_view(away, self.window)[origins - self.window]
            offset = np.median(newest + self.growth * np.arange(self.window, 0, -1), axis=1)
            path: Vector = rhythm[ahead] + offset[:, None] + self.growth * np.arange(steps)
            return path
        if not self.about:
            return recursion(self.lags, rhythm[ahead], y, origins)
        around: Vector = rhythm[ahead] + recursion(self.lags, np.zeros(ahead.shape), y - rhythm[: len(y)], origins)
        return around

    def away(self, y: Vector, moments: NDArray[np.int64]) -> Vector:
        """By how much each of the newest values lies off the line that a forecast from here starts on."""
        count = len(y)
        if len(self.lags):
            return np.zeros(count)  # it starts from the values themselves
        off: Vector = y - self.rhythm.at(moments)[:count]
        if not self.window:
            return off
        before = np.arange(-count, 0)
        offset = np.median((off - self.growth * before)[-self.window :])
        led: Vector = off - offset - self.growth * before
        return led

    def move(self, moments: NDArray[np.int64], count: int) -> float:
        """How far the step after the newest of `count` values leads by rhythm and growth alone."""
        if len(self.lags):
            return 0.0
        last, following = self.rhythm.at(moments)[count - 1 : count + 1]
        return float(following - last) + self.growth

    def spread(self, steps: int) -> Vector:
        """The standard error of each step ahead, as the model has it."""
        if not len(self.lags):
            return np.full(steps, self.sigma)
        growth: Vector = self.sigma * np.sqrt(np.cumsum(impulse(self.lags, steps) ** 2))
        return growth

    def write(self, writer: Writer) -> dict[str, Any]:
        """Its part of a state; what is returned belongs in the header."""
        return {
            "name": self.name,
            "sigma": self.sigma,
            "about": self.about,
            "window": self.window,
            "growth": self.growth,
            "lags": writer.put(self.lags),
            "constant": self.rhythm.constant,
            "day": writer.put(self.rhythm.day),
            "week": writer.put(self.rhythm.week),
            "kind": self.rhythm.kind,
            "profile": writer.put_short(self.rhythm.profile),
        }

    @classmethod
    def read(cls, reader: Reader, header: dict[str, Any]) -> Part:
        """The part back from a state and its share of the header."""
        lags, day, week = (reader.take(header[key]) for key in ("lags", "day", "week"))
        rhythm = Rhythm(header["constant"], day, week, reader.take_short(header["profile"]), header["kind"])
        return cls(header["name"], rhythm, header["sigma"], lags, header["about"], header["window"], header["growth"])


def recursion(lags: Vector, drift: Vector, y: Vector, origins: NDArray[np.int64]) -> Vector:
    """`path[t] = drift[t] + sum(lags[i] * path[t - 1 - i])` from each origin; `drift` has shape (origins, steps)."""
    order = len(lags)
    if not order:
        return drift
    if order == 1 and (lags[0] == 1.0 or not np.any(drift)):
        # Walks, and what returns to its rhythm by itself, need no steps one after the other.
        grown: Vector = y[origins - 1, None] * lags[0] ** np.arange(1, drift.shape[1] + 1) + np.cumsum(drift, axis=1)
        return grown
    # Steps lie in rows here: each is then one product over whole rows of memory.
    path = np.concatenate([y[origins + np.arange(-order, 0)[:, None]], drift.T])
    backwards = lags[::-1]
    for step in range(order, len(path)):
        path[step] += backwards @ path[step - order : step]
    return path[order:].T


def impulse(lags: Vector, steps: int) -> Vector:
    """How one step's surprise lives on: the moving-average weights of the recursion."""
    order = len(lags)
    if order == 1:
        single: Vector = lags[0] ** np.arange(steps)
        return single
    # Before the surprise there was nothing.
    weights = np.zeros(order + steps)
    weights[order] = 1.0
    backwards = lags[::-1]
    for step in range(order + 1, order + steps):
        weights[step] = backwards @ weights[step - order : step]
    return weights[order:]


def stable(lags: Vector) -> bool:
    """Whether a forecast stays bounded, up to one unit root that differencing brings."""
    return len(lags) == 0 or bool(np.max(np.abs(np.roots([1.0, *-lags])), initial=0.0) < 1.0 + 1e-6)
