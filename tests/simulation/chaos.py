"""What the scheduler does to a process at a yield point: a pure function of the seed and the place.

So a history can be run again with some of the mischief left out, and the rest stays as it was: that is how a failing
one is made small.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

Mischief = Literal["kill", "kill after", "delay", "stall", "lost", "no answer", "refused", "twice", "take over"]


@dataclass(frozen=True)
class Rates:
    """How likely each mischief is where it is possible; 0 to 1."""

    kill: float = 0.0
    delay: float = 0.0
    stall: float = 0.0
    lost: float = 0.0
    """A message never arrives."""
    no_answer: float = 0.0
    """A message arrives, its answer does not."""
    refused: float = 0.0
    """A receiver says that it will never take this."""
    twice: float = 0.0
    """A message arrives twice."""
    take_over: float = 0.0
    """A watch is taken from a holder that is well."""


class Chaos:
    """Decides on mischief. `allowed` are the places where there may be some; None: all."""

    def __init__(self, seed: int, rates: Rates, allowed: frozenset[str] | None = None) -> None:
        self._seed = seed
        self._rates = rates
        self._allowed = allowed
        self.done: list[str] = []
        """The places where there was some, in order."""
        self.enabled = True

    def number(self, place: str) -> float:
        """Between 0 and 1, always the same for one place of one seed."""
        digest = blake2b(f"{self._seed}/{place}".encode(), digest_size=7).digest()
        return int.from_bytes(digest, "big") / 2**56

    def at_yield(self, place: str) -> Mischief | None:
        """Before something is done: is the process killed, does it come to it late?"""
        rates = self._rates
        return self._choose(place, ("kill", rates.kill), ("delay", rates.delay), ("stall", rates.stall))

    def in_transaction(self, place: str) -> Mischief | None:
        """Before a statement or a commit, or just after a commit: is the process killed?"""
        return self._choose(place, ("kill", self._rates.kill / 3))

    def on_the_wire(self, place: str) -> Mischief | None:
        """What becomes of a message to a receiver."""
        rates = self._rates
        return self._choose(
            place, ("lost", rates.lost), ("no answer", rates.no_answer), ("refused", rates.refused),
            ("twice", rates.twice),
        )  # fmt: skip

    def at_watch(self, place: str) -> Mischief | None:
        """Whether somebody takes a watch over whose holder is well."""
        return self._choose(place, ("take over", self._rates.take_over))

    def _choose(self, place: str, *choices: tuple[Mischief, float]) -> Mischief | None:
        if not self.enabled or (self._allowed is not None and place not in self._allowed):
            return None
        number = self.number(place)
        for mischief, rate in choices:
            if number < rate:
                self.done.append(place)
                return mischief
            number -= rate
        return None
