"""A level that has moved and stays: a two-sided CUSUM of the standardised innovations (Page 1954)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from forewatch.detection.anomaly.state import Reader, Writer
from forewatch.detection.grid import Vector

__all__ = ["LevelShift"]

_SLACK = 0.5
"""Half the shift it is made for, in standard errors."""
_LIMIT = 10.0
_CLIP = 4.0
"""One wild value is no shift."""


class LevelShift:
    """Tells the rows at which the sums pass the limit; they start anew then."""

    def __init__(self) -> None:
        self._up, self._down = 0.0, 0.0

    def add(self, errors: Vector, sigma: float) -> NDArray[np.bool_]:
        told = np.zeros(len(errors), bool)
        if sigma <= 0:
            return told
        up, down = self._up, self._down
        for row, error in enumerate(np.clip(errors / sigma, -_CLIP, _CLIP).tolist()):
            up += error - _SLACK
            down -= error + _SLACK
            if up < 0:
                up = 0.0
            if down < 0:
                down = 0.0
            if up > _LIMIT or down > _LIMIT:
                told[row] = True
                up = down = 0.0
        self._up, self._down = up, down
        return told

    def dump(self, into: Writer) -> None:
        into.numbers(self._up, self._down)

    def restore(self, state: Reader) -> None:
        self._up, self._down = state.numbers(2)
