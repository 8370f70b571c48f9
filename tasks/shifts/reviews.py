"""Timers that look before they are processed: of withheld alerts, and of remedies that are asked again.

Their checks are asked anew first, all of one moment together, beside everything else: a page that is due waits for no
probe. The answer goes into the event.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from forewatch.errors import Fenced, StoreUnavailable
from forewatch.guard.sentry import report
from forewatch.incidents.deciding.look_before_acting import keys_for
from forewatch.incidents.events import TimerDue
from forewatch.runs.look import Seen, look
from forewatch.runtime import Runtime
from forewatch.store import alerts
from forewatch.store.looks import Key
from forewatch.store.timers import Timer

log = logging.getLogger("forewatch.page_people")

LOOKS_FIRST = frozenset({"review", "recheck", "remedy"})
Decide = Callable[[TimerDue], Awaitable[None]]


class Reviews:
    """Takes the timers that want a look; `decide` is called for each once it has been answered, or has not in time."""

    def __init__(self, runtime: Runtime, decide: Decide) -> None:
        self._runtime = runtime
        self._decide = decide
        self._under_way: dict[asyncio.Task[None], set[int]] = {}

    @property
    def under_way(self) -> set[int]:
        """The timers that are being looked at: due, and not to be taken again."""
        return set().union(*self._under_way.values())

    async def take(self, due: Sequence[Timer]) -> list[Timer]:
        """Look for those that want it, in the background; the others are returned, to be processed at once."""
        asked = [timer for timer in due if timer.kind in LOOKS_FIRST]
        keys = await self._runtime.store.run(self._keys, asked) if asked else {}
        if keys:
            wanting = [timer for timer in asked if timer.id in keys]
            task = asyncio.create_task(self._look(wanting, keys), name="look before a review")
            self._under_way[task] = set(keys)
            task.add_done_callback(self._under_way.pop)
        return [timer for timer in due if timer.id not in keys]

    async def stop(self) -> None:
        """What is being looked at stays due, and the next watch looks again."""
        tasks = list(self._under_way)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _keys(self, asked: Sequence[Timer]) -> dict[int, tuple[Key, ...]]:
        """The checks to ask, by timer; without those of what is over and of what has none."""
        _, config = self._runtime.configuration.current()
        with self._runtime.store.read() as conn:
            found = {timer.id: alerts.get(conn, timer.subject) for timer in asked}
        firing = {number: one for number, one in found.items() if one is not None and one.status == "firing"}
        return {number: keys for number, one in firing.items() if (keys := keys_for(config, one))}

    async def _look(self, asked: Sequence[Timer], keys: dict[int, tuple[Key, ...]]) -> None:
        wanted = dict.fromkeys(key for some in keys.values() for key in some)
        try:
            seen = await self._seen(asked, list(wanted))
            for timer in asked:
                own = set(keys[timer.id])
                parts = [one for one in seen if (one["service"], one["check"], one["instance"]) in own]
                await self._decide(TimerDue(timer.id, timer.kind, timer.subject, self._runtime.clock.now(), parts))
        except Fenced as error:
            log.warning("%s", error)
        except Exception as error:  # the timers stay due, and are taken again
            report(error, shift="page-people")
            log.exception("an unexpected error while looking before a review")

    async def _seen(self, asked: Sequence[Timer], wanted: list[Key]) -> Seen:
        subject = asked[0].subject if len(asked) == 1 else f"{asked[0].subject} and {len(asked) - 1} more"
        try:
            return await look(self._runtime, subject, "review", wanted)
        except StoreUnavailable as error:
            log.warning("nothing is looked at before %s is processed: %s", subject, error)
            return []
