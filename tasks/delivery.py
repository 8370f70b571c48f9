"""The outbox's hand: takes notifications that are due and gives each to its notifier, or to another that will take it.

* Each attempt is claimed in the store first (30 s, see `store.outbox`) and is over well before the claim.
* While the store refuses claims (disk full), critical pages leave unclaimed, once; that is recorded when it can be.
* A slow receiver delays nobody: sending goes on in the background, `deliver_due` waits for it a moment only.
* What a notifier will never take (its configuration or secret is gone, a 4xx) goes at once to the others of its route,
  at last to the console, and says so. What it does not take for now is tried again, and after a few attempts the others
  are told meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from forewatch.alerting.alert import Alert
from forewatch.alerting.notification import Notification
from forewatch.alerting.routing import routes_for
from forewatch.clock import SystemClock
from forewatch.config.models import Config, Console, Notifier
from forewatch.deciding import decide
from forewatch.errors import DeliveryFailed, Fenced, ForewatchError, NotFound, SecretError, StoreUnavailable
from forewatch.guard.redact import redact
from forewatch.guard.sentry import report
from forewatch.home import Home
from forewatch.incidents.events import HoldOver
from forewatch.notifying.content import Links, complete
from forewatch.notifying.rendering import render
from forewatch.notifying.sender import Receipt, Sender
from forewatch.orchestration.settings import Settings
from forewatch.registry import load
from forewatch.store import alerts, ballast, generations, outbox, runs
from forewatch.store.shifts import Fence

if TYPE_CHECKING:
    from forewatch.runtime import Runtime

AT_ONCE = 64
"""Notifications under way at the same time, in one process."""

PATIENCE = 12.0
"""Seconds the notifier it was meant for gets; with another's and the store's it must stay below the claim."""

PATIENCE_OTHERS = 4.0
"""Seconds each stand-in gets; at most two of a route and the console are asked."""

WAIT = 0.5
"""Seconds one call waits for what it began, so that usual deliveries are in its answer."""

TELL_OTHERS_AFTER = 3
"""Attempts (3 s, more if the receiver hangs) after which somebody else is told too, while we go on trying."""

TELL_OTHERS_EVERY = 8
"""Further attempts (some 20 min at first, then 40) after which they are told again: the process that should have told
them may have died in the attempt."""

LONG_WAIT = 10.0
"""Seconds a receiver may ask us to wait before somebody else is told too, at whichever attempt."""

FALLBACK = Notifier(name="console", console=Console())
"""There without being configured."""

log = logging.getLogger(__name__)


@dataclass
class Delivered:
    """What came of the notifications that ended since the last call."""

    sent: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    """Will be tried again."""
    dead: list[str] = field(default_factory=list)
    """Given up: nobody was told, or only others."""
    under_way: int = 0


@dataclass(frozen=True)
class Parcel:
    """A notification with what its message needs from the store."""

    notification: Notification
    alert: Alert | None = None
    alerts: tuple[Alert, ...] = ()
    """Of a notice of an incident as a whole: its alerts."""
    flow_run_id: str | None = None
    key: str = ""
    """The idempotency key, where it is not the id."""
    incident_key: str | None = None


class Delivery:
    """One process's deliveries under one term of the page-people shift."""

    def __init__(self, runtime: Runtime, term: Callable[[], int] | int) -> None:
        self._runtime = runtime
        self._term = term if callable(term) else lambda: term
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._unrecorded: dict[str, Receipt] = {}
        self._done = Delivered()

    async def deliver_due(self) -> Delivered:
        """Claim what is due and send it. Raises StoreUnavailable where the store cannot even be read."""
        store = self._runtime.store
        free = AT_ONCE - len(self._under_way)
        if free > 0:
            term = self._term()
            _, config = await store.run(self._runtime.configuration.current)
            parcels = await self._take(term, free)
            started = [self._start(parcel, config, term) for parcel in parcels if self._is_new(parcel)]
            if started:
                await asyncio.wait(started, timeout=WAIT)
        done, self._done = self._done, Delivered()
        done.under_way = len(self._under_way)
        return done

    async def close(self, timeout: float = PATIENCE) -> None:
        """Let what is under way end; after `timeout` it is dropped, and whoever comes next sends it again."""
        if self._under_way:
            _, late = await asyncio.wait(self._under_way.values(), timeout=timeout)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _take(self, term: int, limit: int) -> list[Parcel]:
        store = self._runtime.store
        try:
            return await store.run(self._claim, term, limit)
        except StoreUnavailable as error:
            log.error("nothing in the outbox can be claimed: %s", error)
            freed = await store.run(ballast.make_room, self._runtime.home, error)
        if freed:
            log.error("the ballast file was freed to make room; the disk needs space")
            try:
                return await store.run(self._claim, term, limit)
            except StoreUnavailable as error:
                log.error("nor after freeing the ballast: %s", error)
        return await store.run(self._critical_unclaimed, term, limit)

    def _critical_unclaimed(self, term: int, limit: int) -> list[Parcel]:
        now = self._runtime.clock.now()
        with self._runtime.store.read() as conn:
            return [
                # Its failure could not be recorded and tried again, so the others are told of it at once.
                _parcel(conn, replace(notification, attempts=outbox.MOST_ATTEMPTS))
                for notification in outbox.claimable(conn, now=now, term=term, limit=limit)
                if notification.severity == "critical"
                and notification.kind in ("page", "failure")
                and notification.id not in self._unrecorded
            ]

    def _claim(self, term: int, limit: int) -> list[Parcel]:
        self._decide_overdue(term)
        with self._runtime.store.decide() as conn:
            # Read here: by an instant from before a long wait, what was written since would lie in the future.
            now = self._runtime.clock.now()
            return [_parcel(conn, claimed) for claimed in outbox.claim(conn, now=now, term=term, limit=limit)]

    def _decide_overdue(self, term: int) -> None:
        """What would leave by itself, for its timer is late, leaves by a decision where one can be taken."""
        runtime, now = self._runtime, self._runtime.clock.now()
        with runtime.store.read() as conn:
            incidents = outbox.overdue(conn, now)
        for incident_id in incidents:
            event = HoldOver(incident_id, now)
            fence = Fence("page-people", term)
            try:
                config = runtime.configuration.current()
                decide(runtime.store, event, config=config, now=runtime.clock.now, fence=fence)
            except (Fenced, StoreUnavailable):
                raise
            except Exception as error:  # its own trouble must not keep the pages from leaving
                log.exception("the end of a hold of %s cannot be decided", incident_id)
                report(error, incident=incident_id)

    def _is_new(self, parcel: Parcel) -> bool:
        # A claim that ran out early, by a jump of the clock, is still ours.
        return parcel.notification.id not in self._under_way

    def _start(self, parcel: Parcel, config: Config, term: int) -> asyncio.Task[None]:
        id = parcel.notification.id
        task = self._under_way[id] = asyncio.create_task(self._deliver(parcel, config, term), name=f"deliver {id}")
        task.add_done_callback(lambda _: self._under_way.pop(id, None))
        return task

    async def _deliver(self, parcel: Parcel, config: Config, term: int) -> None:
        """Send one, and record what came of it."""
        notification = parcel.notification
        try:
            # Sent before, when the store could not record it: record it now, do not send it twice.
            receipt = self._unrecorded.get(notification.id) or await hand_over(parcel, config, self._runtime.home)
            self._unrecorded[notification.id] = receipt
            if notification.claimed_term != term:
                log.warning("%s sent to %s, to be recorded once the store allows", notification.id, receipt.notifier)
                return
            await self._record_sent(notification, term, receipt)
            del self._unrecorded[notification.id]
        except DeliveryFailed as error:
            await self._record_failed(notification, term, error)
        except StoreUnavailable as error:
            log.error("%s: what came of it cannot be recorded: %s", notification.id, error)
        except Exception as error:
            log.exception("%s: delivery broke off", notification.id)
            report(error, notifier=notification.notifier, incident=notification.incident_id)

    async def _record_sent(self, notification: Notification, term: int, receipt: Receipt) -> None:
        def record() -> bool:
            with self._runtime.store.decide() as conn:
                now = self._runtime.clock.now()
                return outbox.mark_sent(conn, notification.id, term, now, receipt.as_json())

        if await self._runtime.store.run(record):
            self._done.sent.append(notification.id)
            log.info("%s sent to %s: %s", notification.id, receipt.notifier, receipt.detail)
        else:
            log.warning("%s sent to %s, but its claim had run out", notification.id, receipt.notifier)

    async def _record_failed(self, notification: Notification, term: int, error: DeliveryFailed) -> None:
        def record() -> str | None:
            with self._runtime.store.decide() as conn:
                return outbox.mark_failed(
                    conn,
                    notification.id,
                    term,
                    self._runtime.clock.now(),
                    redact(str(error)),
                    error.permanent,
                    error.retry_after or 0.0,
                )

        try:
            state = await self._runtime.store.run(record)
        except StoreUnavailable as refused:
            log.error("%s: its failure cannot be recorded: %s", notification.id, refused)
            return
        (self._done.dead if state == "dead" else self._done.failed).append(notification.id)
        log.warning("%s attempt %d failed: %s", notification.id, notification.attempts, error)


