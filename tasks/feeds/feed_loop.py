"""The loop that asks error trackers for their issues, decides upon what is news, and says when one cannot be asked.

What was seen is stored after it was processed: where we die between the two, the same alert is raised again, which
changes nothing. While the store takes no decisions nobody is asked.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

from forewatch.alerting.fingerprint import fingerprint
from forewatch.config.models import Config
from forewatch.config.sources import Source
from forewatch.errors import Fenced, SecretError, StoreUnavailable
from forewatch.guard.redact import redact
from forewatch.guard.sentry import report
from forewatch.incidents.events import AlertCleared, AlertRaised, Event
from forewatch.intake.issue_changes import Look, Seen, changes
from forewatch.intake.issues import identity_of, issue_cleared
from forewatch.runtime import Runtime
from forewatch.store import alerts, feeds
from tasks.feeds import bugsink, sentry
from tasks.feeds.client import FeedTrouble
from tasks.shifts.decider import Decider

log = logging.getLogger("forewatch.feeds")

ALERT_NAME = "FeedFailing"
FAILURES = 3
"""In a row, until the alert fires."""
LONGEST_WAIT = 900.0
"""Seconds between two tries of a feed that fails, at most."""
LONGEST_LOOK = 120.0
"""Seconds one look may take altogether."""
LOOK_EVERY = 1.0

Read = Callable[[Seen, int], Awaitable[Look]]


@dataclass
class _Feed:
    """Where one feed stands in this process. `due` on the monotonic clock; never, while it is asked."""

    due: float = 0.0
    failures: int = 0
    healthy: bool = False
    """It has answered this process, and no alert says otherwise."""


class Feeds:
    """Runs in a shift and decides through its decider. `run` until cancelled or the watch is over."""

    def __init__(self, runtime: Runtime, decider: Decider) -> None:
        self._runtime = runtime
        self._decider = decider
        self._feeds: dict[str, _Feed] = {}

    async def run(self) -> None:
        under_way: set[asyncio.Task[None]] = set()
        try:
            while True:
                try:
                    under_way |= {asyncio.create_task(look) for look in await self._due()}
                    # A feed that is slow keeps none of the others waiting.
                    done = {task for task in under_way if task.done()}
                    under_way -= done
                    for task in done:
                        task.result()
                except Fenced as error:
                    log.warning("%s", error)
                    return
                except StoreUnavailable as error:
                    log.error("feeds cannot be read: %s", error)
                except Exception as error:  # one bad look must not end the watch
                    report(error, shift="collect-metrics")
                    log.exception("an unexpected error while asking for issues")
                await asyncio.sleep(LOOK_EVERY)
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def once(self) -> None:
        """Ask every feed that is due, and wait for all. Raises the first error of any: Fenced, StoreUnavailable."""
        for done in await asyncio.gather(*await self._due(), return_exceptions=True):
            if isinstance(done, BaseException):
                raise done

    async def _due(self) -> list[Coroutine[Any, Any, None]]:
        """A look at each feed whose time has come and that is not under way."""
        _, config = self._runtime.configuration.current()
        if self._decider.kept:
            return []
        await self._forget_removed(config)
        now = self._runtime.clock.monotonic()
        found = []
        for source in config.sources:
            asked = _asked(source)
            if asked is not None and self._feed(source).due <= now:
                self._feed(source).due = float("inf")
                found.append(self._look(source, *asked))
        return found

    async def _look(self, source: Source, read: Read, every: float) -> None:
        feed = self._feed(source)
        again = self._runtime.clock.monotonic() + every
        try:
            again = max(again, await self._ask(source, feed, read, every))
        finally:
            feed.due = again

    async def _ask(self, source: Source, feed: _Feed, read: Read, every: float) -> float:
        """One look, and what follows. Returns when the next is due at the earliest."""
        before = await self._runtime.store.run(self._seen, source.name)
        try:
            async with asyncio.timeout(LONGEST_LOOK):
                look = await read(before, self._runtime.clock.now())
        except (FeedTrouble, SecretError, TimeoutError) as error:
            why = str(error) or f"one look took longer than {LONGEST_LOOK:g}s"
            return await self._failed(source, feed, every, redact(why), getattr(error, "retry_after", None))
        seen, events = changes(source, before, look, self._runtime.clock.now())
        for event in events:
            await self._decide(event)
        if not self._decider.kept:
            await self._runtime.store.run(self._remember, source.name, seen, before)
        await self._recovered(source.name, feed)
        return 0.0

    async def _failed(self, source: Source, feed: _Feed, every: float, why: str, retry_after: float | None) -> float:
        feed.failures += 1
        feed.healthy = False
        wait = max(min(LONGEST_WAIT, every * 2 ** min(feed.failures - 1, 10)), retry_after or 0.0)
        log.warning("%s cannot be asked for issues (%d in a row): %s", source.name, feed.failures, why)
        if feed.failures == FAILURES:
            now = self._runtime.clock.now()
            summary = f"{source.name} cannot be asked for issues: {why}"
            await self._decide(AlertRaised(_failing(source.name), {"summary": summary}, now, {"failures": FAILURES}))
        return self._runtime.clock.monotonic() + wait

    async def _recovered(self, name: str, feed: _Feed) -> None:
        feed.failures = 0
        if not feed.healthy:
            # Whoever stood this watch before may have raised it.
            await self._clear_failing(name, {})
            feed.healthy = not self._decider.kept

    async def _clear_failing(self, name: str, values: dict[str, object]) -> None:
        if await self._runtime.store.run(self._fires, fingerprint(_failing(name))):
            unwatched = bool(values)
            await self._decide(AlertCleared(_failing(name), self._runtime.clock.now(), values, unwatched=unwatched))

    async def _forget_removed(self, config: Config) -> None:
        """A source that is configured no longer cannot tell that its issues are over."""
        wanted = {source.name for source in config.sources if _asked(source)}
        for name in await self._runtime.store.run(self._known):
            if name in wanted:
                continue
            reason = f"{name} is not asked for issues any more"
            seen = await self._runtime.store.run(self._seen, name)
            for issue_id in seen.firing:
                await self._decide(issue_cleared(name, issue_id, self._runtime.clock.now(), reason, unwatched=True))
            await self._clear_failing(name, {"reason": reason})
            self._feeds.pop(name, None)
            if not self._decider.kept:
                await self._runtime.store.run(self._forget, name)

    async def _decide(self, event: Event) -> None:
        """One event that cannot be decided costs none of the others."""
        try:
            await self._decider.decide(event)
        except Fenced:
            raise
        except Exception as error:
            report(error, shift="collect-metrics")
            log.exception("what a feed reported could not be processed: %s", event)

    def _feed(self, source: Source) -> _Feed:
        return self._feeds.setdefault(source.name, _Feed())

    def _seen(self, name: str) -> Seen:
        """What is remembered; of a source that is new, when it was first asked.

        What fires is looked up where alerts are: a webhook of the same tracker may have raised or ended one, or have
        failed to.
        """
        with self._runtime.store.measure() as conn:
            seen = feeds.get(conn, name)
            if seen is None:
                seen = Seen(self._runtime.clock.now())
                feeds.put(conn, name, seen, None)
        marks = {issue_id: fingerprint(identity_of(name, issue_id)) for issue_id in seen.issues}
        with self._runtime.store.read() as conn:
            firing = alerts.firing_among(conn, marks.values())
        known = {id: replace(issue, firing=marks[id] in firing) for id, issue in seen.issues.items()}
        return replace(seen, issues=known)

    def _remember(self, name: str, seen: Seen, before: Seen) -> None:
        with self._runtime.store.measure() as conn:
            feeds.put(conn, name, seen, before)

    def _known(self) -> list[str]:
        with self._runtime.store.read_metrics() as conn:
            return feeds.sources(conn)

    def _forget(self, name: str) -> None:
        with self._runtime.store.measure() as conn:
            feeds.forget(conn, name)

    def _fires(self, mark: str) -> bool:
        with self._runtime.store.read() as conn:
            return alerts.firing(conn, mark) is not None


def _asked(source: Source) -> tuple[Read, float] | None:
    """How a source is asked, and how often, in seconds; None for one that is not."""
    if source.bugsink is not None:
        feed = source.bugsink
        return lambda seen, now: bugsink.read(feed, seen, now), feed.every
    if source.sentry is not None and source.sentry.api is not None:
        api = source.sentry.api
        return lambda seen, now: sentry.read(api, seen, now), api.every
    return None


def _failing(name: str) -> dict[str, str]:
    return {"alertname": ALERT_NAME, "service": "forewatch", "severity": "warning", "source": name}
