"""How late an event loop runs: what an onlooker must know of itself before it calls anybody else late, hung or dead."""

from __future__ import annotations

import asyncio
import os
from collections import deque

EVERY = 0.1
"""Seconds between two wake-ups that are measured."""
WINDOW = 60.0
"""Seconds back to which the worst is known."""
JITTER = 0.01
"""Seconds by which a timer of a healthy loop may be late."""


def crowding() -> float:
    """Seconds by which a second of work is late on this machine for all that wants its cores, in the last minute.

    A loop that mostly waits is served first, and by its own lateness knows little of how those fare that work.
    """
    try:
        waiting = os.getloadavg()[0]
    except OSError:
        return 0.0
    return max(0.0, waiting / (os.cpu_count() or 1) - 1.0)


class Lateness:
    """One loop's lateness. `note` a wake-up, or `keep` noting them. Instants are seconds on the loop's clock."""

    def __init__(self) -> None:
        self._lost = 0.0
        self._due: float | None = None
        self._worst: deque[tuple[float, float]] = deque()
        """(when, how late) of the last minute, each later than all after it."""

    def expect(self, due: float) -> None:
        """The loop is to wake up at `due`; until `note` says when it did, it may be late already."""
        self._due = due

    def note(self, due: float, now: float) -> None:
        """The loop was to wake up at `due` and did at `now`."""
        self._due = None
        late = now - due
        if late <= JITTER:
            return
        self._lost += late
        while self._worst and self._worst[-1][1] <= late:
            self._worst.pop()
        self._worst.append((now, late))

    def worst(self, now: float) -> float:
        """Seconds of the latest wake-up in the last minute."""
        while self._worst and self._worst[0][0] < now - WINDOW:
            self._worst.popleft()
        return max(self._worst[0][1] if self._worst else 0.0, self._overdue(now))

    def lost(self, now: float) -> float:
        """Seconds in which the loop did not run though it should have, since the beginning: differences count."""
        return self._lost + self._overdue(now)

    async def keep(self) -> None:
        """Measure the running loop until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + EVERY
            self.expect(due)
            await asyncio.sleep(EVERY)
            self.note(due, loop.time())

    def _overdue(self, now: float) -> float:
        late = 0.0 if self._due is None else now - self._due
        return late if late > JITTER else 0.0
