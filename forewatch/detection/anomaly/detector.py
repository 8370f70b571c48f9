"""The anomaly score of one series, streaming and strictly causal.

Four views of a series are taken: the value, its mean over two hours, what an autoregression with the day in it did not
expect, and how far it is from its usual at this time of day. Each is ranked among all that came before; how improbable
the ranks are together is the surprise. A level that has moved and a standstill have a surprise of their own. It counts
where it beats the surprises of the last days, and is squeezed to 0-1.

Ranks know no units: the score of a series does not change when it is measured in other ones. Nothing depends on what
is still to come, nor on how the rows were cut into calls.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from forewatch.detection.anomaly.day_profile import DayProfile
from forewatch.detection.anomaly.innovations import Innovations
from forewatch.detection.anomaly.memory import Memory
from forewatch.detection.anomaly.moving_mean import MovingMean
from forewatch.detection.anomaly.ranks import COARSE, FINE, MEMORY, Ranks
from forewatch.detection.anomaly.record import Record
from forewatch.detection.anomaly.scores import Score, Scores
from forewatch.detection.anomaly.sensitivity import Sensitivity
from forewatch.detection.anomaly.shift import LevelShift
from forewatch.detection.anomaly.standstill import Standstill
from forewatch.detection.anomaly.state import Reader, Writer
from forewatch.detection.grid import Vector

__all__ = ["Detector"]

_WEIGHTS = np.array([1.0, 1.0, 2.0, 1.0])
"""Value, its mean, innovation, time of day."""
_INNOVATION, _APART = 2, 3
_MEAN_FOR, _MEAN_ROWS = 2 * 3600.0, 12
"""Seconds, and at least so many rows."""
_CELLS, _CELLS_COMPACT = 360, 36
_SLOTS, _SLOTS_COMPACT = 96, 48
_MOST_EXCESS = 3.0
"""What being far outside the range so far adds at most, in powers of ten."""
_FULL = math.log10(MEMORY + 10)
_WEEK = 604_800.0
_USUAL_STEP = 300.0
_PACE = 0.4
_HALF = 10.0
"""The surprise whose score is one half."""
_FLAT = 20.0
"""The surprise of a standstill."""
_SHIFT = 16.0
"""That of a level that has moved: less than of a standstill, for levels do move."""
_NORMAL_95 = 1.959964
_LARGEST = 1e30
"""Values are held to this: what is squared must still be a number."""
_FAR = 1e15
_FORGIVEN_WEIGHT = 20.0


class _Part(Protocol):
    def dump(self, into: Writer) -> None: ...

    def restore(self, state: Reader) -> None: ...


class Detector:
    """Scores a series point by point; the same whether fed one by one, in blocks, or restored in between.

    `step` is the usual distance of two rows in seconds, `warmup` the number of rows before the first score. The state
    takes about 8 KiB, `compact` less than 4 with slightly coarser ranks.
    """

    def __init__(self, step: float, *, warmup: int, compact: bool = False) -> None:
        if not (math.isfinite(step) and step > 0):
            raise ValueError(f"a series cannot come every {step} seconds: give its usual spacing, above 0")
        self.step = step
        self.warmup = warmup
        self.compact = compact
        self._origin = 0.0
        self._rows = 0
        self._last_at = -(2**62)
        self._band = (math.nan, math.nan)
        self._usual = (math.nan, math.nan)
        # One row a week at the least: slower series are not sampled, they happen.
        self._pace = (math.log10(_WEEK / _USUAL_STEP) / math.log10(max(_WEEK / step, 10.0))) ** _PACE
        cells = _CELLS_COMPACT if compact else _CELLS
        self._mean = MovingMean(max(_MEAN_ROWS, round(_MEAN_FOR / step)), cells)
        self._innovations = Innovations(step)
        self._day = DayProfile(step, _SLOTS_COMPACT if compact else _SLOTS)
        self._ranks = Ranks(len(_WEIGHTS), COARSE if compact else FINE)
        self._record = Record(step)
        self._shift = LevelShift()
        self._standstill = Standstill()
        self._memory = Memory(len(_WEIGHTS))
        self._sensitivity = Sensitivity()

    @property
    def seen(self) -> int:
        """Rows so far."""
        return self._rows

    @property
    def at(self) -> int | None:
        """The instant of the newest row, None before the first."""
        return self._last_at if self._rows else None

    def update(self, at: int, value: float) -> Score:
        """Score one point and learn from it; `at` in microseconds UTC. Raises ValueError where time goes back."""
        return self.update_many(np.array([at], np.int64), np.array([value], np.float64))[0]

    def update_many(self, at: NDArray[np.int64], values: Vector) -> Scores:
        """As `update` for each in turn, much faster.

        What is not a number is passed over: score 0, nothing learned. Raises ValueError, with nothing learned, where
        time goes back.
        """
        at = np.asarray(at, np.int64)
        values = np.asarray(values, np.float64)
        back = np.flatnonzero(np.diff(at, prepend=self._last_at) < 0)
        if back.size:
            raise ValueError(f"row {back[0]} is older than the one before it: sort the series by time")
        known = np.flatnonzero(np.isfinite(values))
        times = at[known]
        held = np.clip(values[known], -_LARGEST, _LARGEST)
        told = np.full((4, len(at)), np.nan)
        told[0] = 0.0
        kind = np.full(len(at), "unusual")
        start = 0
        while start < len(known):
            end = min(len(known), start + self._ranks.room)
            told[:, known[start:end]], kind[known[start:end]] = self._block(times[start:end], held[start:end])
            start = end
        return Scores(told[0], told[1], told[2], told[3], kind)

    def threshold(self, per_month: float) -> float:
        """The score that is exceeded about `per_month` times in 30 days without anything being wrong.

        From the series' own record of daily highs and a built-in table; the table alone while it is young.
        """
        return self._sensitivity.threshold(per_month)

    def forgive(self, at: int) -> None:
        """What was told of at `at` was noise: values like these become ordinary, and the threshold a little higher."""
        for row in self._memory.since(at):
            self._ranks.reinforce(row, _FORGIVEN_WEIGHT)
        self._sensitivity.forgive(at)

    def confirm(self, at: int) -> None:
        """What was told of at `at` was real: not part of the usual record, and the threshold a little lower."""
        self._sensitivity.confirm(at)

    def dump(self) -> bytes:
        """The state as versioned bytes."""
        into = Writer()
        into.numbers(self.step, self.warmup, self.compact, self._origin, self._rows, self._last_at)
        into.numbers(*self._band, *self._usual)
        for part in self._parts():
            part.dump(into)
        return into.bytes()

    @classmethod
    def load(cls, state: bytes) -> Detector:
        """The detector that `dump` was called on, to go on as one that never stopped.

        Raises ValueError where the bytes are of another version, or damaged.
        """
        kept = Reader(state)
        step, warmup, compact, origin, rows, last_at = kept.numbers(6)
        made = cls(step, warmup=int(warmup), compact=bool(compact))
        made._origin, made._rows, made._last_at = origin, int(rows), int(last_at)
        low, high, usual_low, usual_high = kept.numbers(4)
        made._band, made._usual = (low, high), (usual_low, usual_high)
        for part in made._parts():
            part.restore(kept)
        kept.end()
        return made

    def _parts(self) -> tuple[_Part, ...]:
        return (
            self._mean,
            self._innovations,
            self._day,
            self._ranks,
            self._record,
            self._shift,
            self._standstill,
            self._memory,
            self._sensitivity,
        )

    def _block(self, at: NDArray[np.int64], values: Vector) -> tuple[Vector, NDArray[np.str_]]:
        """Score, expected, lower and upper (4, rows) and kinds of rows that fit the room of the ranks."""
        if not self._rows and abs(values[0]) < _FAR:
            # Small numbers keep more digits: a series at a high level is looked at from there.
            self._origin = float(values[0])
        x = values - self._origin
        expected = self._innovations.add(at, x)
        error = x - expected
        views = np.stack([x, self._mean.add(x), error, self._day.add(at, x)])
        rows = np.clip(views, -_LARGEST, _LARGEST).astype(np.float32)
        share, excess = self._ranks.add(rows)
        before = np.minimum(self._rows + np.arange(len(x)), MEMORY)
        rarity = np.minimum(2 * np.log10(1 + excess), _MOST_EXCESS) - np.log10(share)
        surprise = (_WEIGHTS[:, None] * rarity).sum(axis=0) * (_FULL * self._pace / np.log10(before + 10))
        shifts = self._shift.add(at, error, self._innovations.sigma)
        flats = self._standstill.add(x)
        surprise[flats] = np.maximum(surprise[flats], _FLAT)
        surprise[shifts] = np.maximum(surprise[shifts], _SHIFT)
        counted = np.array(self._record.add(at.tolist(), surprise.tolist()))
        score = counted / (counted + _HALF)
        score[: max(0, self.warmup - self._rows)] = 0.0
        self._memory.add(at, score, rows)
        self._sensitivity.add(at, score)
        expected += self._origin
        told = np.stack([score, expected, expected + self._band[0], expected + self._band[1]])
        kind = np.where(flats, "flat", np.where(shifts, "shift", "unusual"))
        # People ask what was usual before a level moved, not what the model has come to expect since.
        apart = (shifts | flats) & (views[_APART] != 0)
        usual = values[apart] - views[_APART][apart]
        told[1:, apart] = usual, usual + self._usual[0], usual + self._usual[1]
        self._rows += len(x)
        self._last_at = int(at[-1])
        if self._ranks.merged:
            self._review()
        return told, kind

    def _review(self) -> None:
        """At the end of a block: what may change only there, lest it depend on how rows were cut into calls."""
        self._innovations.review(self._ranks.quantile(0, 0.005), self._ranks.quantile(0, 0.995))
        # The wider of the model's own 95 % and of the errors seen, which it had not been fitted on (split conformal).
        analytic = _NORMAL_95 * self._innovations.sigma
        low, high = (self._ranks.quantile(_INNOVATION, share) for share in (0.025, 0.975))
        self._band = (min(-analytic, low), max(analytic, high))
        self._usual = (self._ranks.quantile(_APART, 0.025), self._ranks.quantile(_APART, 0.975))
