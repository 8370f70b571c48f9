"""The duty of `check-health`: every check on its own beat, transitions decided at once, results stored in batches."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from forewatch.alerting.alert import Labels
from forewatch.checking.overload import NAME as OVERLOADED
from forewatch.checking.results import ALERT_NAME, CheckKey, CheckResult, CheckState, monitors
from forewatch.clock import iso
from forewatch.config.models import Config
from forewatch.errors import Fenced, StoreUnavailable
from forewatch.guard.sentry import report
from forewatch.incidents.events import Event
from forewatch.runtime import Runtime
from forewatch.store import alerts
from forewatch.store.shifts import Fence
from tasks.probes import memory
from tasks.probes.calls import Calls
from tasks.probes.engine import CheckEngine
from tasks.shifts.decider import Decider
from tasks.shifts.looks import Looks
from tasks.shifts.versions import settle

log = logging.getLogger("forewatch.check_health")

FOLLOW_EVERY = 1.0


class CheckHealth:
    """Runs the check engine and follows the configuration."""

    def __init__(self, runtime: Runtime, fence: Fence) -> None:
        self._runtime = runtime
        self._fence = fence
        self._decider = Decider(runtime, fence)
        self._engine: CheckEngine | None = None
        self._looks: Looks | None = None
        self._settled: int | None = None
        self._follow: asyncio.Task[None] | None = None
        self._durations: dict[CheckKey, float] = {}
        self._told: memory.Told = {}
        self._restarts: memory.Restarts = {}

    async def start(self) -> None:
        # In a thread: thousands of services take seconds to read, and the beat goes on meanwhile.
        version, config = await asyncio.to_thread(self._runtime.configuration.current)
        states, restarts, firing = await self._runtime.store.run(self._left_by_the_watch_before, config)
        self._engine = CheckEngine(
            config,
            Path(config.folder),
            states,
            self._on_transition,
            self._on_results,
            firing=firing,
            calls=Calls(self._runtime.store, self._runtime.clock),
            restarts=restarts,
            clock=self._runtime.clock,
        )
        await self._engine.start()
        self._looks = Looks(self._runtime, self._fence, self._engine, self._on_transition)
        self._looks.start()
        await self._runtime.store.run(self._forget_others, config)
        self._follow = asyncio.create_task(self._follow_configuration(version))

    async def stop(self) -> None:
        if self._follow is not None:
            self._follow.cancel()
        if self._looks is not None:
            await self._looks.stop()
        if self._engine is not None:
            await self._engine.stop()
        await self._decider.close()

    def rows(self) -> list[dict[str, object]]:
        """The shift's table of services."""
        states = self._engine.states if self._engine is not None else {}
        return [
            {
                "service": key.service,
                "check": key.check,
                "instance": key.instance,
                "status": f"{state.status}, late" if state.late else state.status,
                "since": iso(state.since) if state.since else "",
                "duration": f"{self._durations.get(key, 0.0) * 1000:.0f} ms",
                "reason": state.reason,
            }
            for key, state in sorted(states.items())
        ]

    def _left_by_the_watch_before(
        self, config: Config
    ) -> tuple[dict[CheckKey, CheckState], dict[tuple[str, bool], list[tuple[float, int]]], list[Labels]]:
        states: dict[CheckKey, CheckState] = {}
        restarts: dict[tuple[str, bool], list[tuple[float, int]]] = {}
        try:
            with self._runtime.store.read_metrics() as conn:
                states = memory.load(conn)
                restarts = memory.restarted(conn, monitors(config), self._runtime.clock.now())
        except StoreUnavailable as error:
            # Every check is found out anew, and what fires is known from the alerts.
            log.error("what the checks said last cannot be read, the watch begins without: %s", error)
        with self._runtime.store.read() as conn:
            firing = [alert.labels for alert in alerts.all_firing(conn) if alert.name in (ALERT_NAME, OVERLOADED)]
        return states, restarts, firing

    async def _on_transition(self, event: Event) -> None:
        try:
            await self._decider.decide(event)
        except Fenced as error:
            log.warning("%s", error)

    async def _on_results(self, results: list[CheckResult]) -> None:
        await self._runtime.store.run(self._store, results)

    def _store(self, results: list[CheckResult]) -> None:
        self._durations.update((one.key, one.result.duration) for one in results)
        with self._runtime.store.measure() as conn:
            memory.write(conn, results, self._told, self._restarts)

    def _forget_others(self, config: Config) -> None:
        try:
            with self._runtime.store.measure() as conn:
                memory.forget_others(conn, monitors(config))
        except StoreUnavailable as error:
            # Old rows harm nobody; a watch that does not begin would.
            log.warning("checks that are no longer configured stay in the store for now: %s", error)

    async def _follow_configuration(self, version: int) -> None:
        while True:
            await asyncio.sleep(FOLLOW_EVERY)
            try:
                await self._decider.retry()
                newest, config = await asyncio.to_thread(self._runtime.configuration.current)
                if newest != version and self._engine is not None:
                    await self._engine.reconfigure(config, Path(config.folder))
                    await self._runtime.store.run(self._forget_others, config)
                    version = newest
                if self._settled != version:
                    await settle(self._runtime, self._fence, self._decider.decide, version, config)
                    self._settled = version
            except Fenced as error:
                log.warning("%s", error)
            except Exception as error:
                # Tried again a second later: kept events and a changed configuration must not depend on one attempt.
                report(error, shift="check-health")
                log.exception("an unexpected error while following the configuration")
