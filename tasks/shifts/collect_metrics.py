"""The duty of `collect-metrics`: sample this machine and ourselves, store the points, evaluate the rules, score what
is unusual; ask feeds."""

from __future__ import annotations

import asyncio
import logging

from forewatch.clock import micros
from forewatch.config.models import Config
from forewatch.errors import Fenced, StoreUnavailable
from forewatch.guard.sentry import report
from forewatch.runtime import Runtime
from forewatch.store import points, rollups
from forewatch.store.points import Point
from forewatch.store.shifts import Fence
from tasks.collect import Collector
from tasks.feeds import Feeds
from tasks.rules.evaluate_objectives import ObjectiveEngine
from tasks.rules.evaluate_rules import RuleEngine
from tasks.scoring.scoring_loop import AnomalyScoring
from tasks.shifts.decider import Decider

log = logging.getLogger("forewatch.collect_metrics")

ROLL_EVERY = 60.0


class CollectMetrics:
    """Ticks every `metrics.every`; a tick that runs late is measured, never doubled."""

    def __init__(self, runtime: Runtime, fence: Fence) -> None:
        self._runtime = runtime
        self._decider = Decider(runtime, fence)
        self._collector = Collector(runtime)
        self._rules = RuleEngine(runtime.store)
        self._objectives = ObjectiveEngine(runtime.store)
        self._feeds = Feeds(runtime, self._decider)
        self._task: asyncio.Task[None] | None = None
        self._feeding: asyncio.Task[None] | None = None
        self._anomalies = AnomalyScoring(runtime, self._decider)
        self._scoring: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._lag = 0.0
        self._last: list[Point] = []

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())
        # Of its own: a tracker that is slow must not delay a sample.
        self._feeding = asyncio.create_task(self._feeds.run())
        self._scoring = asyncio.create_task(self._anomalies.run(self._stop))

    async def stop(self) -> None:
        self._stop.set()
        if self._feeding is not None:
            self._feeding.cancel()
        tasks = [task for task in (self._task, self._feeding, self._scoring) if task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._anomalies.close()
        await self._decider.close()

    def rows(self) -> list[dict[str, object]]:
        """The last sample, for the shift's table."""
        return [
            {"metric": point.metric, "labels": " ".join(f"{k}={v}" for k, v in sorted(point.labels.items())),
             "value": round(point.value, 4)}
            for point in self._last
        ]  # fmt: skip

    def tables(self) -> dict[str, list[dict[str, object]]]:
        """Further tables for people, by name; one that has nothing in it is left out."""
        found = {"objectives": self._objectives.rows(), "anomalies": self._anomalies.rows()}
        return {name: rows for name, rows in found.items() if rows}

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        due, roll_due = loop.time(), loop.time() + ROLL_EVERY
        while not self._stop.is_set():
            _, config = self._runtime.configuration.current()
            self._lag = max(0.0, loop.time() - due)
            try:
                await self._tick(config)
                if loop.time() >= roll_due:
                    roll_due = loop.time() + ROLL_EVERY
                    await self._runtime.store.run(self._roll)
            except Fenced as error:
                log.warning("%s", error)
                return
            except StoreUnavailable as error:
                log.error("metrics cannot be stored: %s", error)
            except Exception as error:  # one bad tick must not end the watch
                report(error, shift="collect-metrics")
                log.exception("an unexpected error while collecting metrics")
            due = max(due + config.metrics.every, loop.time())
            try:
                async with asyncio.timeout(max(0.0, due - loop.time())):
                    await self._stop.wait()
            except TimeoutError:
                continue

    async def _tick(self, config: Config) -> None:
        now = self._runtime.clock.now()
        sample = await self._collector.collect(config, now)
        sample.append(Point("forewatch.tick.lag", {"shift": "collect-metrics"}, "forewatch", now, self._lag))
        self._last = sample
        try:
            await self._runtime.store.run(self._store, sample)
        except StoreUnavailable as error:
            # The rules go on with what is stored: a disk that fills up must still be told of.
            log.error("the sample cannot be stored: %s", error)
        await self._decider.retry()
        for event in await self._runtime.store.run(self._rules.tick, config, now):
            await self._decider.decide_alone(event)
        await self._judge_objectives(config, now)

    async def _judge_objectives(self, config: Config, now: int) -> None:
        """A fault of ours in it costs nothing that comes after."""
        try:
            for event in await self._runtime.store.run(self._objectives.tick, config, now):
                await self._decider.decide_alone(event)
            await self._runtime.store.run(self._objectives.look, now)
        except (Fenced, StoreUnavailable):
            raise
        except Exception as error:
            report(error, shift="collect-metrics")
            log.exception("an unexpected error while judging objectives")

    def _store(self, sample: list[Point]) -> None:
        with self._runtime.store.measure() as conn:
            points.write(conn, sample)

    def _roll(self) -> None:
        with self._runtime.store.measure() as conn:
            rollups.roll(conn, self._runtime.clock.now() - micros(1))
