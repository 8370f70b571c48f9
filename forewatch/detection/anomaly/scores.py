"""What a detector says of a point: how unusual it is, and where it was expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from forewatch.detection.grid import Vector

__all__ = ["Kind", "Score", "Scores"]

Kind = Literal["unusual", "shift", "flat"]


@dataclass(frozen=True)
class Score:
    """One point's. `expected`, `lower` and `upper` are None where nothing could be expected yet."""

    score: float
    """0-1, the same meaning on every series; 0 while warming up."""
    expected: float | None
    lower: float | None
    upper: float | None
    kind: Kind = "unusual"
    """What it is an anomaly of, if it is one: a value, a level that stays, a standstill."""


@dataclass(frozen=True)
class Scores:
    """Those of many points, in their order; NaN stands for None."""

    score: Vector
    expected: Vector
    lower: Vector
    upper: Vector
    kind: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.score)

    def __getitem__(self, index: int) -> Score:
        def known(value: float) -> float | None:
            return None if np.isnan(value) else float(value)

        return Score(
            float(self.score[index]),
            known(self.expected[index]),
            known(self.lower[index]),
            known(self.upper[index]),
            cast(Kind, str(self.kind[index])),
        )
