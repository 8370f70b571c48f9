"""The engine's eye on itself: how late its own loop runs, which checks had no verdict, and the alert about them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from forewatch.alerting.alert import Labels
from forewatch.checking.overload import NAME, Overload
from forewatch.checking.results import CheckKey
from forewatch.clock import Clock
from forewatch.incidents.events import AlertCleared, AlertRaised
from forewatch.orchestration.lateness import Lateness

RAN_LATE = 1.0
"""Seconds by which our own loop was late in the last minute, from which on no machine is to act on a time-out."""
LOOK_EVERY = 1.0
"""Seconds between two looks for checks that could not be held in time."""


class OwnLateness:
    """Made, started and stopped on the engine's loop. `firing`: labels of the alerts that the watch before left."""

    def __init__(self, lateness: Lateness, clock: Clock, firing: Iterable[Labels]) -> None:
        self._lateness = lateness
        self._clock = clock
        self._firing = any(labels.get("alertname") == NAME for labels in firing)
        self._overload: Overload | None = None
        self._measuring: asyncio.Task[None] | None = None
        self._look_at = 0.0

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._overload = Overload(loop.time(), firing=self._firing)
        self._measuring = loop.create_task(self._lateness.keep(), name="measure the loop's lateness")

    def stop(self) -> None:
        if self._measuring is not None:
            self._measuring.cancel()

    def now(self) -> float:
        """By what the verdicts of checks are dated: the loop's time without that in which nothing of ours ran."""
        now = asyncio.get_running_loop().time()
        return now if self._overload is None else self._overload.clock(now)

    @property
    def ran_late(self) -> bool:
        """Whether a time-out seen now is none to act on."""
        return self._lateness.worst(asyncio.get_running_loop().time()) >= RAN_LATE

    async def look(
        self,
        verdicts: Iterable[tuple[CheckKey, float, float]],
        hand_over: Callable[[AlertRaised | AlertCleared], Awaitable[bool]],
    ) -> None:
        """Look for late checks (see `Overload.look`), and hand over the alert that is due; at most once a second."""
        now = asyncio.get_running_loop().time()
        if self._overload is None or now < self._look_at:
            return
        self._look_at = now + LOOK_EVERY
        event = self._overload.look(verdicts, now, self._clock.now())
        if event is not None and await hand_over(event):
            self._overload.taken(event)
