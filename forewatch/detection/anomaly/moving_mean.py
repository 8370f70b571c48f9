"""The mean of the last hours, in a bounded number of cells."""

from __future__ import annotations

from collections import deque

import numpy as np

from forewatch.detection.anomaly.state import Reader, Writer
from forewatch.detection.grid import Vector

__all__ = ["MovingMean"]


class MovingMean:
    """Mean of the newest `rows` rows, the current one included; of all while there are fewer.

    Where there are more rows than cells, the oldest leave a cell at a time.
    """

    def __init__(self, rows: int, cells: int) -> None:
        self._width = -(-rows // cells)
        self._most = max(1, rows // self._width)
        self._cells: deque[float] = deque()
        self._held = 0.0
        self._open, self._count = 0.0, 0

    def add(self, x: Vector) -> Vector:
        """The mean at each row."""
        means = []
        width, most, cells = self._width, self._most, self._cells
        held, opened, count = self._held, self._open, self._count
        for value in x.tolist():
            if count == 0 and len(cells) == most:
                cells.popleft()
                held = sum(cells)
            opened += value
            count += 1
            means.append((held + opened) / (len(cells) * width + count))
            if count == width:
                # Single precision, as it is kept at rest.
                cells.append(float(np.float32(opened)))
                held += cells[-1]
                opened, count = 0.0, 0
        self._held, self._open, self._count = held, opened, count
        return np.array(means)

    def dump(self, into: Writer) -> None:
        into.numbers(self._held, self._open, self._count, len(self._cells))
        kept = np.zeros(self._most, np.float32)
        kept[: len(self._cells)] = self._cells
        into.array(kept)

    def restore(self, state: Reader) -> None:
        self._held, self._open, count, cells = state.numbers(4)
        self._count = int(count)
        kept = np.zeros(self._most, np.float32)
        state.fill(kept)
        self._cells = deque(kept[: int(cells)].tolist())
