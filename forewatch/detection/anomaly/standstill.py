"""A series that used to move and stands still: a stuck sensor, a dead exporter, a queue nobody works on."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from forewatch.detection.anomaly.state import Reader, Writer
from forewatch.detection.grid import Vector

__all__ = ["Standstill"]

_LIKELY = -math.log(1e-6)
"""A run is reported where, by the share of rows that repeat, it would occur once in a million."""
_SHORTEST = 10
_MOVED = 50
"""Rows before a run that say whether a series moves at all."""


class Standstill:
    """Tells the row at which a run of equal values becomes one that this series does not have.

    It must be unlikely by how often values repeat, and twice as long as any run before: a series may make the second
    mistake only a few times, for every one doubles the bar.
    """

    def __init__(self) -> None:
        self._last = math.nan
        self._run, self._longest = 0, 0
        self._rows, self._repeats = 0, 0

    def add(self, x: Vector) -> NDArray[np.bool_]:
        told = np.zeros(len(x), bool)
        same = np.diff(x, prepend=self._last) == 0
        if not same.any():
            self._end_run()
            self._rows += len(x)
        else:
            for row, repeats in enumerate(same.tolist()):
                self._rows += 1
                if repeats:
                    self._run += 1
                    told[row] = self._run >= _SHORTEST and self._run == self._bar()
                else:
                    self._end_run()
        self._last = float(x[-1])
        return told

    def _end_run(self) -> None:
        # What a long run repeats is one event, not many.
        self._repeats += min(self._run, _SHORTEST)
        self._longest = max(self._longest, self._run)
        self._run = 0

    def _bar(self) -> int:
        moved = self._rows - self._run
        if moved < _MOVED:
            return 0
        repeats = (self._repeats + 1) / (moved + 2)
        unlikely = math.inf if repeats >= 1 else _LIKELY / -math.log(repeats)
        return int(min(max(_SHORTEST, 2 * self._longest + 1, unlikely), 1e12))

    def dump(self, into: Writer) -> None:
        into.numbers(self._last, self._run, self._longest, self._rows, self._repeats)

    def restore(self, state: Reader) -> None:
        self._last, *counts = state.numbers(5)
        self._run, self._longest, self._rows, self._repeats = (int(count) for count in counts)