async def deliver_directly(
    notification: Notification, config: Config, home: Home, *, alert: Alert | None = None
) -> Receipt:
    """Send without a store (it refuses commits): the caller makes up an id and remembers what it has sent.

    Falls back as usual. Raises DeliveryFailed only where not even the console takes it.
    """
    # The last attempt there will be, so the others are told of any failure.
    last = replace(notification, attempts=outbox.MOST_ATTEMPTS)
    return await hand_over(Parcel(last, alert, key=_key_without_store(notification.id, home)), config, home)


async def send_test(config: Config, name: str, home: Home | None = None) -> Receipt:
    """Send a test by one notifier, without a fallback. Raises NotFound for an unknown one, DeliveryFailed with why."""
    return await send_alone(a_test(name, SystemClock().now()), config, home or Home.from_env())


def a_test(name: str, now: int) -> Notification:
    """What a notifier is tested with."""
    return Notification(
        id=f"NT-test-{now}",
        incident_id=None,
        alert_id=None,
        run_id=None,
        kind="test",
        severity="info",
        notifier=name,
        state="claimed",
        not_before=now,
        content={"title": f"Test of {name}", "text": "Forewatch can reach you here. Nothing is wrong."},
        created_at=now,
    )


async def send_alone(notification: Notification, config: Config, home: Home) -> Receipt:
    """One attempt with the notification's own notifier, needing no store and without a fallback.

    Raises NotFound for a notifier that is not configured, DeliveryFailed with why it was not taken.
    """
    name = notification.notifier
    notifier = _configured(config, name)
    if notifier is None:
        known = ", ".join(known.name for known in config.notifiers) or "none"
        raise NotFound(f"there is no notifier {name} in the configuration (there are: {known})")
    parcel = Parcel(notification, key=_key_without_store(notification.id, home))
    return await _send(notifier, parcel, config, home, PATIENCE)


