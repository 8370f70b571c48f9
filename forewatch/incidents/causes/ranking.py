"""What the ranking of causes is asked, and its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["latency", "availability"]
"""What an alarm is about: seconds a request takes, or the share of requests that succeed."""

KINDS: tuple[Kind, ...] = ("latency", "availability")

CONFIDENT = 0.3
"""With no score from this one on there is no confident cause."""


@dataclass(frozen=True)
class Alarm:
    """A service that broke its objective: of which kind, and since when (microseconds)."""

    service: str
    kind: Kind
    at: int


@dataclass(frozen=True)
class Cause:
    """A service with its blame, 0 to 1, and the sentence that says why."""

    service: str
    score: float
    evidence: str
    evident: bool = True
    """Whether something was seen of it at all: it fires, or it was measured to be worse than usual."""


@dataclass(frozen=True)
class Ranking:
    """Best first. `note` says in a sentence what to think of it as a whole; empty where there is nothing to add."""

    causes: tuple[Cause, ...]
    note: str

    @property
    def confident(self) -> bool:
        return bool(self.causes) and self.causes[0].score >= CONFIDENT
