"""How much a trend of minutes needs to be told from. Apart from `exhaustion`, which loads numpy."""

from __future__ import annotations

import math

SAMPLES = 20
FEWEST, SPAN = 5, 120.0
"""So few will do where they were taken over so many seconds."""


def enough(samples: int, span: float) -> bool:
    """Whether so many samples over so many seconds, from the first to the last, are enough."""
    return samples >= (FEWEST if span >= SPAN else SAMPLES)


def shortest_window(every: float) -> float:
    """Seconds of the shortest window that holds enough, of samples taken so often (seconds)."""
    steps = min(SAMPLES - 1, max(FEWEST - 1, math.ceil(SPAN / every)))
    # Rounds are never quite even: with a sample to spare the window holds what it must at any moment.
    return (steps + 1) * every
