"""The duty of `page-people`: what others sent and due timers become decisions, due notifications leave, and behind
them the stories of closed incidents."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

from forewatch.bell import Bell, ring
from forewatch.errors import Fenced, StoreUnavailable
from forewatch.guard.sentry import report
from forewatch.incidents.events import TimerDue, Undelivered
from forewatch.runtime import Runtime
from forewatch.store import shifts, timers
from forewatch.store.shifts import Fence
from forewatch.store.timers import Timer
from tasks import heartbeat
from tasks.audit import Audit
from tasks.delivery import AT_ONCE, Delivery
from tasks.shifts.decider import Decider
from tasks.shifts.inbox import Inbox
from tasks.shifts.reviews import Reviews
from tasks.stories import Stories

log = logging.getLogger("forewatch.page_people")

LOOK_EVERY = 0.5
"""Seconds between two looks for due timers and notifications where nobody rings."""
AT_A_TIME = 100
"""Timers processed before the next look for pages to send."""
AGAIN_AFTER = 60.0
"""Seconds a timer is put off that a fault of ours kept from being processed: others are behind it."""
LAST_PATIENCE = 2.0
"""Seconds that deliveries under way get when the watch ends; the next watch sends what did not make it."""
LOOK_UPS = 4 * AT_ONCE
"""Threads for name look-ups, made as they are needed."""
STANDING_WITHIN = 10.0
"""A heartbeat leaves only while every shift has beaten within these seconds."""


class PagePeople:
    """Starts its loops; `rows` is the shift's table for people."""

    def __init__(self, runtime: Runtime, fence: Fence) -> None:
        self._runtime = runtime
        self._decider = Decider(runtime, fence)
        self._inbox = Inbox(runtime, fence, self._decider)
        self._delivery = Delivery(runtime, fence.term)
        self._reviews = Reviews(runtime, self._decide)
        self._audit = Audit()
        self._stories = Stories(runtime)
        self._tasks: list[asyncio.Task[None]] = []
        self._stop = asyncio.Event()
        self._put_off: dict[int, float] = {}
        self.sent = 0
        self.failed = 0

    async def start(self) -> None:
        # Names are looked up in the loop's threads, by default hardly more than the machine has cores. Where nobody
        # answers for one name, each look-up holds its thread longer than its delivery: there must be one for others.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(LOOK_UPS, thread_name_prefix="page-people"))
        self._bell = Bell(self._runtime.home, "page-people")
        self._tasks = [
            asyncio.create_task(self._page()),
            asyncio.create_task(self._heartbeat()),
            asyncio.create_task(self._inbox.run(self._stop)),
            asyncio.create_task(self._stories.run(self._stop)),
        ]

    async def stop(self) -> None:
        self._stop.set()
        self._inbox.ring()
        # What is sent from these is sent again by the next watch.
        self._tasks[1].cancel()
        self._tasks[3].cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._reviews.stop()
        await self._delivery.close(LAST_PATIENCE)
        await self._audit.close()
        await self._decider.close()
        self._bell.close()

    def rows(self) -> list[dict[str, object]]:
        return [
            {
                "taken in": self._inbox.decided,
                "sent": self.sent,
                "failed": self.failed,
                "kept for the store": self._decider.kept,
                "stories": self._stories.published,
            }
        ]

    async def _page(self) -> None:
        while not self._stop.is_set():
            if await self._bell.wait(LOOK_EVERY):
                self._inbox.ring()
            try:
                await self._once()
            except Fenced as error:
                log.warning("%s", error)
                return
            except StoreUnavailable as error:
                log.error("the outbox cannot be read or written: %s", error)
            except Exception as error:  # paging must go on whatever one notification did
                report(error, shift="page-people")
                log.exception("an unexpected error while paging")

    async def _once(self) -> None:
        now = self._runtime.clock.now()
        await self._decider.retry()
        due = await self._runtime.store.run(self._due, now)
        for timer in await self._reviews.take(due) if not self._decider.kept else ():
            if self._decider.kept:
                # While the store takes no decision a timer stays due in it; keeping it here too would add up.
                break
            await self._decide(TimerDue(timer.id, timer.kind, timer.subject, now))
        if len(due) == AT_A_TIME and not self._decider.kept:
            ring(self._runtime.home, "page-people")
        delivered = await self._delivery.deliver_due()
        self.sent += len(delivered.sent)
        self.failed += len(delivered.failed) + len(delivered.dead)
        for notification_id in delivered.dead:
            await self._decider.decide_alone(Undelivered(notification_id, self._runtime.clock.now()))
        for notification_id in (*delivered.failed, *delivered.dead):
            self._audit.record(f"{notification_id} not delivered", f"forewatch why {notification_id} tells more")

    async def _decide(self, event: TimerDue) -> None:
        """One timer that cannot be processed holds up neither the others nor the pages; it is tried again later."""
        try:
            await self._decider.decide(event)
        except Fenced:
            raise
        except Exception as error:
            self._put_off[event.timer_id] = self._runtime.clock.monotonic() + AGAIN_AFTER
            report(error, shift="page-people")
            log.exception("a timer could not be processed: %s", event)

    def _due(self, now: int) -> list[Timer]:
        at = self._runtime.clock.monotonic()
        self._put_off = {timer: until for timer, until in self._put_off.items() if until > at}
        with self._runtime.store.read() as conn:
            left_out = self._put_off.keys() | self._reviews.under_way
            due = timers.due(conn, now, AT_A_TIME + len(left_out))
        return [timer for timer in due if timer.id not in left_out][:AT_A_TIME]

    async def _heartbeat(self) -> None:
        """The outside dead-man's switch hears from us only while all shifts stand."""
        seen: dict[str, tuple[int, int, float]] = {}
        while True:
            _, config = self._runtime.configuration.current()
            wish = config.heartbeat
            await asyncio.sleep(wish.every if wish is not None else 5.0)
            if wish is None:
                continue
            try:
                if await self._all_standing(seen):
                    await heartbeat.beat(wish)
                else:
                    log.error("no heartbeat is sent: not all shifts are on watch")
            except Exception as error:  # noqa: BLE001 - its own trouble must not end the heartbeat
                report(error, shift="page-people")
                log.warning("the heartbeat could not be sent: %s", error)

    async def _all_standing(self, seen: dict[str, tuple[int, int, float]]) -> bool:
        """Every shift's beat counter has moved since the last look, or lately, on our monotonic clock."""

        def read() -> list[shifts.ShiftRow]:
            with self._runtime.store.read() as conn:
                return shifts.listing(conn)

        now = self._runtime.clock.monotonic()
        rows = await self._runtime.store.run(read)
        for row in rows:
            before = seen.get(row.shift)
            if before is None or before[:2] != (row.term, row.beat):
                seen[row.shift] = (row.term, row.beat, now)
        return len(rows) >= 3 and all(now - at < STANDING_WITHIN for _, _, at in seen.values())
