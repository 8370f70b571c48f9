"""Standing a watch: one holder's time on one shift, from taking it to being relieved.

The holder beats once a second. It leaves when a successor asks for the watch, when Forewatch stands down, or when it
finds that a later term has begun. It does not leave because Prefect, or even its own store, is away.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from forewatch.errors import Fenced, StoreUnavailable
from forewatch.runtime import Runtime
from forewatch.store import ballast, shifts, switches
from forewatch.store.shifts import Fence, ShiftRow

log = logging.getLogger("forewatch.watch")

BEAT_EVERY = 1.0
"""Seconds between two beats."""
DEAD_AFTER = 3.0
"""Seconds without a change of the beat counter, on the onlooker's own monotonic clock, after which a holder is dead."""
HANDOVER_POLL = 0.1
STORE_TIMEOUT = 10.0

Ending = Literal["relieved", "stood down", "fenced", "asked to stop", "cancelled"]


class Duty(Protocol):
    """What a shift does while it stands watch."""

    async def start(self) -> None: ...

    async def stop(self) -> None:
        """End the current tick and leave everything stored; nothing is written after this returns."""


def holder_name(pid: int | None = None) -> str:
    """Who a process of this host, by default this one, is in a shift's row."""
    return f"{socket.gethostname()}:{os.getpid() if pid is None else pid}"


def ended_here(holder: str) -> bool:
    """Whether a holder was a process of this host that is gone. False says nothing: its pid may be another's by now."""
    host, _, pid = holder.rpartition(":")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


@dataclass
class Watch:
    """A fenced watch that has been won. `on_beat` tells the worker over the pipe, which works without a store."""

    runtime: Runtime
    fence: Fence
    on_beat: Callable[[], None] = lambda: None
    flow_run_id: str | None = None
    stopping: Callable[[], str | None] = lambda: None
    unstored_beats: int = field(default=0, init=False)

    async def stand(self, duty: Duty) -> Ending:
        """Do the duty until the watch ends; returns why it ended. Raises what the duty's start raises."""
        await duty.start()
        log.info("%s: standing watch, term %d", self.fence.shift, self.fence.term)
        ending: Ending = "fenced"
        successor: str | None = None
        try:
            while True:
                row = await self._beat()
                if row is not None and row.successor is not None:
                    ending, successor = "relieved", row.successor
                    return ending
                if self.stopping() is not None:
                    ending = "asked to stop"
                    return ending
                if row is not None and not await self._wanted():
                    ending = "stood down"
                    return ending
                await asyncio.sleep(BEAT_EVERY)
        except Fenced as error:
            log.warning("%s", error)
            return ending
        except asyncio.CancelledError:
            ending = "cancelled"
            raise
        finally:
            await duty.stop()
            if successor is not None:
                await self._hand_over(successor)
            log.info("%s: watch ended, %s", self.fence.shift, ending)

    async def _beat(self) -> ShiftRow | None:
        self.on_beat()
        store, clock = self.runtime.store, self.runtime.clock

        def write() -> ShiftRow:
            with store.decide() as conn:
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
        return row

    async def _wanted(self) -> bool:
        try:
            return await self.runtime.store.run(watch_wanted, self.runtime)
        except StoreUnavailable as error:
            log.error("%s: whether to watch on cannot be read, so the watch goes on: %s", self.fence.shift, error)
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


async def stand_in(runtime: Runtime, shift: str) -> Fence | None:
    """Take a watch nobody holds, or whose holder is dead, as seen by the caller. None if another was faster.

    On a full disk the ballast makes room for it: nobody would watch otherwise.
    """

    def write() -> Fence | None:
        with runtime.store.decide() as conn:
            row = shifts.get(conn, shift)
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
        if not await runtime.store.run(ballast.make_room, runtime.home, error):
            raise
        log.error("%s: %s; the ballast file was freed to make room", shift, error)
        return await runtime.store.run(write)


async def relieve(runtime: Runtime, shift: str, scheduled_for: int) -> Fence | None:
    """Take a watch over from its holder, who hands it over at the end of its tick.

    None where a run scheduled no earlier holds the watch or will have it: then there is nothing to do. A holder that
    stops beating meanwhile is replaced without its consent. Bounded: at most DEAD_AFTER after the last beat seen.
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
    seen, since = (-1, -1), clock.monotonic()
    while True:
        row = await store.run(look)
        if row is None:
            return None
        if row.holder == me and row.scheduled_for == scheduled_for:
            return Fence(shift, row.term)
        if row.successor != me:
            return None
        if (row.term, row.beat) != seen:
            seen, since = (row.term, row.beat), clock.monotonic()
        elif clock.monotonic() - since > DEAD_AFTER:
            return await _replace(runtime, row, scheduled_for)
        await asyncio.sleep(HANDOVER_POLL)


async def _replace(runtime: Runtime, row: ShiftRow, scheduled_for: int) -> Fence | None:
    log.warning("%s: %s has not beaten for %.0f s, taking over", row.shift, row.holder, DEAD_AFTER)

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
