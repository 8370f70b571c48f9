"""Answers looks: probes the checks that somebody who is about to act wants to know of, and writes down what is seen.

It also sees whether a remedy in shadow could have run.

A result younger than a second is fresh enough. Others get their check's own time-out, at most two seconds; what has not
answered by then is unknown, and its round goes on as any other. What answered at once is asked once more after such a
wait: a remedy must not act on what a check said two seconds ago.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from forewatch.alerting.alert import Alert
from forewatch.bell import Bell, ring
from forewatch.checking.results import CheckKey, CheckResult
from forewatch.errors import Fenced, StoreUnavailable
from forewatch.guard.sentry import report
from forewatch.incidents.deciding.dependencies import PROBED_WITHIN
from forewatch.incidents.events import Event, ShadowRehearsed
from forewatch.remedy.choose import choose
from forewatch.runs.look import AGAIN_WITHIN, FRESH, answered_bell
from forewatch.runtime import Runtime
from forewatch.store import alerts, looks
from forewatch.store.looks import Look
from forewatch.store.shifts import Fence, check_fence
from forewatch.units import format_duration
from tasks.act.rehearsal import rehearse
from tasks.probes.engine import CheckEngine

log = logging.getLogger("forewatch.check_health")

LOOK_EVERY = 0.5
"""Seconds between two looks for what is asked where nobody rings."""
AT_A_TIME = 100

Decide = Callable[[Event], Awaitable[object]]


class Looks:
    """Listens as `check-health` and answers from one engine, until it is stopped."""

    def __init__(self, runtime: Runtime, fence: Fence, engine: CheckEngine, decide: Decide) -> None:
        self._runtime = runtime
        self._fence = fence
        self._engine = engine
        self._decide = decide
        self._answering: dict[int, asyncio.Task[None]] = {}
        self._looked_at: dict[CheckKey, float] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._bell = Bell(self._runtime.home, "check-health")
        self._task = asyncio.create_task(self._answer_again_and_again(), name="answer looks")

    async def stop(self) -> None:
        if self._task is None:
            return
        under_way = [self._task, *self._answering.values()]
        for task in under_way:
            task.cancel()
        await asyncio.wait(under_way)
        self._bell.close()

    async def _answer_again_and_again(self) -> None:
        while True:
            await self._bell.wait(LOOK_EVERY)
            try:
                for look in await self._runtime.store.run(self._due):
                    if look.id not in self._answering:
                        task = asyncio.create_task(self._answer(look), name=f"look {look.id}")
                        self._answering[look.id] = task
                        task.add_done_callback(lambda _, number=look.id: self._answering.pop(number))
            except StoreUnavailable as error:
                log.error("what is to be looked at cannot be read: %s", error)
            except Exception as error:  # the next one must be answered all the same
                report(error, shift="check-health")
                log.exception("an unexpected error while looking")

    def _due(self) -> list[Look]:
        with self._runtime.store.read() as conn:
            return looks.due(conn, self._runtime.clock.now(), AT_A_TIME)

    async def _answer(self, look: Look) -> None:
        try:
            if look.purpose == "shadow":
                await self._rehearse(look)
                return
            seen = await self.see((CheckKey(*key) for key in look.keys), urgent=look.purpose == "act")
            if await self._runtime.store.run(self._write, look.id, seen):
                ring(self._runtime.home, answered_bell(look.id))
        except (Fenced, StoreUnavailable) as error:
            # Unanswered is unknown to who asked, and stops nothing.
            log.warning("look %d for %s is not answered: %s", look.id, look.subject, error)
        except Exception as error:
            report(error, shift="check-health")
            log.exception("look %d for %s broke off", look.id, look.subject)

    async def see(self, keys: Iterable[CheckKey], *, urgent: bool = True) -> list[dict[str, Any]]:
        """What these checks say now. Where it is not `urgent`, each is probed once in its own period at most."""
        awaited: dict[CheckKey, asyncio.Future[CheckResult]] = {}
        found: dict[CheckKey, CheckResult | None] = {}
        for key in keys:
            latest = self._engine.latest(key)
            if latest is not None and (latest[1] < FRESH or (not urgent and self._seen_lately(key))):
                found[key] = latest[0]
            elif (future := self._engine.soon(key)) is not None:
                awaited[key] = future
                self._looked_at[key] = asyncio.get_running_loop().time()
            found.setdefault(key, None)
        if awaited:
            await asyncio.wait(awaited.values(), timeout=PROBED_WITHIN)
        for key, future in awaited.items():
            found[key] = _came(future)
        if urgent and awaited:
            await self._ask_the_old_again(found)
        return [self._shown(key, result) for key, result in found.items()]

    async def _ask_the_old_again(self, found: dict[CheckKey, CheckResult | None]) -> None:
        """Bring results up to date that have grown old meanwhile; one that does not answer soon stays as it is."""
        again: dict[CheckKey, asyncio.Future[CheckResult]] = {}
        for key, result in list(found.items()):
            latest = self._engine.latest(key)
            if latest is not None and latest[1] < FRESH:
                found[key] = latest[0]  # its own round came meanwhile
            elif result is None:
                continue  # it had its time already
            elif latest is not None and (future := self._engine.soon(key)) is not None:
                again[key] = future
        if again:
            await asyncio.wait(again.values(), timeout=AGAIN_WITHIN)
        found.update({key: result for key, future in again.items() if (result := _came(future)) is not None})

    async def _rehearse(self, look: Look) -> None:
        """Whether the remedy of an alert could have run, were it not in shadow. Answered first: it is said once."""
        _, config = self._runtime.configuration.current()
        if not await self._runtime.store.run(self._write, look.id, []):
            return
        alert = await self._runtime.store.run(self._alert, look.subject)
        remedy = choose(config, alert) if alert is not None else None
        if alert is not None and remedy is not None:
            came = await asyncio.to_thread(rehearse, config, remedy, alert.service)
            now = self._runtime.clock.now()
            await self._decide(ShadowRehearsed(alert.id, remedy.runbook, came.problems, came.found, now))

    def _alert(self, alert_id: str) -> Alert | None:
        with self._runtime.store.read() as conn:
            return alerts.get(conn, alert_id)

    def _seen_lately(self, key: CheckKey) -> bool:
        ago = asyncio.get_running_loop().time() - self._looked_at.get(key, float("-inf"))
        return ago < self._engine.every(key)

    def _shown(self, key: CheckKey, result: CheckResult | None) -> dict[str, Any]:
        if result is None:
            state = self._engine.state(key)
            status = state.status if state is not None else "unknown"
            reason = f"no answer within {format_duration(PROBED_WITHIN)}"
            return {**key.labels(), "ok": None, "reason": reason, "at": None, "status": status}
        of, status = result.result, result.state.status
        # A late result is no verdict: our own loop may be to blame for it.
        ok = None if of.late else of.ok
        return {**key.labels(), "ok": ok, "reason": of.reason, "at": result.at, "status": status}

    def _write(self, look_id: int, seen: list[dict[str, Any]]) -> bool:
        with self._runtime.store.decide() as conn:
            check_fence(conn, self._fence)
            return looks.answer(conn, look_id, seen, self._runtime.clock.now())


def _came(future: asyncio.Future[CheckResult]) -> CheckResult | None:
    """The result, if there is one by now."""
    return future.result() if future.done() and not future.cancelled() else None
