"""A level that has moved and stays: a two-sided CUSUM of the standardised innovations (Page 1954).

The limit is the usual one on a well-behaved series. A series whose level wanders by itself has passed it before: the
sums must then rise above what they reached in the last weeks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from forewatch.detection.anomaly.state import Reader, Writer
from forewatch.detection.grid import Vector

__all__ = ["LevelShift"]

_SLACK = 0.5
"""Half the shift it is made for, in standard errors."""
_LIMIT = 7.5
_DEAFEST = 40.0
"""Above this a shift is reported, however high the sums have been."""
_CLIP = 4.0
"""One wild value is no shift."""
_HALF_LIFE = 14 * 86_400e6


class LevelShift:
    """Tells the rows at which the sums rise above the limit; until they have fallen to half of it, it is one shift."""

    def __init__(self) -> None:
        self._up, self._down = 0.0, 0.0
        self._highest = 0.0
        self._at = 0
        self._over = False

    def add(self, at: NDArray[np.int64], errors: Vector, sigma: float) -> NDArray[np.bool_]:
        told = np.zeros(len(errors), bool)
        if sigma <= 0:
            return told
        up, down, highest, last, over = self._up, self._down, self._highest, self._at, self._over
        spacing, fade = -1, 1.0
        for row, (now, error) in enumerate(
            zip(at.tolist(), np.clip(errors / sigma, -_CLIP, _CLIP).tolist(), strict=True)
        ):
            if now - last != spacing:
                spacing = now - last
                fade = 0.5 ** (spacing / _HALF_LIFE)
            last = now
            highest *= fade
            up += error - _SLACK
            down -= error + _SLACK
            if up < 0:
                up = 0.0
            if down < 0:
                down = 0.0
            reached = up if up > down else down
            if reached > _LIMIT and reached > highest:
                told[row] = not over
                over = True
                highest = reached if reached < _DEAFEST else _DEAFEST
            elif reached < _LIMIT / 2:
                over = False
        self._up, self._down, self._highest, self._at, self._over = up, down, highest, last, over
        return told

    def dump(self, into: Writer) -> None:
        into.numbers(self._up, self._down, self._highest, self._at, self._over)

    def restore(self, state: Reader) -> None:
        self._up, self._down, self._highest, at, over = state.numbers(5)
        self._at, self._over = int(at), bool(over)
