"""Well-behaved series, and faults put into them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from forewatch.detection.grid import Vector

START = 1_700_000_000_000_000
DAY = 288
STEP = 300.0


def instants(rows: int, step: float = STEP) -> NDArray[np.int64]:
    return START + np.arange(rows) * round(step * 1e6)


def load(rows: int, seed: int = 0, rows_a_day: int = DAY) -> Vector:
    """A daily wave of 50 +- 5 with autocorrelated noise of standard deviation 1."""
    random = np.random.default_rng(seed)
    noise = np.zeros(rows)
    for row in range(rows):
        noise[row] = 0.6 * noise[row - 1] + 0.8 * random.normal()
    return 50 + 5 * np.sin(2 * np.pi * np.arange(rows) / rows_a_day) + noise
