"""From an alarm budget to a score: the same few false alarms a month on every series.

A young series takes its threshold from a built-in table, fitted on the labelled development series (scores that were
exceeded outside the labelled windows, by their number per series and month). As it grows older its own record takes
part: the highest score of each of its last days. What was confirmed as real is taken out of the record; what was called
noise makes the series tell less readily.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from forewatch.detection.anomaly.state import Reader, Writer
from forewatch.detection.grid import Vector

__all__ = ["Sensitivity"]

_DAY = 86_400_000_000
_DAYS = 28
_MONTH = 30.0
_YOUNG = 7
"""Days of record before it takes part."""
_OWN_SHARE = 0.5
"""The weight of a full record against the table's."""
_REACH = 0.05
"""How far the record may move a threshold, in score."""
_FORGIVEN, _MOST_FORGIVEN = 0.02, 0.1
_CONFIRMED, _MOST_CONFIRMED = -0.01, -0.05
_VERDICTS = 4
_TABLE = ((0.1, 0.7), (0.3, 0.665), (1.0, 0.635), (3.0, 0.6), (10.0, 0.525), (30.0, 0.415), (100.0, 0.3))
"""False alarms per series and month, and the score; the last one is beyond what can be counted, a guess."""


class Sensitivity:
    def __init__(self) -> None:
        self._highs: list[float] = []
        """Of the last days, oldest first; the last one is today's. NaN: nothing came on that day."""
        self._today = 0
        self._moved = 0.0
        self._verdicts: list[tuple[int, float]] = []
        """The newest, with what each moved the threshold by."""

    def add(self, at: NDArray[np.int64], scores: Vector) -> None:
        """Note the highest score of each day."""
        days = at // _DAY
        firsts = np.flatnonzero(np.diff(days, prepend=days[0] - 1))
        for day, high in zip(days[firsts].tolist(), np.maximum.reduceat(scores, firsts).tolist(), strict=True):
            if day != self._today or not self._highs:
                missed = min(max(day - self._today - 1, 0), _DAYS) if self._highs else 0
                self._today = day
                self._highs = [*self._highs, *[math.nan] * missed, 0.0][-_DAYS:]
            self._highs[-1] = max(self._highs[-1], float(np.float32(high)))

    def threshold(self, per_month: float) -> float:
        """The score that is exceeded about `per_month` times in 30 days without anything being wrong.

        Raises ValueError for a budget that is not positive.
        """
        if not per_month > 0:
            raise ValueError(f"an alarm budget of {per_month:g} a month cannot be kept: give a number above 0")
        rates, scores = zip(*_TABLE, strict=True)
        usual = float(np.interp(np.log10(per_month), np.log10(rates), scores))
        own = usual
        # Today is not over: its high may still come.
        highs = sorted((high for high in self._highs[:-1] if not math.isnan(high)), reverse=True)
        days = len(highs)
        if days >= _YOUNG:
            rank = per_month * days / _MONTH
            own = float(np.interp(rank, np.arange(days) + 0.5, highs))
        share = _OWN_SHARE * days / (_DAYS - 1)
        moved = min(max(share * (own - usual), -_REACH), _REACH) + self._moved
        return min(max(usual + moved, 0.05), 0.95)

    def forgive(self, at: int) -> None:
        self._judge(at, _FORGIVEN)

    def confirm(self, at: int) -> None:
        self._judge(at, _CONFIRMED)
        age = self._today - at // _DAY
        if 0 <= age < len(self._highs) and not math.isnan(self._highs[-1 - age]):
            self._highs[-1 - age] = 0.0

    def _judge(self, at: int, moves: float) -> None:
        # A person may think again: the newest verdict on an instant replaces the one before.
        before = sum(moved for when, moved in self._verdicts if when == at)
        self._moved = min(max(self._moved - before + moves, _MOST_CONFIRMED), _MOST_FORGIVEN)
        self._verdicts = [*(kept for kept in self._verdicts if kept[0] != at), (at, moves)][-_VERDICTS:]

    def dump(self, into: Writer) -> None:
        into.numbers(self._today, self._moved, len(self._highs), len(self._verdicts))
        spare = [(0, 0.0)] * (_VERDICTS - len(self._verdicts))
        into.numbers(*(number for verdict in self._verdicts + spare for number in verdict))
        kept = np.zeros(_DAYS, np.float32)
        kept[: len(self._highs)] = self._highs
        into.array(kept)

    def restore(self, state: Reader) -> None:
        today, self._moved, count, judged = state.numbers(4)
        verdicts = state.numbers(2 * _VERDICTS)
        self._verdicts = [(int(verdicts[2 * i]), verdicts[2 * i + 1]) for i in range(int(judged))]
        self._today = int(today)
        kept = np.zeros(_DAYS, np.float32)
        state.fill(kept)
        self._highs = kept[: int(count)].tolist()
