"""What a series does that its own rhythm does not explain: one-step errors of an autoregression with the day in it.

The model is statsmodels' AutoReg (three lags, a constant, four Fourier pairs of the day) in its streaming form: the
normal equations are summed up as rows come, the last few thousand of them, and solved now and then; a test holds the
parameters against AutoReg's own. What is far outside the usual range is clipped before it is learned from, so that an
outage does not become the rule. When it is solved depends on the number of rows seen and on nothing else.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from forewatch.detection.anomaly.state import Reader, Writer
from forewatch.detection.grid import Vector

__all__ = ["LAGS", "Innovations"]

LAGS = 3
_PAIRS = 4
_DAY = 86_400.0
_MEMORY = 4000
_FIRST = 48
"""Rows before the first fit."""
_FEWEST_WITH_DAY = 60
_PLAIN = 1 + LAGS
_COLUMNS = _PLAIN + 2 * _PAIRS
_UPPER = np.triu_indices(_COLUMNS + 1)
_RIDGE = 1e-12
_ANGLES = 2 * np.pi * np.arange(1, _PAIRS + 1) / (_DAY * 1e6)


class Innovations:
    """The model of one series; values are told relative to an origin near them."""

    def __init__(self, step: float) -> None:
        self._day = _DAY / step
        self._products: Vector = np.zeros((_COLUMNS + 1, _COLUMNS + 1))
        self._params: Vector = np.zeros(_COLUMNS)
        self._params[1] = 1.0
        """Until the first fit: as before."""
        self._recent: Vector = np.zeros(LAGS)
        """Newest first."""
        self._clipped: Vector = np.zeros(LAGS)
        self._low, self._high = -np.inf, np.inf
        self._seen = 0
        self._next_fit = _FIRST
        self.sigma = 0.0
        """Standard error of one step, of what was clipped; 0 before the first fit."""

    def add(self, at: NDArray[np.int64], x: Vector) -> Vector:
        """What was expected at each row, and learn from them."""
        if not self._seen:
            self._recent[:] = self._clipped[:] = x[0]
        season = _season(at)
        expected = self._rows(season, x, self._recent) @ self._params
        clipped = np.clip(x, self._low, self._high)
        design = np.concatenate([self._rows(season, clipped, self._clipped), clipped[:, None]], axis=1)
        self._products += design[max(0, LAGS - self._seen) :].T @ design[max(0, LAGS - self._seen) :]
        self._recent = np.concatenate([x[::-1], self._recent])[:LAGS]
        self._clipped = np.concatenate([clipped[::-1], self._clipped])[:LAGS]
        self._seen += len(x)
        return expected

    def review(self, low: float, high: float) -> None:
        """At the end of a block: clip to this range from now on, fade the old, and fit anew where it is due."""
        margin = (high - low) / 2
        self._low, self._high = low - margin, high + margin
        if self._seen >= self._next_fit:
            self._fit()
            day = max(int(self._day), 24)
            self._next_fit = max(self._seen + 1, min(self._seen + day, self._seen * 3 // 2))
        rows = self._products[0, 0]
        if rows > _MEMORY:
            self._products *= _MEMORY / rows

    def dump(self, into: Writer) -> None:
        into.numbers(self._low, self._high, self._seen, self._next_fit, self.sigma)
        for part in (self._products[_UPPER], self._params, self._recent, self._clipped):
            into.array(part)

    def restore(self, state: Reader) -> None:
        self._low, self._high, seen, next_fit, self.sigma = state.numbers(5)
        self._seen, self._next_fit = int(seen), int(next_fit)
        upper = np.zeros(len(_UPPER[0]))
        for part in (upper, self._params, self._recent, self._clipped):
            state.fill(part)
        self._products[_UPPER] = upper
        self._products.T[_UPPER] = upper

    @staticmethod
    def _rows(season: Vector, x: Vector, before: Vector) -> Vector:
        path = np.concatenate([before[::-1], x])
        rows = np.ones((len(x), _COLUMNS))
        for lag in range(1, LAGS + 1):
            rows[:, lag] = path[LAGS - lag : LAGS - lag + len(x)]
        rows[:, _PLAIN:] = season
        return rows

    def _fit(self) -> None:
        used = _COLUMNS if self._seen >= max(2 * self._day, _FEWEST_WITH_DAY) else _PLAIN
        size = np.sqrt(np.diag(self._products))
        scale = np.divide(1.0, size, out=np.zeros_like(size), where=size > 0)
        scaled = self._products * scale[:, None] * scale
        known, target = scaled[:used, :used], scaled[:used, -1]
        params = np.linalg.solve(known + _RIDGE * np.eye(used) + np.diag(scale[:used] == 0), target)
        self._params[:] = 0.0
        self._params[:used] = params * scale[:used] * size[-1]
        left = max(0.0, float(scaled[-1, -1] - 2 * params @ target + params @ known @ params))
        self.sigma = float(size[-1]) * (left / max(float(self._products[0, 0]), 1.0)) ** 0.5


def _season(at: NDArray[np.int64]) -> Vector:
    # Whole days are taken off first: a sine of a large number has fewer digits.
    angle = (at % int(_DAY * 1e6))[:, None] * _ANGLES
    pairs: Vector = np.stack([np.sin(angle), np.cos(angle)], axis=2).reshape(len(at), 2 * _PAIRS)
    return pairs
