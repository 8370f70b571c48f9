"""What a series does at this time of day, by the days before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from forewatch.detection.anomaly.state import Reader, Writer
from forewatch.detection.grid import Vector

__all__ = ["DayProfile"]

_DAY = 86_400_000_000
_NEWEST = 0.2
"""The share of the newest day, once there are `_ENOUGH`."""
_ENOUGH = 5
_NEVER = -1


class DayProfile:
    """The day in slots, each with an exponentially weighted mean over the days; today's slot counts when it is over."""

    def __init__(self, step: float, slots: int) -> None:
        slots = max(1, min(slots, round(_DAY / 1e6 / step)))
        self._width = _DAY // slots
        self._mean: list[float] = [0.0] * slots
        self._days: list[int] = [0] * slots
        self._slot = _NEVER
        self._sum, self._count = 0.0, 0

    def add(self, at: NDArray[np.int64], x: Vector) -> Vector:
        """How far each row is from the usual at its time; 0 where no day before had it."""
        apart = np.zeros(len(x))
        slots = len(self._mean)
        for row, (slot, value) in enumerate(zip((at // self._width).tolist(), x.tolist(), strict=True)):
            if slot != self._slot:
                if self._count:
                    self._close(int(self._slot) % slots)
                self._slot, self._sum, self._count = slot, 0.0, 0
            place = slot % slots
            if self._days[place]:
                apart[row] = value - self._mean[place]
            self._sum += value
            self._count += 1
        return apart

    def _close(self, place: int) -> None:
        self._days[place] = min(self._days[place] + 1, _ENOUGH)
        share = max(_NEWEST, 1 / self._days[place])
        mean = self._mean[place] + (self._sum / self._count - self._mean[place]) * share
        # Single precision, as it is kept at rest.
        self._mean[place] = float(np.float32(mean))

    def dump(self, into: Writer) -> None:
        into.numbers(self._slot, self._sum, self._count)
        into.array(np.array(self._mean, np.float32))
        into.array(np.array(self._days, np.uint8))

    def restore(self, state: Reader) -> None:
        slot, self._sum, count = state.numbers(3)
        self._slot, self._count = int(slot), int(count)
        mean, days = np.zeros(len(self._mean), np.float32), np.zeros(len(self._days), np.uint8)
        state.fill(mean)
        state.fill(days)
        self._mean, self._days = mean.tolist(), days.tolist()
