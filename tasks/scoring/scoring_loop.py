"""The loop of the shift `collect-metrics` that scores what was measured, once a minute, and reports anomalies.

All work is done in short pieces on the store's thread, with a breath between them, so that neither the beat of the
watch nor a sample waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from forewatch.clock import micros, seconds
from forewatch.errors import Fenced, StoreUnavailable
from forewatch.guard.sentry import report
from forewatch.runtime import Runtime
from forewatch.series.step_means import GRACE
from forewatch.store.slices import BREATH
from tasks.scoring.anomaly_alerts import anything_told, tell
from tasks.scoring.anomaly_table import anomaly_rows
from tasks.shifts.decider import Decider

if TYPE_CHECKING:
    from tasks.scoring.scorer import Scorer

log = logging.getLogger("forewatch.anomalies")

ROUND = 60.0
"""Seconds: the shortest step."""
LAST_SAVE = 1.5
"""Seconds the end of a watch spends on storing what was learned; the next watch reads the rest again."""


class AnomalyScoring:
    """Runs in a shift and decides through its decider. `run` until the watch is over, then `close`."""

    def __init__(self, runtime: Runtime, decider: Decider) -> None:
        self._runtime = runtime
        self._decider = decider
        self._scorer: Scorer | None = None
        self._rows: list[dict[str, object]] = []

    def rows(self) -> list[dict[str, object]]:
        """The anomalies there are and were lately, for the shift's table."""
        return self._rows

    async def run(self, stop: asyncio.Event) -> None:
        """A round after every full minute, and history in the time between."""
        while not stop.is_set():
            try:
                await self.once(stop)
                await self._catch_up(stop)
            except Fenced as error:
                log.warning("%s", error)
                return
            except StoreUnavailable as error:
                log.error("anomalies cannot be looked for: %s", error)
            except Exception as error:  # one bad round must not end the watch
                report(error, shift="collect-metrics")
                log.exception("an unexpected error while looking for anomalies")
            await self._until_next(stop)

    async def once(self, stop: asyncio.Event | None = None) -> None:
        """Score what has finished and process the anomalies. Raises StoreUnavailable, Fenced."""
        run, store = self._runtime.store.run, self._runtime.store
        _, config = self._runtime.configuration.current()
        if self._scorer is None:
            # What goes on must be ended by somebody, though nothing is looked at any more.
            if not config.anomalies.enabled and not await run(anything_told, store, self._runtime.clock.now()):
                return
            # Loads numpy, which the processes forked for other work need not carry.
            from tasks.scoring.scorer import Scorer

            self._scorer = Scorer(store)
        scorer = self._scorer
        await run(scorer.begin, config, self._runtime.clock.now())
        done = False
        while not done:
            done = await run(scorer.work)
            if stop is not None and stop.is_set():
                return
            await asyncio.sleep(BREATH)
        now = self._runtime.clock.now()
        told = await run(tell, store, config, scorer.looked_at, now)
        scorer.now_told(told.changed)
        for event in told.events:
            await self._decider.decide_alone(event)
        self._rows = await run(anomaly_rows, store, scorer.looked_at, now)

    async def close(self) -> None:
        """The watch ends: store what was learned, as far as there is time."""
        if self._scorer is None:
            return
        loop = asyncio.get_running_loop()
        until = loop.time() + LAST_SAVE
        try:
            done = False
            while not done and loop.time() < until:
                done = await self._runtime.store.run(self._scorer.save)
        except StoreUnavailable as error:
            log.error("what was learned is not stored, the next watch learns it again: %s", error)

    async def _catch_up(self, stop: asyncio.Event) -> None:
        """Learn from history, at half of the time there is, until the next minute or until all is learned."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._wait()
        while self._scorer is not None and not stop.is_set() and loop.time() < until:
            began = loop.time()
            if await self._runtime.store.run(self._scorer.catch_up):
                return
            await asyncio.sleep(max(BREATH, loop.time() - began))

    async def _until_next(self, stop: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(self._wait()):
                await stop.wait()
        except TimeoutError:
            pass

    def _wait(self) -> float:
        """Seconds until the next full minute has had its grace."""
        now, width = self._runtime.clock.now() - micros(GRACE), micros(ROUND)
        return seconds(width - now % width) + 0.1
