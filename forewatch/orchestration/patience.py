"""How long a living process may be silent before it counts as hung: one rule for stand-ins and silent runs, whose
longest a relief waits.

A machine under load is slow, and so is everything on it, the onlooker included: the patience grows with the onlooker's
own lag. Pure; time is a parameter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

LEAST = 10.0
"""Seconds."""
LONGEST = 60.0
"""Seconds: a stopped process is replaced by then, whatever the load."""
LAGS = 5
LOOKS = 3
"""A silence is made of at least so many looks: an onlooker that was itself away has seen nothing of it."""


def patience(lag: float) -> float:
    """Seconds a living process may show no life, `lag` being how late the onlooker itself was lately, in seconds."""
    return min(LONGEST, max(LEAST, LAGS * lag))


@dataclass
class Silence:
    """How long somebody has shown no life, as seen by one onlooker on its own monotonic clock."""

    sign: Any
    """What was last seen of it; anything else is life."""
    looked_at: float
    lasts: float = 0.0
    """Seconds of silence that the onlooker was there for."""

    def look(self, sign: Any, now: float, allowed: float) -> float:
        """Look once more; returns the seconds the silence lasts. `allowed` is the patience at this moment."""
        gap, self.looked_at = now - self.looked_at, now
        if sign != self.sign:
            self.sign, self.lasts = sign, 0.0
        else:
            self.lasts += min(gap, allowed / LOOKS)
        return self.lasts

    def broken(self) -> None:
        """Life was seen in another way."""
        self.lasts = 0.0
