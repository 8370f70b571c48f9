"""How often systemd has restarted a unit of late, by the counter it keeps. Pure; time is a parameter.

The counter (`NRestarts`) begins again when somebody starts the unit by hand. That is taken for a mend: what was counted
before is forgotten.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable

SPAN = 3600.0
"""Seconds looked back."""


class Restarts:
    """What was seen of each unit within the last hour. Times in seconds of one clock that is never set."""

    def __init__(self) -> None:
        self._seen: dict[Hashable, deque[tuple[float, int]]] = {}

    def remember(self, unit: Hashable, seen: Iterable[tuple[float, int]]) -> None:
        """What an earlier watch saw, oldest first, where nothing is known yet."""
        if unit not in self._seen:
            for at, count in seen:
                self.seen(unit, count, at)

    def seen(self, unit: Hashable, count: int, now: float) -> tuple[int, float]:
        """Take in what the counter says; how often it was restarted within the hour, and within how many seconds."""
        seen = self._seen.setdefault(unit, deque())
        if seen and count < seen[-1][1]:
            began = seen[-1][0]
            seen.clear()
            seen.append((began, 0))
        seen.append((now, count))
        while len(seen) > 1 and seen[1][0] <= now - SPAN:
            seen.popleft()
        # Where nothing changes only the ends of the row are needed.
        if len(seen) > 2 and seen[-1][1] == seen[-2][1] == seen[-3][1]:
            del seen[-2]
        return count - seen[0][1], min(now - seen[0][0], SPAN)
