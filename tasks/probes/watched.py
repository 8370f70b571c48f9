"""One check on the engine's list: where it stands, when it is due, and who waits for its next result."""

from __future__ import annotations

import asyncio
import math

from forewatch.checking.overload import late_after
from forewatch.checking.results import CheckResult, CheckState, Monitor


class Watched:
    """A monitor on the engine's list. Replaced, not changed, when its configuration changes."""

    __slots__ = (
        "anchor",
        "awaited",
        "due",
        "late_after",
        "latest",
        "monitor",
        "place",
        "probing",
        "seen_at",
        "state",
        "task",
        "verdict_at",
    )

    def __init__(self, monitor: Monitor, state: CheckState, anchor: float, due: float, verdict_at: float) -> None:
        self.monitor = monitor
        self.state = state
        self.anchor = anchor
        self.due = due
        self.verdict_at = verdict_at
        """Of the last result that was one, by `OwnLateness.now`; before the first, when it came on the list."""
        self.late_after = late_after(monitor.check)
        self.task: asyncio.Task[None] | None = None
        self.probing = False
        self.place = -1
        """Its entry in the heap; an older one is of no meaning any more."""
        self.latest: CheckResult | None = None
        self.seen_at = float("-inf")
        """When its latest result was seen, on the loop's clock."""
        self.awaited: asyncio.Future[CheckResult] | None = None
        """What those wait for who have asked for its next result."""

    @property
    def under_way(self) -> bool:
        return self.task is not None and not self.task.done()

    def settle(self, result: CheckResult, seen_at: float) -> None:
        self.latest, self.seen_at = result, seen_at
        if self.awaited is not None and not self.awaited.done():
            self.awaited.set_result(result)
        self.awaited = None

    def next_due(self, now: float) -> float:
        """The first moment of the grid after `now` and after the round just held."""
        every = self.monitor.check.every
        # A millionth of a period of slack: rounding must not yield the same moment twice.
        held = math.floor((max(now, self.due) - self.anchor) / every + 1e-6)
        return self.anchor + (held + 1) * every
