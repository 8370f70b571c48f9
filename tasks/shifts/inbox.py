"""The part of `page-people` that decides upon what others sent, and what it does when the store refuses.

Nothing that was taken in is lost then: it stays in the inbox. But a critical alert in it must not wait for somebody to
free the disk, so it is paged directly, once.
"""

from __future__ import annotations

import asyncio
import logging

from forewatch.clock import micros
from forewatch.errors import Fenced, StoreBusy, StoreError, StoreUnavailable
from forewatch.guard.sentry import report
from forewatch.incidents.events import AlertRaised
from forewatch.intake.drain import Drain, SetAside, Slice
from forewatch.runtime import Runtime
from forewatch.store import ballast
from forewatch.store.shifts import Fence
from tasks.shifts.decider import Decider

log = logging.getLogger("forewatch.page_people")

LOOK_EVERY = 0.5
"""Seconds between two looks into the inbox where nobody rings."""
BREATH = 0.002
"""Seconds between two slices, for deliveries that wait for the store."""
PATIENCE = 10.0
"""Seconds a busy store gets before critical alerts are paged without it; one that is full or broken gets none."""
FAULT_LASTS = 3600.0
"""Seconds an alert about an event that was set aside stays."""


class Inbox:
    """Drains the inbox for one watch. `ring` it when something came."""

    def __init__(self, runtime: Runtime, fence: Fence, decider: Decider) -> None:
        self._runtime = runtime
        self._decider = decider
        self._drain = Drain(runtime.store, runtime.clock, runtime.configuration, fence, decider.as_told)
        self._rung = asyncio.Event()
        self._refused_since: float | None = None
        self._paged_directly = False
        self.decided = 0

    def ring(self) -> None:
        self._rung.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`, or until the watch is over; what is left then stays for the next one."""
        while not stop.is_set():
            try:
                async with asyncio.timeout(LOOK_EVERY):
                    await self._rung.wait()
            except TimeoutError:
                pass
            self._rung.clear()
            try:
                more = True
                while more and not stop.is_set():
                    more = await self.once()
                    await asyncio.sleep(BREATH)
            except Fenced as error:
                log.warning("%s", error)
                return
            except Exception as error:  # the next look may go well; paging goes on beside it
                report(error, shift="page-people")
                log.exception("an unexpected error while processing the inbox")

    async def once(self) -> bool:
        """One slice; whether there may be more to do now. Raises Fenced when the watch is over."""
        try:
            done = await self._runtime.store.run(self._drain.slice)
        except Fenced:
            raise
        except StoreUnavailable as error:
            return await self._refused(error)
        except StoreError as error:
            log.warning("%s", error)
            return False
        if self._refused_since is not None:
            log.warning("the store takes decisions again; the inbox is decided further")
            self._refused_since = None
        if done.idle and self._paged_directly:
            self._paged_directly = False
            self._decider.forget_direct_pages()
        await self._follow_up(done)
        return not done.idle

    async def _follow_up(self, done: Slice) -> None:
        self.decided += done.decided
        self._decider.follow_up(done.outcomes)
        for one in done.set_aside:
            await self._tell(one)

    async def _refused(self, error: StoreUnavailable) -> bool:
        log.error("the inbox cannot be processed: %s", error)
        if await self._runtime.store.run(ballast.make_room, self._runtime.home, error):
            log.error("the ballast file was freed to make room; the disk needs space")
            return True
        now = self._runtime.clock.monotonic()
        if self._refused_since is None:
            self._refused_since = now
        if not isinstance(error, StoreBusy) or now - self._refused_since >= PATIENCE:
            for event in await self._runtime.store.run(self._drain.firing_unknown):
                self._paged_directly = True
                await self._decider.page_directly(event, "Forewatch's store takes no writes (is the disk full?)")
        return False

    async def _tell(self, one: SetAside) -> None:
        """People must know of an event that could not be processed, and of the trouble it was about."""
        report(one.error, shift="page-people")
        said = type(one.error).__name__
        if isinstance(one.event, AlertRaised) and one.event.labels.get("severity") == "critical":
            await self._decider.page_directly(one.event, f"Forewatch failed to process it ({said})")
        now = self._runtime.clock.now()
        try:
            await self._decider.decide(
                AlertRaised(
                    {"alertname": "EventSetAside", "service": "forewatch", "severity": "critical", "error": said},
                    {
                        "summary": f"Forewatch could not process what it was sent ({said})",
                        "description": f"{type(one.event).__name__} was set aside after two tries; its alert may be "
                        "missing here. The log of page-people has the whole error.",
                    },
                    now,
                    until=now + micros(FAULT_LASTS),
                    timeout=True,
                )
            )
        except Fenced:
            raise
        except Exception as error:
            report(error, shift="page-people")
            log.exception("nor could the alert about it be processed")
