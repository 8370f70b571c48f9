"""The one form that all models share: a rhythm and a linear recursion on the newest values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forewatch.detection.grid import Vector
from forewatch.detection.models.rhythm import Rhythm
from forewatch.detection.models.state import Reader, Writer


@dataclass(frozen=True)
class Part:
    """`y[t] = rhythm[t] + sum(lags[i] * y[t - 1 - i])`, with `sigma` the standard error of one step."""

    name: str
    lags: Vector
    rhythm: Rhythm
    sigma: float
    about: bool = False
    """Whether the lags work on the distance to the rhythm instead: `y` above is then `y - rhythm`."""

    def drift(self, moments: NDArray[np.int64], before: NDArray[np.int64]) -> Vector:
        """What the rhythm adds at each moment; `before` are the moments of the lags, needed where `about`."""
        value = self.rhythm.at(moments)
        if self.about and len(self.lags):
            order = len(self.lags)
            earlier = np.concatenate([self.rhythm.at(before[len(before) - order :]), value])
            for lag, weight in enumerate(self.lags, start=1):
                value = value - weight * earlier[order - lag : len(earlier) - lag]
        return value

    def write(self, writer: Writer) -> dict[str, Any]:
        """Its part of a state; what is returned belongs in the header."""
        return {
            "name": self.name,
            "sigma": self.sigma,
            "about": self.about,
            "lags": writer.put(self.lags),
            "constant": self.rhythm.constant,
            "day": writer.put(self.rhythm.day),
            "week": writer.put(self.rhythm.week),
            "profile": writer.put(self.rhythm.profile, short=True),
            "daily": self.rhythm.daily,
        }

    @classmethod
    def read(cls, reader: Reader, header: dict[str, Any]) -> Part:
        """The part back from a state and its share of the header."""
        lags, day, week = (reader.take(header[key]) for key in ("lags", "day", "week"))
        profile = reader.take(header["profile"], short=True)
        rhythm = Rhythm(header["constant"], day, week, profile, header["daily"])
        return cls(header["name"], lags, rhythm, header["sigma"], header["about"])


def paths(part: Part, drift: Vector, y: Vector, origins: NDArray[np.int64], steps: int) -> Vector:
    """Forecasts from each origin, shape (origins, steps); what is known at origin `o` is `y[:o]`.

    `drift` is the part's, one a step of the whole time axis.
    """
    order = len(part.lags)
    path = np.empty((len(origins), order + steps))
    path[:, :order] = y[origins[:, None] + np.arange(-order, 0)]
    path[:, order:] = drift[origins[:, None] + np.arange(steps)]
    backwards = part.lags[::-1]
    for step in range(order, order + steps if order else 0):
        path[:, step] += path[:, step - order : step] @ backwards
    return path[:, order:]


def impulse(lags: Vector, steps: int) -> Vector:
    """How one step's surprise lives on: the moving-average weights of the recursion."""
    weights = np.zeros(steps)
    weights[0] = 1.0
    for step in range(1, steps):
        reach = min(step, len(lags))
        weights[step] = weights[step - reach : step][::-1] @ lags[:reach]
    return weights


def stable(lags: Vector) -> bool:
    """Whether a forecast stays bounded, up to one unit root that differencing brings."""
    return len(lags) == 0 or bool(np.max(np.abs(np.roots([1.0, *-lags])), initial=0.0) < 1.0 + 1e-6)
