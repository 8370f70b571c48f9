"""How far forecasts reach, and what each reach asks of history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Reach = Literal["hour", "day", "week", "month"]

_MINUTE = 60.0
_HOUR = 3600.0
_DAY = 86400.0


@dataclass(frozen=True)
class Horizon:
    """All in seconds."""

    name: Reach
    span: float
    """From now to its end."""
    every: float
    """How often it is forecast anew. A little under what the flow's clock ticks, so that no tick is left out."""
    step: float | None
    """Of a forecast; None: a minute for a young series, five minutes after a day, its own where that is wider."""
    at_least: float
    """History without which it would be a guess."""
    looked_at: float
    """History it learns from at most."""
    refit: float
    """How long a model's parameters stay; between, it goes on from new values."""
    gap: float
    """Without data for longer than this, only what came after counts."""


FEWEST_VALUES = 20
"""At its own spacing; fewer tell nothing."""

HORIZONS = (
    Horizon("hour", _HOUR, 4 * _MINUTE, None, 20 * _MINUTE, 14 * _DAY, _DAY, _DAY),
    Horizon("day", _DAY, 29 * _MINUTE, None, _DAY, 28 * _DAY, _DAY, _DAY),
    Horizon("week", 7 * _DAY, 6 * _HOUR - _MINUTE, _HOUR, 7 * _DAY, 60 * _DAY, 2 * _DAY, _DAY),
    Horizon("month", 30 * _DAY, _DAY - _MINUTE, _HOUR, 21 * _DAY, 90 * _DAY, 7 * _DAY, _DAY),
)
"""From near to far."""

BY_NAME = {horizon.name: horizon for horizon in HORIZONS}