async def hand_over(parcel: Parcel, config: Config, home: Home) -> Receipt:
    """Give a notification to its notifier, or where that fails for good to another. Raises DeliveryFailed where
    nobody took it, or where it must be tried again (others may have been told meanwhile)."""
    notification = parcel.notification
    try:
        notifier = _configured(config, notification.notifier)
        if notifier is None:
            raise DeliveryFailed(f"{notification.notifier} is not in the configuration any more", permanent=True)
        return await _send(notifier, parcel, config, home, PATIENCE)
    except DeliveryFailed as error:
        service = notification.content.get("service")
        report(error, notifier=notification.notifier, incident=notification.incident_id, service=service)
        last = notification.attempts >= outbox.MOST_ATTEMPTS
        told_to_wait = notification.attempts < TELL_OTHERS_AFTER and (error.retry_after or 0.0) > LONG_WAIT
        since = notification.attempts - TELL_OTHERS_AFTER
        turn = since >= 0 and since % TELL_OTHERS_EVERY == 0
        if not (error.permanent or last or told_to_wait or turn):
            raise
        receipt = await _tell_another(parcel, config, home, error)
        if error.permanent or last:
            return receipt
        raise DeliveryFailed(
            f"{error}; {receipt.notifier} was told meanwhile", permanent=False, retry_after=error.retry_after
        ) from error


