"""How a shift decides, and what it does when the store refuses: page directly, keep the event, say so, try again.

A full disk must not silence a critical page. The order is: free the ballast file and try again; if the commit is
still refused, send critical pages straight to the notifiers, once an alert, and keep every event in memory, in order,
until the store takes them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from forewatch.alerting.fingerprint import fingerprint
from forewatch.alerting.notification import Notification
from forewatch.alerting.routing import routes_for
from forewatch.clock import iso
from forewatch.deciding import decide, wake
from forewatch.errors import DeliveryFailed, Fenced, StoreUnavailable
from forewatch.guard.sentry import report
from forewatch.incidents import wording
from forewatch.incidents.events import AlertCleared, AlertRaised, Event
from forewatch.incidents.outcome import Outcome, PutIncident
from forewatch.runtime import Runtime
from forewatch.store import ballast
from forewatch.store.shifts import Fence
from tasks.audit import Audit
from tasks.delivery import deliver_directly

log = logging.getLogger("forewatch.decider")

MOST_KEPT = 10_000
"""Events kept in memory while the store refuses; then the oldest goes, and that is said. What was critical
in it has been paged directly."""


@dataclass
class _DirectPage:
    """An episode that was paged without the store. `at`: when its trouble was seen."""

    at: int
    told: dict[str, Any] = field(default_factory=dict)
    """Who took it: notifier -> `id` and `at` of the page. Empty while it is under way."""
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def marked(self, event: AlertRaised) -> AlertRaised:
        """The event with who knows of it, if it is of this episode."""
        return replace(event, told_directly=self.told) if self.told and event.at >= self.at else event


@dataclass(frozen=True)
class _Kept:
    event: Event
    page: _DirectPage | None = None


class Decider:
    """Decides for one watch. `decide` never raises StoreUnavailable: it keeps the event and pages instead."""

    def __init__(self, runtime: Runtime, fence: Fence) -> None:
        self._runtime = runtime
        self._fence = fence
        self._kept: deque[_Kept] = deque()
        self._paged_directly: dict[str, _DirectPage] = {}
        self._retrying = asyncio.Lock()
        self._audit = Audit()

    @property
    def kept(self) -> int:
        """Events that wait for the store."""
        return len(self._kept)

    async def decide(self, event: Event) -> Outcome | None:
        """The outcome, or None where the event is kept for later. Raises Fenced when the watch is over."""
        if isinstance(event, AlertCleared):
            # When it fires again, that is news.
            self._paged_directly.pop(_mark(event), None)
        if self._kept:
            await self._keep(event)
            await self.retry()
            return None
        try:
            return await self._decide(event)
        except StoreUnavailable as error:
            log.error("a decision cannot be stored: %s", error)
            if await self._runtime.store.run(ballast.make_room, self._runtime.home, error):
                log.error("the ballast file was freed to make room; the disk needs space")
                try:
                    return await self._decide(event)
                except StoreUnavailable as again:
                    log.error("nor after freeing the ballast: %s", again)
            await self._keep(event)
            return None
        except Fenced:
            raise
        except Exception as error:
            # Our own fault, which may come again with every try: the people must not wait for its repair.
            if isinstance(event, AlertRaised) and event.labels.get("severity") == "critical":
                await self.page_directly(event, f"Forewatch failed to process it ({type(error).__name__})")
            raise

    async def decide_alone(self, event: Event) -> None:
        """As `decide`, for one of many: what cannot be decided is reported, and costs none of the others.

        Raises Fenced when the watch is over.
        """
        try:
            await self.decide(event)
        except Fenced:
            raise
        except Exception as error:
            report(error, shift=self._fence.shift)
            log.exception("an event could not be processed: %s", event)

    async def retry(self) -> None:
        """Decide what was kept, oldest first, as far as the store takes it. Call it now and then."""
        async with self._retrying:
            while self._kept:
                kept = self._kept[0]
                event = kept.event
                if kept.page is not None and isinstance(event, AlertRaised):
                    await kept.page.over.wait()
                    event = kept.page.marked(event)
                try:
                    await self._decide(event)
                except Fenced:
                    raise
                except StoreUnavailable:
                    return
                except Exception as error:
                    # It would fail for ever and keep all behind it waiting.
                    report(error, shift=self._fence.shift)
                    log.exception("a kept event is given up: %s", event)
                if self._kept and self._kept[0] is kept:
                    self._kept.popleft()
                if not self._kept:
                    log.warning("the store takes decisions again; all kept events are decided")

    def follow_up(self, outcomes: Sequence[Outcome]) -> None:
        """Wake who has work from what was decided, and record for people which incidents it changed."""
        wake(self._runtime.home, Outcome(effects=[effect for outcome in outcomes for effect in outcome.effects]))
        for outcome in outcomes:
            for change in outcome.changes:
                if isinstance(change, PutIncident):
                    incident = change.incident
                    self._audit.record(f"{incident.id} {incident.status}", "; ".join(r.text for r in outcome.reasons))
                    break

    def as_told(self, event: Event) -> Event:
        """The event with who was paged of it without the store, so that they are not paged of it again."""
        if isinstance(event, AlertRaised) and (page := self._paged_directly.get(_mark(event))) is not None:
            return page.marked(event)
        return event

    def forget_direct_pages(self) -> None:
        """All that was paged directly is decided: what the store refuses next time is news."""
        self._paged_directly.clear()

    async def close(self) -> None:
        """The watch ends: decide what is kept, while its term still allows that, and let records for people end."""
        try:
            await self.retry()
        except Fenced as error:
            log.warning("%s", error)
        if self._kept:
            log.error(
                "%d events could not be decided; the next watch will find out again what is wrong", len(self._kept)
            )
        await self._audit.close()

    async def _decide(self, event: Event) -> Outcome:
        runtime = self._runtime
        outcome = await runtime.store.run(
            decide,
            runtime.store,
            event if isinstance(event, AlertRaised) and event.told_directly else self.as_told(event),
            config=runtime.configuration.current(),
            now=runtime.clock.now,
            fence=self._fence,
        )
        if isinstance(event, AlertRaised) and (page := self._paged_directly.get(_mark(event))) and event.at >= page.at:
            del self._paged_directly[_mark(event)]
        self.follow_up([outcome])
        return outcome

    async def _keep(self, event: Event) -> None:
        if len(self._kept) >= MOST_KEPT:
            oldest = self._kept.popleft().event
            log.error("more than %d events wait for the store; the oldest is given up: %s", MOST_KEPT, oldest)
        if isinstance(event, AlertRaised) and event.labels.get("severity") == "critical":
            page, new = self._direct_page(event)
            self._kept.append(_Kept(event, page))
            if new:
                await self._send_directly(event, page, "Forewatch's store takes no writes (is the disk full?)")
            return
        self._kept.append(_Kept(event))

    async def page_directly(self, event: AlertRaised, because: str) -> None:
        """Without the store: to the notifiers of its routes, once until the alert is over."""
        page, new = self._direct_page(event)
        if new:
            await self._send_directly(event, page, because)

    def _direct_page(self, event: AlertRaised) -> tuple[_DirectPage, bool]:
        """The direct page of this episode, and whether it is still to be sent."""
        mark = _mark(event)
        if (page := self._paged_directly.get(mark)) is not None:
            return page, False
        page = self._paged_directly[mark] = _DirectPage(event.at)
        return page, True

    async def _send_directly(self, event: AlertRaised, page: _DirectPage, because: str) -> None:
        try:
            routes = routes_for(self._runtime.configuration.current()[1], event.labels)
            names = dict.fromkeys(name for route in routes for name in route.notify)
            # Side by side: a receiver that hangs must not hold up the others.
            await asyncio.gather(*(self._send_one(event, page, name, because) for name in names))
        finally:
            page.over.set()

    async def _send_one(self, event: AlertRaised, page: _DirectPage, name: str, because: str) -> None:
        said = direct_page(event, because)
        now = self._runtime.clock.now()
        _, config = self._runtime.configuration.current()
        notification = Notification(
            # The same for every try of this outage, and another for the next one.
            id=f"NT-direct-{_mark(event)}-{page.at}-{name}",
            incident_id=None,
            alert_id=None,
            run_id=None,
            kind="page",
            severity="critical",
            notifier=name,
            state="claimed",
            not_before=now,
            content=said,
            created_at=now,
        )
        try:
            await deliver_directly(notification, config, self._runtime.home)
        except DeliveryFailed as error:
            log.critical("nobody could be notified that %s: %s", said["title"], error)
            return
        page.told[name] = {"id": notification.id, "at": self._runtime.clock.now()}


def direct_page(event: AlertRaised, because: str) -> dict[str, Any]:
    """The content of a page sent without the store: what is wrong, since when, and why nothing is done about it."""
    service, name = event.labels.get("service", ""), event.labels.get("alertname", "an alert")
    sent = f"{because}, so this page is sent directly: no incident could be opened and no remedy runs"
    return {
        "title": event.annotations.get("summary") or (f"{name} on {service}" if service else name),
        "text": wording.joined(event.annotations.get("description", ""), sent),
        "severity": "critical",
        "service": service,
        "alert": {"labels": dict(event.labels), "annotations": dict(event.annotations)},
        "since": iso(event.at),
        "reason": because,
    }


def _mark(event: AlertRaised | AlertCleared) -> str:
    """As decisions tell alerts apart."""
    return fingerprint(event.identity if event.identity is not None else event.labels)
