"""Requests that were refused because they were not meant for us: counted, stored for `doctor`, told to people.

Whoever sends such requests may send very many. However many there are, the store is written once in EVERY, and people
hear of one alert, raised at most once in TELL_EVERY through the inbox as what others send.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter

from forewatch.clock import micros
from forewatch.console.own_names import Foreign
from forewatch.errors import StoreUnavailable
from forewatch.guard.sentry import report
from forewatch.incidents.events import AlertRaised
from forewatch.intake.lanes import parts_of_events
from forewatch.intake.writer import Writer
from forewatch.runtime import Runtime
from forewatch.store import components
from forewatch.store.components import REFUSED_REQUESTS

ALERT_NAME = "ForeignRequestRefused"
REASONS = ("host", "origin", "site", "content-type")
EVERY = 5.0
TELL_EVERY = 3600.0
LASTS = 2 * TELL_EVERY
"""Seconds the alert stays after it was raised last: while refusals go on it is one, not one an hour."""

log = logging.getLogger("forewatch.intake")


class Refusals:
    """Of one process, on its event loop. `note` costs nothing to speak of; `run` does the rest."""

    def __init__(self, runtime: Runtime, writer: Writer) -> None:
        self._runtime = runtime
        self._writer = writer
        self._news = asyncio.Event()
        self._stored: Counter[str] = Counter()
        self._last = ""
        self._untold: Foreign | None = None
        self._told_at: float | None = None
        self.counts: Counter[str] = Counter()
        """By reason, since this process began."""

    def note(self, foreign: Foreign) -> None:
        """A request was refused for coming from, or going to, somebody else."""
        self._untold = foreign
        self._count(foreign.reason, foreign.what)

    def note_wrong_type(self) -> None:
        """A request without a token was refused for not being JSON. Counted only: it may be a slip with curl."""
        self._count("content-type", "the body was not sent as JSON")

    async def run(self) -> None:
        """Store and tell, until cancelled."""
        while True:
            await self._news.wait()
            try:
                await self.settle()
            except Exception as error:  # the next may go well; requests are refused all the same
                report(error)
                log.exception("refused requests cannot be told of")
            await asyncio.sleep(EVERY)

    async def settle(self) -> None:
        """Store what is new, and tell people where it is time to."""
        self._news.clear()
        before, self._stored = self._stored, self.counts.copy()
        news = self._stored - before
        if not news:
            return
        log.warning("%d requests were refused; the last: %s", news.total(), self._last)
        try:
            await self._runtime.store.run(self._store, news, self._last)
        except StoreUnavailable as error:
            self._stored = before
            log.error("refused requests cannot be stored: %s", error)
        try:
            await self._tell()
        except StoreUnavailable as error:
            log.error("people cannot be told of refused requests: %s", error)

    def _count(self, reason: str, what: str) -> None:
        self.counts[reason] += 1
        self._last = what
        self._news.set()

    def _store(self, news: Counter[str], last: str) -> None:
        now = self._runtime.clock.now()
        with self._runtime.store.decide() as conn:
            before = components.get(conn, REFUSED_REQUESTS)
            refused = Counter(before.data["refused"] if before is not None else {}) + news
            components.report(conn, REFUSED_REQUESTS, "ok", "", now, {"refused": dict(refused), "last": last})

    async def _tell(self) -> None:
        now, foreign = self._runtime.clock.monotonic(), self._untold
        if foreign is None or (self._told_at is not None and now - self._told_at < TELL_EVERY):
            return
        event = alert(foreign, self._runtime.clock.now())
        await self._writer.put("forewatch", "events", *parts_of_events([event]))
        self._told_at, self._untold = now, None


def alert(foreign: Foreign, now: int) -> AlertRaised:
    """What people are told."""
    return AlertRaised(
        {"alertname": ALERT_NAME, "service": "forewatch", "severity": "warning"},
        {
            "summary": f"Forewatch refused a request: {foreign.what}",
            "description": f"If it was yours, {foreign.remedy}. Otherwise a web page or a program tried to use "
            "Forewatch behind your back, and got nothing. `forewatch doctor` counts such requests.",
        },
        now,
        until=now + micros(LASTS),
        timeout=True,
    )
