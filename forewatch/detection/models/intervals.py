"""How wide a band must be by the errors of the trial (split conformal), kept as a few numbers."""

from __future__ import annotations

import numpy as np

from forewatch.detection.grid import Vector

_KNOTS = 32
_RANK = 0.95
"""Of the errors that the band holds in the trial."""


def halves(errors: Vector, span: int) -> tuple[Vector, Vector]:
    """Steps ahead and the half width that held 95 % of the errors there.

    Args:
        errors: of shape (origins, steps); NaN where nothing was measured.
        span: over how many steps the trial stretched. Origins overlap: in truth there are `span / steps` of them, and
            the fewer these are, the wider the band.
    """
    steps = errors.shape[1]
    width = max(1, steps // 24)
    knots = np.unique(np.round(np.geomspace(1, steps, min(steps, _KNOTS)))).astype(np.int64)
    half = np.zeros(len(knots))
    for place, knot in enumerate(knots):
        near = errors[:, max(0, knot - 1 - width) : knot + width].ravel()
        near = near[~np.isnan(near)]
        if len(near):
            # The rank of n + 1: the next error counts as one of them.
            rank = min(len(near), int(np.ceil(_RANK * (1 + 1 / len(errors)) * len(near)))) - 1
            half[place] = np.partition(near, rank)[rank]
    return knots.astype(np.float64), np.maximum.accumulate(half) * np.sqrt(1 + steps / span)
