"""When requests are to be sent, fixed before the first one is: what the service answers moves none of them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Literal

Arrivals = Literal["constant", "poisson"]
"""Evenly spaced, or as independent people come: at random with the same mean rate (exponential gaps)."""


def arrivals(kind: Arrivals, rate: float, duration: float, seed: int | None = None) -> Iterator[float]:
    """Seconds from the start at which requests are due, each within `duration`; `rate` is their mean number a second.

    `seed` makes Poisson arrivals repeat; None takes new ones each time.
    """
    return _constant(rate, duration) if kind == "constant" else _poisson(rate, duration, random.Random(seed))


def _constant(rate: float, duration: float) -> Iterator[float]:
    # By multiplication: a sum of gaps would drift with its rounding.
    for number in range(max(1, round(rate * duration))):
        yield number / rate


def _poisson(rate: float, duration: float, dice: random.Random) -> Iterator[float]:
    at = dice.expovariate(rate)
    while at < duration:
        yield at
        at += dice.expovariate(rate)
