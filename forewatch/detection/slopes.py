"""Slopes by Theil and Sen: the median of those of all pairs of points, which a quarter of wild points cannot move."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from forewatch.detection.grid import Vector

MOST = 120
"""Points that are paired; of more, every so many are kept, the newest among them."""


class Slopes(NamedTuple):
    """Per unit of time; eight of ten slopes lie between `low` and `high`."""

    low: float
    middle: float
    high: float


def theil_sen(at: Vector, values: Vector) -> Slopes | None:
    """Of points in order of time. Pairs nearer than a quarter of the points are left out: they are mostly noise.

    None below three points, or where all are of one moment.
    """
    thin = -(-len(at) // MOST)
    at, values = at[::-1][:: max(1, thin)][::-1], values[::-1][:: max(1, thin)][::-1]
    early, late = np.triu_indices(len(at), k=max(1, len(at) // 4))
    apart = at[late] - at[early]
    some = apart > 0
    if len(at) < 3 or not np.any(some):
        return None
    slopes = (values[late] - values[early])[some] / apart[some]
    return Slopes(*(float(part) for part in np.quantile(slopes, (0.1, 0.5, 0.9))))
