"""The newest rows that stood out, so that feedback can say of one that it was noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from forewatch.detection.anomaly.ranks import Single
from forewatch.detection.anomaly.state import Reader, Writer
from forewatch.detection.grid import Vector

__all__ = ["Memory"]

_KEPT = 5
_STANDS_OUT = 0.42


class Memory:
    """At most a few rows with a score, each with its channels."""

    def __init__(self, channels: int) -> None:
        self._at: list[int] = []
        self._rows: list[Single] = []
        self._channels = channels

    def add(self, at: NDArray[np.int64], scores: Vector, rows: Single) -> None:
        for index in np.flatnonzero(scores >= _STANDS_OUT)[-_KEPT:]:
            self._at = [*self._at, int(at[index])][-_KEPT:]
            self._rows = [*self._rows, rows[:, index].copy()][-_KEPT:]

    def since(self, at: int) -> list[Single]:
        """The rows kept of `at` and later: an anomaly goes on from where it was told of."""
        return [row for when, row in zip(self._at, self._rows, strict=True) if when >= at]

    def dump(self, into: Writer) -> None:
        into.numbers(len(self._at), *self._at, *[0] * (_KEPT - len(self._at)))
        kept = np.zeros((_KEPT, self._channels), np.float32)
        if self._rows:
            kept[: len(self._rows)] = self._rows
        into.array(kept)

    def restore(self, state: Reader) -> None:
        count, *at = state.numbers(1 + _KEPT)
        self._at = [int(instant) for instant in at[: int(count)]]
        kept = np.zeros((_KEPT, self._channels), np.float32)
        state.fill(kept)
        self._rows = [row.copy() for row in kept[: int(count)]]
