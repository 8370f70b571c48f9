"""Standing a watch: one holder's time on one shift, from taking it to being relieved.

The holder beats once a second, from before its duty begins. It leaves when a successor asks for the watch, when
Forewatch stands down, or when it finds that a later term has begun. It does not leave because Prefect, or even its own
store, is away.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from forewatch.errors import Fenced, StoreUnavailable
from forewatch.orchestration import shift_lock
from forewatch.orchestration.holder import ended_here, holder_name
from forewatch.orchestration.patience import LONGEST, Silence
from forewatch.runtime import Runtime
from forewatch.store import ballast, shifts, switches
from forewatch.store.shifts import Fence, Inherited, ShiftRow

log = logging.getLogger("forewatch.watch")

BEAT_EVERY = 1.0
"""Seconds between two beats."""
HANDOVER_POLL = 0.1
STORE_TIMEOUT = 10.0

Ending = Literal["relieved", "stood down", "fenced", "asked to stop", "cancelled"]


class Duty(Protocol):
    """What a shift does while it stands watch."""

    async def start(self) -> None: ...

    async def stop(self) -> None:
        """End the current tick and leave everything stored; nothing is written after this returns.

        Called also where `start` was cut short.
        """


@dataclass
class Watch:
    """A fenced watch that has been won. `on_beat` tells the worker over the pipe, which works without a store."""

    runtime: Runtime
    fence: Fence
    on_beat: Callable[[], None] = lambda: None
    flow_run_id: str | None = None
    stopping: Callable[[], str | None] = lambda: None
    unstored_beats: int = field(default=0, init=False)
    entered: bool = field(default=False, init=False)
    """The store has taken a beat of ours."""

    async def stand(self, duty: Duty) -> Ending:
        """Do the duty until the watch ends; returns why it ended. Raises what the duty's start raises."""
        life = asyncio.create_task(self._show_life())
        starting = asyncio.create_task(duty.start())
        ending: Ending = "fenced"
        successor: str | None = None
        stood = False
        try:
            while True:
                row = await self._beat()
                if starting.done() and not stood:
                    starting.result()
                    stood = True
                    log.info("%s: standing watch, term %d", self.fence.shift, self.fence.term)
                if stood and row is not None and row.successor is not None:
                    ending, successor = "relieved", row.successor
                    return ending
                if self.stopping() is not None:
                    ending = "asked to stop"
                    return ending
                if row is not None and not await self._wanted():
                    ending = "stood down"
                    return ending
                # The beat goes on while the duty begins: what takes long is not what hangs.
                await (asyncio.sleep(BEAT_EVERY) if stood else asyncio.wait([starting], timeout=BEAT_EVERY))
        except Fenced as error:
            log.warning("%s", error)
            return ending
        except asyncio.CancelledError:
            ending = "cancelled"
            raise
        finally:
            life.cancel()
            await _cut_short(starting)
            if starting.cancelled() or starting.exception() is None:
                await duty.stop()
            await self.runtime.store.run(shift_lock.leave, self.runtime.home, self.fence.shift)
            if successor is not None:
                await self._hand_over(successor)
            log.info("%s: watch ended, %s", self.fence.shift, ending)

    async def _show_life(self) -> None:
        """To whoever listens on this host, however long the store takes over a beat."""
        while True:
            self.on_beat()
            await asyncio.sleep(BEAT_EVERY)

    async def _beat(self) -> ShiftRow | None:
        store, clock = self.runtime.store, self.runtime.clock

        def write() -> ShiftRow:
            shift_lock.take(self.runtime.home, self.fence.shift)
            with store.decide() as conn:
                if isinstance(self.fence, Inherited) and not self.entered:
                    shifts.enter(conn, self.fence, holder_name())
                row = shifts.beat(conn, self.fence, clock.now())
                if self.flow_run_id is not None and row.flow_run_id is None:
                    shifts.set_flow_run(conn, self.fence, self.flow_run_id)
                return row

        try:
            async with asyncio.timeout(STORE_TIMEOUT):
                row = await store.run(write)
        except (StoreUnavailable, TimeoutError) as error:
            # The watch goes on: what it sees is paged directly while the store refuses. Said at doubling distances.
            self.unstored_beats += 1
            if self.unstored_beats & (self.unstored_beats - 1) == 0:
                log.error("%s: the beat cannot be stored, watching on without: %s", self.fence.shift, error)
            return None
        self.unstored_beats = 0
        self.entered = True
        return row

    async def _wanted(self) -> bool:
        try:
            return await self.runtime.store.run(watch_wanted, self.runtime)
        except StoreUnavailable as error:
            log.error("%s: cannot read whether to keep watching, so the watch goes on: %s", self.fence.shift, error)
            return True

    async def _hand_over(self, successor: str) -> None:
        store, clock = self.runtime.store, self.runtime.clock

        def write() -> bool:
            with store.decide() as conn:
                return shifts.hand_over(conn, self.fence, successor=successor, now=clock.now())

        try:
            if not await store.run(write):
                log.warning("%s: the successor changed while handing over", self.fence.shift)
        except StoreUnavailable as error:
            # The successor takes the watch by itself once our beat stands still.
            log.error("%s: handing over could not be stored: %s", self.fence.shift, error)