async def _tell_another(parcel: Parcel, config: Config, home: Home, failure: DeliveryFailed) -> Receipt:
    """The first that takes it, of the others of the route and the console. Raises DeliveryFailed if nobody does."""
    meant_for = parcel.notification.notifier
    reasons = [str(failure)]
    for other in _others(config, parcel):
        try:
            receipt = await _send(other, parcel, config, home, PATIENCE_OTHERS, f"meant for {meant_for}: {failure}")
        except DeliveryFailed as error:
            reasons.append(str(error))
            continue
        log.warning("%s went to %s instead of %s: %s", parcel.notification.id, other.name, meant_for, failure)
        return replace(receipt, instead_of=meant_for, reason=redact(str(failure)))
    raise DeliveryFailed("; ".join(reasons), permanent=False) from failure


def _others(config: Config, parcel: Parcel) -> list[Notifier]:
    """Who may stand in: two more of the alert's routes (else of the default one), then a console."""
    notification = parcel.notification
    labels = parcel.alert.labels if parcel.alert else (notification.content.get("alert") or {}).get("labels") or {}
    service = notification.content.get("service")
    labels = {**labels, "severity": notification.severity, **({"service": service} if service else {})}
    names = dict.fromkeys(name for route in routes_for(config, labels) for name in route.notify)
    found = [_configured(config, name) for name in names if name != notification.notifier]
    others = [notifier for notifier in found if notifier is not None][:2]
    if not any(notifier.console is not None for notifier in others):
        others.append(FALLBACK)
    return others


def _configured(config: Config, name: str) -> Notifier | None:
    return config.notifier(name) or (FALLBACK if name == FALLBACK.name else None)


async def _send(
    notifier: Notifier, parcel: Parcel, config: Config, home: Home, patience: float, note: str = ""
) -> Receipt:
    """One attempt with one notifier. Raises DeliveryFailed, whatever went wrong."""
    try:
        async with asyncio.timeout(patience):
            sender: Sender = load("sender")(notifier, home)
            content = complete(
                parcel.notification,
                Links.of(config, home),
                alert=parcel.alert,
                alerts=parcel.alerts,
                flow_run_id=parcel.flow_run_id,
                key=parcel.key,
                incident_key=parcel.incident_key,
            )
            rendered = await render(content, sender.templates, notifier.template, redact(note))
            return await sender.send(parcel.notification, content, rendered)
    except DeliveryFailed:
        raise
    except TimeoutError as error:
        raise DeliveryFailed(f"{notifier.name}: no answer within {patience:g}s", permanent=False) from error
    except SecretError as error:
        raise DeliveryFailed(f"{notifier.name}: {error}", permanent=True) from error
    except ForewatchError as error:
        raise DeliveryFailed(f"{notifier.name}: {error}", permanent=error.permanent) from error
    except Exception as error:  # a fault in a sender must not cost the page: it goes to another, and to Sentry
        raise DeliveryFailed(f"{notifier.name}: {type(error).__name__}: {error}", permanent=True) from error


def _parcel(conn: Connection, notification: Notification) -> Parcel:
    alert = alerts.get(conn, notification.alert_id) if notification.alert_id else None
    its = alerts.of_incident(conn, notification.incident_id) if alert is None and notification.incident_id else []
    run = runs.get(conn, notification.run_id) if notification.run_id else None
    return Parcel(
        notification,
        alert,
        tuple(its),
        run.flow_run if run else None,
        key=generations.key_of(conn, notification.id),
        incident_key=generations.key_of(conn, notification.incident_id) if notification.incident_id else None,
    )


def _key_without_store(id: str, home: Home) -> str:
    """The idempotency key of what is in no store; what made up the id sees to it that it is one outage's alone."""
    settings = Settings.read(home)
    return f"{settings.generation}-{id}" if settings is not None and settings.generation else id
