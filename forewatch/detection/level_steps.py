"""One step is no trend: what a series rose by at once is taken out before its growth is looked at.

A step is a rise that makes most of all it rose by, stands out from what it does otherwise, and lasts. What came before
is lifted by it, so that the series ends where it stands.
"""

from __future__ import annotations

import numpy as np

from forewatch.detection.grid import Vector

_MOST = 0.75
"""Share of the whole rise."""
_FAR = 6.0
"""Robust standard deviations of the other moves."""
_LASTS = 0.5
"""Share of it by which what comes after must stand above what came before."""
_TURNS = 4
"""Steps that are looked for: the second largest shows only without the largest."""


def without_steps(values: Vector, usual: Vector | None = None, *, over: int = 1) -> Vector:
    """Values in order of time with their upward steps taken out.

    Args:
        usual: what each value is expected to differ from the one before by, as a daily rhythm has it.
        over: how many moves in a row a step may be smeared over, where values are means.
    """
    moves = np.diff(values)
    rest = moves if usual is None else moves - usual
    if len(rest) <= over:
        return values
    for _ in range(_TURNS):
        together = np.convolve(rest, np.ones(over), "valid")
        place, rise = int(np.argmax(together)), float(np.sum(rest))
        size = float(together[place])
        spread = 1.4826 * float(np.median(np.abs(rest - np.median(rest))))
        if not (rise > 0 and size > _MOST * rise and size > _FAR * spread and _lasts(rest, place, over, size)):
            break
        rest = rest.copy()
        rest[place : place + over] = np.median(rest)
    kept = rest if usual is None else rest + usual
    back = np.concatenate([np.cumsum(kept[::-1])[::-1], [0.0]])
    return np.asarray(values[-1] - back)


def _lasts(rest: Vector, place: int, over: int, size: float) -> bool:
    course = np.concatenate([[0.0], np.cumsum(rest)])
    return float(np.median(course[place + over :]) - np.median(course[: place + 1])) >= _LASTS * size