def watch_wanted(runtime: Runtime) -> bool:
    """Whether Forewatch is to stand watch at all: False from Ctrl-C until the next start."""
    with runtime.store.read() as conn:
        switch = switches.get(conn, "watch")
        return switch is None or switch.state == "on"


async def _cut_short(starting: asyncio.Task[None]) -> None:
    """Nothing where it is through; what it raised is for the caller to look at."""
    if not starting.done():
        starting.cancel()
        await asyncio.wait([starting])


async def stand_in(runtime: Runtime, shift: str, instead_of: str | None = None) -> Fence | None:
    """Take a watch nobody holds, or whose holder is dead or hung, as seen by the caller. None if another was faster.

    `instead_of` is the holder the caller has judged, "" for nobody: the watch of any other is left alone. None: whoever
    it is.

    On a full disk the ballast makes room for it: nobody would watch otherwise. Where the store takes no writes all the
    same, a holder of this host that has died leaves its term to whoever holds the post, until the store answers.
    Raises StoreUnavailable where it refuses and the holder may live.
    """

    def write() -> Fence | None:
        with runtime.store.decide() as conn:
            row = shifts.get(conn, shift)
            if instead_of is not None and instead_of != (row.holder if row else ""):
                return None
            return shifts.take(
                conn,
                shift,
                holder_name(),
                expected_term=row.term if row else None,
                # The predecessor's, so that the next scheduled run relieves the stand-in.
                scheduled_for=row.scheduled_for if row else 0,
                now=runtime.clock.now(),
            )

    try:
        return await runtime.store.run(write)
    except StoreUnavailable as error:
        refused = error
    if await runtime.store.run(ballast.make_room, runtime.home, refused):
        log.error("%s: %s; the ballast file was freed to make room", shift, refused)
        try:
            return await runtime.store.run(write)
        except StoreUnavailable as error:
            refused = error
    fence = await runtime.store.run(_inherit, runtime, shift)
    if fence is None:
        raise refused
    log.error("%s: standing in though the store takes no writes: %s", shift, refused)
    return fence


def _inherit(runtime: Runtime, shift: str) -> Inherited | None:
    """The term of a dead holder of this host. None where it may live, or where another process has the post."""
    with runtime.store.read() as conn:
        row = shifts.get(conn, shift)
    if row is None or not ended_here(row.holder) or not shift_lock.take(runtime.home, shift):
        return None
    return Inherited(shift, row.term, row.holder)


async def relieve(runtime: Runtime, shift: str, scheduled_for: int) -> Fence | None:
    """Take a watch over from its holder, who hands it over at the end of its tick.

    None where a run scheduled no earlier holds the watch or will have it: then there is nothing to do. A holder that
    dies meanwhile is replaced without its consent. So is one whose beat stands still, but only after the longest
    patience there is: only the store's beats are seen from here. The worker hears the others, and is faster.
    """
    me = holder_name()
    store, clock = runtime.store, runtime.clock

    def ask() -> tuple[Fence | None, bool]:
        with store.decide() as conn:
            if shifts.get(conn, shift) is None:
                fence = shifts.take(conn, shift, me, expected_term=None, scheduled_for=scheduled_for, now=clock.now())
                return fence, False
            return None, shifts.apply_as_successor(conn, shift, me, scheduled_for)

    def look() -> ShiftRow | None:
        with store.read() as conn:
            return shifts.get(conn, shift)

    fence, waiting = await store.run(ask)
    if not waiting:
        return fence
    silence = Silence(None, clock.monotonic())
    while True:
        row = await store.run(look)
        if row is None:
            return None
        if row.holder == me and row.scheduled_for == scheduled_for:
            return Fence(shift, row.term)
        if row.successor != me:
            return None
        silent = silence.look((row.term, row.holder, row.beat), clock.monotonic(), LONGEST)
        why = None
        if ended_here(row.holder):
            why = "has died"
        elif silent > LONGEST:
            why = f"has sent no heartbeat for {silent:.0f} s"
        # It may have handed over to us and ended since we looked: then we look again.
        if why is not None and (fence := await _replace(runtime, row, scheduled_for, why)) is not None:
            return fence
        await asyncio.sleep(HANDOVER_POLL)


async def _replace(runtime: Runtime, row: ShiftRow, scheduled_for: int, why: str) -> Fence | None:
    log.warning("%s: %s %s, taking over", row.shift, row.holder, why)

    def write() -> Fence | None:
        with runtime.store.decide() as conn:
            return shifts.take(
                conn,
                row.shift,
                holder_name(),
                expected_term=row.term,
                scheduled_for=scheduled_for,
                now=runtime.clock.now(),
            )

    return await runtime.store.run(write)
