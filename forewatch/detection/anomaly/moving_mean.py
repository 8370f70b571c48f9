"""The mean of the last hours, in a bounded number of cells."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from forewatch.detection.anomaly.state import Reader, Writer
from forewatch.detection.grid import Vector

__all__ = ["MovingMean"]


class MovingMean:
    """Mean of the newest `rows` rows, the current one included; of all while there are fewer.

    Where there are more rows than cells, several rows share a cell and the oldest leave a cell at a time.
    """

    def __init__(self, rows: int, cells: int) -> None:
        self._width = -(-rows // cells)
        self._most = max(1, rows // self._width)
        # Single precision, as it is kept at rest; the oldest first.
        self._cells = np.zeros(self._most - 1, np.float32)
        self._full = 0
        self._open, self._count = 0.0, 0

    def add(self, x: Vector) -> Vector:
        """The mean at each row."""
        if self._width == 1:
            return self._plain(x)
        means = []
        held = float(self._cells.sum(dtype=np.float64))
        for value in x.tolist():
            self._open += value
            self._count += 1
            means.append((held + self._open) / (self._full * self._width + self._count))
            if self._count == self._width:
                self._keep(np.array([self._open], np.float32))
                self._open, self._count = 0.0, 0
                held = float(self._cells.sum(dtype=np.float64))
        return np.array(means)

    def _plain(self, x: Vector) -> Vector:
        rows = x.astype(np.float32)
        path = np.concatenate([self._cells, rows]).astype(np.float64)
        # Every sum is taken afresh and in the same order, however many rows come at once: nothing drifts.
        sums = np.correlate(path, np.ones(self._most), "valid")
        counts = np.minimum(self._full + 1 + np.arange(len(x)), self._most)
        self._keep(rows)
        means: Vector = sums / counts
        return means

    def _keep(self, cells: NDArray[np.float32]) -> None:
        self._cells = np.concatenate([self._cells, cells])[len(cells) :]
        self._full = min(self._full + len(cells), self._most - 1)

    def dump(self, into: Writer) -> None:
        into.numbers(self._full, self._open, self._count)
        into.array(self._cells)

    def restore(self, state: Reader) -> None:
        full, self._open, count = state.numbers(3)
        self._full, self._count = int(full), int(count)
        state.fill(self._cells)
