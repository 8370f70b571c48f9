"""How wide a band must be by the errors of the trial (split conformal), kept as a few numbers."""

from __future__ import annotations

import numpy as np

from forewatch.detection.grid import Vector

_KNOTS = 48


def halves(errors: Vector) -> tuple[Vector, Vector]:
    """Steps ahead and the half width that held 95 % of the errors there; `errors` has shape (origins, steps)."""
    origins, steps = errors.shape
    # The 95 % rank of n + 1: an error as large as the next one has one chance in twenty.
    rank = min(1.0, 0.95 * (1 + 1 / origins))
    half = np.maximum.accumulate(np.quantile(errors, rank, axis=0))
    knots = np.unique(np.round(np.geomspace(1, steps, min(steps, _KNOTS)))).astype(np.int64)
    return knots.astype(np.float64), half[knots - 1].astype(np.float32).astype(np.float64)
