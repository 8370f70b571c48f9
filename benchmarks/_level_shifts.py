"""Series with a known level shift: a daily wave and autocorrelated, heavy-tailed noise, a value every five minutes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forewatch.detection.anomaly import Scores

STEP = 300.0
_DAY = 288
_QUIET_DAYS, _DAYS = 17, 21
WARMUP = 2 * _DAY
_START = 1_700_000_000_000_000
_EPISODE = 12
"""Rows that make one false alarm of several."""

Detect = Callable[[NDArray[np.int64], NDArray[np.float64]], Scores]


def simulated(size: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.float64], int]:
    """Instants, values, and the row from which they are `size` standard deviations of the noise higher."""
    random = np.random.default_rng(seed)
    rows = _DAYS * _DAY
    shocks = random.standard_t(5, rows)
    noise = np.zeros(rows)
    for row in range(rows):
        noise[row] = 0.6 * noise[row - 1] + shocks[row]
    first = _QUIET_DAYS * _DAY + int(random.integers(0, _DAY))
    values = 50 + 5 * np.sin(2 * np.pi * np.arange(rows) / _DAY) + noise / np.std(noise)
    values[first:] += size
    return _START + np.arange(rows) * round(STEP * 1e6), values, first


def found(detect: Detect, size: float, runs: int, threshold: float) -> dict[str, Any]:
    """Share found within a day, median delay in minutes, false alarms per week before: of all kinds, and of shifts."""
    delays, hits, false, false_shifts, weeks = [], 0, 0, 0, 0.0
    for seed in range(runs):
        at, values, first = simulated(size, seed)
        told = detect(at, values)
        alarms = np.flatnonzero(told.score >= threshold)
        early = alarms[alarms < first]
        false += int(early.size > 0) + int((np.diff(early) > _EPISODE).sum())
        false_shifts += int((told.kind[early] == "shift").sum())
        weeks += (first - WARMUP) / (7 * _DAY)
        inside = alarms[(alarms >= first) & (alarms < first + _DAY)]
        if inside.size:
            hits += 1
            delays.append(float(inside[0] - first) * STEP / 60)
    return {
        "found": hits / runs,
        "minutes": float(np.median(delays)) if delays else None,
        "false a week": false / weeks,
        "of them shifts": false_shifts / weeks,
    }
