"""The anomaly score of one series."""

from __future__ import annotations

import io
import math

import numpy as np
from numpy.typing import NDArray

from forewatch.detection.anomaly.scores import Score, Scores
from forewatch.detection.grid import Vector

__all__ = ["Detector"]

_LONGEST = 8000
_MEAN = 24
_DAY = 86_400.0
_HALF_LIFE = 2 * _DAY
_LARGEST = 1e100
_VERSION = 0


class Detector:
    """Scores a series point by point; the same whether fed one by one, in blocks, or restored in between."""

    def __init__(self, step: float, *, warmup: int) -> None:
        self.step = step
        self.warmup = warmup
        self._at = np.zeros(0, np.int64)
        self._values = np.zeros(0)
        self._channels = np.zeros((0, 4))
        self._record = 0.0
        self._seen = 0

    @property
    def seen(self) -> int:
        """Rows so far."""
        return self._seen

    def update(self, at: int, value: float) -> Score:
        """Score one point and learn from it. Raises ValueError where time goes back."""
        return self.update_many(np.array([at], np.int64), np.array([value]))[0]

    def update_many(self, at: NDArray[np.int64], values: Vector) -> Scores:
        """As `update` for each in turn, much faster. Raises ValueError, with nothing learned, where time goes back."""
        times = np.asarray(at, np.int64)
        previous = np.concatenate([self._at[-1:], times])
        back = np.flatnonzero(np.diff(previous) < 0)
        if back.size:
            row = int(back[0]) + (0 if len(self._at) else 1)
            raise ValueError(f"row {row} is older than the one before it: sort the series by time")
        count = len(times)
        score = np.zeros(count)
        expected, half = np.full(count, np.nan), np.full(count, np.nan)
        for i in range(count):
            value = float(values[i])
            if math.isfinite(value):
                score[i], expected[i], half[i] = self._one(int(times[i]), min(max(value, -_LARGEST), _LARGEST))
        return Scores(score, expected, expected - half, expected + half, np.full(count, "unusual"))

    def _one(self, at: int, value: float) -> tuple[float, float, float]:
        last = float(self._values[-1]) if len(self._values) else value
        day = round(_DAY / self.step)
        same = [self._values[-k * day] for k in (1, 2, 3) if k * day <= len(self._values)]
        recent = np.append(self._values[-(_MEAN - 1) :], value)
        current = np.array([value, recent.mean(), value - last, value - np.mean(same) if same else 0.0])
        total, expected, half = 0.0, math.nan, math.nan
        count = len(self._channels)
        if count >= 2:
            above = (self._channels >= current).sum(axis=0)
            below = (self._channels <= current).sum(axis=0)
            low, high = self._channels.min(axis=0), self._channels.max(axis=0)
            beyond = np.maximum(np.maximum(current - high, low - current), 0.0)
            excess = beyond / np.where(high > low, high - low, np.maximum(beyond, 1e-300))
            tails = -np.log10(np.maximum(np.minimum(above, below), 1) / (count + 1)) + np.minimum(
                2 * np.log10(1 + excess), 3.0
            )
            total = float(tails @ np.array([1.0, 1.0, 2.0, 1.0])) * 3.9 / math.log10(count + 10)
            expected = last
            half = float(np.quantile(np.abs(self._channels[:, 2]), 0.95))
        if len(self._at):
            self._record *= 0.5 ** ((at - int(self._at[-1])) / 1e6 / max(_HALF_LIFE, 24 * self.step))
        score = 0.0
        if total > self._record:
            self._record = total
            score = total / (total + 10.0) if self._seen >= self.warmup else 0.0
        self._at = np.append(self._at, at)[-_LONGEST:]
        self._values = np.append(self._values, value)[-_LONGEST:]
        self._channels = np.concatenate([self._channels, current[None]])[-_LONGEST:]
        self._seen += 1
        return score, expected, half

    def threshold(self, per_month: float) -> float:
        """The score that the series exceeds about `per_month` times in 30 days without anything being wrong."""
        return float(np.clip(0.62 - 0.06 * math.log10(max(per_month, 1e-6)), 0.3, 0.9))

    def forgive(self, at: int) -> None:
        """What was told of at `at` was noise: told of less readily from now on."""

    def confirm(self, at: int) -> None:
        """What was told of at `at` was real: told of a little more readily from now on."""

    def dump(self) -> bytes:
        """The state as versioned bytes."""
        file = io.BytesIO()
        head = np.array([_VERSION, self.step, self.warmup, self._record, self._seen])
        np.savez(file, head=head, at=self._at, values=self._values, channels=self._channels)
        return file.getvalue()

    @classmethod
    def load(cls, state: bytes) -> Detector:
        """The detector that `dump` was called on. Raises ValueError where the bytes are of another version."""
        kept = np.load(io.BytesIO(state), allow_pickle=False)
        head = kept["head"]
        if head[0] != _VERSION:
            raise ValueError(f"a detector's state of version {head[0]:g}, this program reads {_VERSION}: start it anew")
        made = cls(float(head[1]), warmup=int(head[2]))
        made._record, made._seen = float(head[3]), int(head[4])
        made._at, made._values, made._channels = kept["at"], kept["values"], kept["channels"]
        return made
