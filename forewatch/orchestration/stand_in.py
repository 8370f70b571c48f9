"""Watching the watchers: a shift whose beat stands still gets a spare at once, flow run or not, server or not.

Only the beat counter and this process's monotonic clock count, so no clock jump can fool it. A beat is seen in the
store or, from our own children, over the pipe: with a full disk the store stands still while the watch does not.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from forewatch.orchestration.shift_names import SHIFTS
from forewatch.orchestration.watch import DEAD_AFTER
from forewatch.store.shifts import ShiftRow

log = logging.getLogger("forewatch.stand_in")


@dataclass
class _Seen:
    sign: tuple[int, int]
    """Term and beat as last read."""
    at: float
    """When a sign of life was last seen, on the monotonic clock."""
    dead: str | None = None
    """A holder that is known to have died."""


class ShiftGuard:
    """Decides which shifts need a stand-in now. Pure but for its memory: rows and time come in."""

    def __init__(self, dead_after: float = DEAD_AFTER) -> None:
        self._dead_after = dead_after
        self._seen: dict[str, _Seen] = {}

    def pipe_beat(self, shift: str, now: float) -> None:
        """One of our own children has shown life for its shift."""
        if shift in self._seen:
            self._seen[shift].at = now

    def lost(self, shift: str, holder: str) -> None:
        """A child that stood this watch has died: no need to wait, if it still is the holder."""
        if shift in self._seen:
            self._seen[shift].dead = holder

    def missing(self, rows: Iterable[ShiftRow], now: float) -> list[str]:
        """Shifts that nobody stands. A shift just reported is given time to show life before it is reported again."""
        by_name = {row.shift: row for row in rows}
        needed = []
        for shift in SHIFTS:
            row = by_name.get(shift)
            seen = self._seen.get(shift)
            if row is None:
                if seen is None or now - seen.at > self._dead_after:
                    self._seen[shift] = _Seen((0, 0), now)
                    needed.append(shift)
                continue
            sign = (row.term, row.beat)
            if seen is None:
                # Not seen before: a holder of an earlier worker may be alive and well.
                self._seen[shift] = _Seen(sign, now)
            elif seen.dead == row.holder:
                # Its last beat may not have been seen yet; it is no sign of life.
                self._seen[shift] = _Seen(sign, now)
                needed.append(shift)
            elif seen.sign != sign:
                self._seen[shift] = _Seen(sign, now)
            elif now - seen.at > self._dead_after:
                seen.at = now
                needed.append(shift)
        return needed
