"""A level that has moved and stays: a two-sided CUSUM of the standardised innovations (Page 1954)."""

from __future__ import annotations

import numpy as np

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

    def add(self, errors: Vector, sigma: float) -> list[bool]:
        if sigma <= 0:
            return [False] * len(errors)
        told = []
        up, down = self._up, self._down
        for error in np.clip(errors / sigma, -_CLIP, _CLIP).tolist():
            up = max(0.0, up + error - _SLACK)
            down = max(0.0, down - error - _SLACK)
            told.append(up > _LIMIT or down > _LIMIT)
            if told[-1]:
                up = down = 0.0
        self._up, self._down = up, down
        return told

    def dump(self, into: Writer) -> None:
        into.numbers(self._up, self._down)

    def restore(self, state: Reader) -> None:
        self._up, self._down = state.numbers(2)
