"""Where a value stands among all that came before, in a bounded sketch: fine in the tails, coarse in the middle.

A quantile sketch in the manner of the t-digest: weighted points, single at the ends and ever heavier towards the
middle, so that a tail probability is right to a few per cent however small it is. What is old fades once `MEMORY` rows
are there, so that a series may change its ways. The newest rows wait in a buffer and are counted exactly; now and then
they are merged in. Equal values stay one point of their own: counts and levels are never blurred.

Points are single precision, in memory as at rest, so that a restored sketch goes on as one never stopped; sums of their
weights are exact in double precision, so that the answers are the same for one row at a time and for many.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from forewatch.detection.anomaly.state import Reader, Writer
from forewatch.detection.grid import Vector

__all__ = ["COARSE", "FINE", "MEMORY", "Grain", "Ranks", "Single"]

Single = NDArray[np.float32]

MEMORY = 8000
"""Rows that count; beyond, older ones weigh less."""
_SHORT_BLOCK = 32
"""Rows that wait before they are merged, at first."""
_GROWN = 1000


class Grain(NamedTuple):
    coarseness: float
    """How much heavier points become per rank from the end: tail probabilities are right to about a third of it."""
    block: int
    """Rows that wait before they are merged, once a thousand are there."""


FINE, COARSE = Grain(0.1, 128), Grain(0.3, 32)


class Ranks:
    """The sketches of several channels that move in step."""

    def __init__(self, channels: int, grain: Grain) -> None:
        self._coarseness, block = grain
        reach = (MEMORY + block) / 2
        points = 2 * int(np.ceil(np.log1p(self._coarseness * reach) / self._coarseness)) + 1
        self._value: Single = np.zeros((channels, points), np.float32)
        self._weight: Single = np.zeros((channels, points), np.float32)
        self._buffer: Single = np.zeros((channels, block), np.float32)
        self._waiting = 0
        self._settle()

    def _settle(self) -> None:
        """What follows from the points, kept because every row asks for it."""
        live = self._weight > 0
        self._points = [value[there] for value, there in zip(self._value, live, strict=True)]
        self._through = [
            np.cumsum(np.append(0.0, weight[there])) for weight, there in zip(self._weight, live, strict=True)
        ]
        self._total = float(self._through[0][-1])
        ends = np.array([(value[0], value[-1]) if len(value) else (np.inf, -np.inf) for value in self._points])
        self._low, self._high = ends[:, :1], ends[:, 1:]
        self._block = self._buffer.shape[1] if self._total >= _GROWN else _SHORT_BLOCK

    @property
    def room(self) -> int:
        """How many rows can come before the next merge."""
        return self._block - self._waiting

    @property
    def merged(self) -> bool:
        """Whether the newest row ended a block."""
        return not self._waiting

    def add(self, rows: Single) -> tuple[Vector, Vector]:
        """Tail probability and excess over the range so far, of each of `rows` (channels, at most `room`).

        The probability is two-sided: the lesser of the shares not below and not above, 1 where nothing is known. The
        excess is in ranges: 1 is as far beyond as the range is wide.
        """
        start, count = self._waiting, rows.shape[1]
        self._buffer[:, start : start + count] = rows
        known = self._buffer[:, None, : start + count]
        earlier = np.arange(start + count) < start + np.arange(count)[:, None]
        x = rows[:, :, None]
        over = np.count_nonzero((known >= x) & earlier, axis=2).astype(np.float64)
        under = np.count_nonzero((known <= x) & earlier, axis=2).astype(np.float64)
        for channel, (points, through) in enumerate(zip(self._points, self._through, strict=True)):
            over[channel] += through[-1] - through[points.searchsorted(rows[channel], "left")]
            under[channel] += through[points.searchsorted(rows[channel], "right")]
        total = self._total + start + np.arange(count)
        share = np.minimum(np.maximum(np.minimum(over, under), 1.0) / (total + 1.0), 1.0)

        before = self._buffer[:, : start + count - 1]
        low = np.minimum.accumulate(np.concatenate([self._low, before], axis=1), axis=1)[:, start:].astype(np.float64)
        high = np.maximum.accumulate(np.concatenate([self._high, before], axis=1), axis=1)[:, start:].astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            beyond = np.maximum(rows - high, low - rows)
            excess = np.where(beyond > 0, beyond / (high - low), 0.0)
        young = total < 2.0
        share[:, young], excess[:, young] = 1.0, 0.0
        self._waiting = start + count
        if self._waiting == self._block:
            ripe = self._buffer[:, : self._block]
            fade = min(1.0, (MEMORY - self._block) / self._total) if self._total else 1.0
            self._waiting = 0
            self._merge(ripe, np.ones_like(ripe), fade)
        return share, excess

    def reinforce(self, row: Single, weight: float) -> None:
        """Count a row `weight` times more: it is as ordinary as that."""
        self._merge(row[:, None], np.full((len(row), 1), weight, np.float32), 1.0)

    def quantile(self, channel: int, share: float) -> float:
        """The value that `share` of the merged rows do not exceed; NaN before the first merge."""
        if not self._total:
            return float("nan")
        through = self._through[channel][1:]
        return float(self._points[channel][through.searchsorted(share * through[-1])])

    def dump(self, into: Writer) -> None:
        into.numbers(self._waiting)
        for part in (self._value, self._weight, self._buffer):
            into.array(part)

    def restore(self, state: Reader) -> None:
        self._waiting = int(state.numbers(1)[0])
        for part in (self._value, self._weight, self._buffer):
            state.fill(part)
        self._settle()

    def _merge(self, rows: Single, weight: Single, fade: float) -> None:
        channels, points = self._value.shape
        values = np.concatenate([self._value, rows], axis=1)
        weights = np.concatenate([self._weight * fade, weight], axis=1).astype(np.float64)
        order = np.argsort(values, axis=1, kind="stable")
        values = np.take_along_axis(values, order, axis=1)
        through = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
        last = np.ones(values.shape, bool)
        last[:, :-1] = values[:, 1:] != values[:, :-1]
        ends = np.maximum.accumulate(np.where(last, through, 0.0), axis=1)
        weights = np.diff(ends, axis=1, prepend=0.0)
        rank = ends - weights / 2
        total = through[:, -1:]
        end = np.log1p(self._coarseness * np.clip(np.minimum(rank, total - rank), 0.0, None)) / self._coarseness
        slot = np.where(rank <= total / 2, np.floor(end), points - 1 - np.floor(end)).astype(np.int64)
        slot += np.arange(channels)[:, None] * points
        sums = np.bincount(slot.ravel(), weights.ravel(), channels * points)
        self._weight = sums.reshape(channels, points).astype(np.float32)
        # The heaviest point of a slot stands for it; of what is written to one place, the last stays.
        rising = np.argsort(weights, axis=1, kind="stable")
        places = np.zeros(channels * points, np.float32)
        places[np.take_along_axis(slot, rising, axis=1).ravel()] = np.take_along_axis(values, rising, axis=1).ravel()
        self._value = places.reshape(channels, points)
        self._settle()
