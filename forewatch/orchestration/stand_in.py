"""Watching the watchers: a shift whose holder died or hangs gets a spare, flow run or not, server or not.

A death is known by the process. A hang is known by a silence that outlasts our patience, which grows with our own lag,
so that a loaded machine gets slower and nobody who lives is replaced for it. A beat is seen in the store or, on this
host, without it: with a full disk the store stands still while the watch does not. No wall clock counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from forewatch.orchestration.patience import Silence, patience
from forewatch.orchestration.shift_names import SHIFTS
from forewatch.store.shifts import ShiftRow

STEADY = 60.0
"""Seconds after the last stand-in was sent from which on the next one is the first again."""
LONGEST_PAUSE = 60.0

_UNNAMED = ""


@dataclass
class _Post:
    """What is known of one shift."""

    silence: Silence
    stood: tuple[int, str] | None
    """Term and holder as last read."""
    stand_in: str | None = None
    """The process sent to take it and not heard of in the row yet; unnamed until there is one."""
    sent_at: float = float("-inf")
    sent: int = 0
    """Stand-ins since the watch was last steady."""

    def pause(self) -> float:
        """Seconds between the last stand-in and the next: none, 1, 2, 4, ..."""
        return min(LONGEST_PAUSE, 2.0 ** (self.sent - 1)) if self.sent else 0.0


class ShiftGuard:
    """Decides which shifts need a stand-in now, one at a time each. Pure but for its memory: rows and time come in."""

    def __init__(self) -> None:
        self._posts: dict[str, _Post] = {}
        self._dead: dict[str, str] = {}

    def alive(self, shift: str) -> None:
        """A process of this host has shown life for its shift without the store."""
        if shift in self._posts:
            self._posts[shift].silence.broken()

    def sent(self, shift: str, process: str) -> None:
        """The stand-in that was asked for is this process. Until this or `unsent` is said, no other is asked for."""
        if (post := self._posts.get(shift)) is not None and post.stand_in == _UNNAMED:
            post.stand_in = process

    def unsent(self, shift: str) -> None:
        """No stand-in could be sent; nothing where one was."""
        self.sent(shift, "nobody")
        self.ended(shift, "nobody", clean=True)

    def ended(self, shift: str, process: str, *, clean: bool = False) -> None:
        """A process that stood this watch, or was to, has ended. `clean`: it handed the watch over, or never had it."""
        if (post := self._posts.get(shift)) is not None and post.stand_in == process:
            post.stand_in = None
        if not clean:
            self._dead[shift] = process

    def missing(self, rows: Iterable[ShiftRow], now: float, lag: float) -> list[str]:
        """Shifts that need a stand-in sent now. `lag`: seconds by which the caller was late in the last minute."""
        by_name = {row.shift: row for row in rows}
        allowed = patience(lag)
        return [shift for shift in SHIFTS if self._needs_one(shift, by_name.get(shift), now, allowed)]

    def _needs_one(self, shift: str, row: ShiftRow | None, now: float, allowed: float) -> bool:
        stood = None if row is None else (row.term, row.holder)
        sign = None if row is None else (*(stood or ()), row.beat)
        post = self._posts.get(shift)
        if post is None:
            # Not seen before: a holder of an earlier worker may be alive and well.
            post = self._posts[shift] = _Post(Silence(sign, now), stood)
        nobody = row is None or self._dead.get(shift) == row.holder
        if nobody:
            # The last beat of the dead may not have been seen yet; it is no sign of life.
            post.silence.sign = sign
        silent = post.silence.look(sign, now, allowed)
        if post.stood != stood:
            post.stood, post.stand_in = stood, None
        if post.stand_in == _UNNAMED:
            return False
        if silent <= allowed and (post.stand_in is not None or not nobody):
            if now - post.sent_at > STEADY:
                post.sent = 0
            return False
        if now - post.sent_at < post.pause():
            return False
        post.stand_in, post.sent_at, post.sent = _UNNAMED, now, post.sent + 1
        post.silence.broken()
        return True
