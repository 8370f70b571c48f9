"""All collectors together, each alone with its troubles: one that fails is named and the others go on."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from forewatch.config.models import Config
from forewatch.store.points import Point
from tasks.collect import host, own
from tasks.collect.filesystems import Writable, filesystems
from tasks.collect.gathering import Gathering
from tasks.collect.patience import Patience
from tasks.collect.processes import Processes
from tasks.collect.smart import Smart

if TYPE_CHECKING:
    from forewatch.runtime import Runtime

log = logging.getLogger(__name__)

TIMEOUT = 5.0
"""Seconds one collector gets for a round."""

Round = Callable[[Gathering], Awaitable[None]]


class Collector:
    """Kept as long as a shift lasts: what grows is compared with the round before.

    `root` is the pid of Forewatch's topmost process, found among our ancestors where it is not given.
    """

    def __init__(self, runtime: Runtime, *, root: int | None = None) -> None:
        self._runtime = runtime
        self._patience = Patience()
        self._cpu = host.Cpu()
        self._processes = Processes()
        self._smart = Smart(runtime.store)
        self._writable = Writable(runtime.store)
        self._own = own.OwnProcesses(runtime.home, root)
        self.reasons: dict[str, str] = {}
        """What is wrong at present, by collector."""

    async def collect(self, config: Config, now: int) -> list[Point]:
        """One round. Never raises: `forewatch.collector.up` is 1 for a collector that got all it went for, else 0."""
        rounds = [self._round(name, act, now) for name, act in self._collectors(config).items()]
        return [point for points in await asyncio.gather(*rounds) for point in points]

    def _collectors(self, config: Config) -> dict[str, Round]:
        home = self._runtime.home
        chosen: dict[str, Round] = {
            "processes": self._threaded("processes", functools.partial(self._processes, config=config)),
            "own": self._threaded("own", self._own),
            "files": self._threaded("files", functools.partial(own.files, home=home)),
            "queues": self._queues,
        }
        if config.metrics.host:
            chosen["cpu"] = self._threaded("cpu", self._cpu)
            for name in ("load", "memory", "disks", "network", "descriptors"):
                chosen[name] = self._threaded(name, getattr(host, name))
            chosen["smart"] = self._smart
            chosen["filesystems"] = functools.partial(filesystems, patience=self._patience, writable=self._writable)
        return chosen

    def _threaded(self, name: str, act: Callable[[Gathering], None]) -> Round:
        async def call(into: Gathering) -> None:
            await self._patience.call(name, functools.partial(act, into), TIMEOUT)

        return call

    async def _queues(self, into: Gathering) -> None:
        async with asyncio.timeout(TIMEOUT):
            await self._runtime.store.run(own.queues, into, self._runtime.store)

    async def _round(self, name: str, act: Round, now: int) -> list[Point]:
        into = Gathering(now)
        try:
            await act(into)
            points, reason = into.points, "; ".join(into.problems)
        except Exception as error:  # noqa: BLE001 whatever one collector stumbles over is reported and stops no other
            # What a hanging one still adds later must not change what was handed out.
            points, reason = [], f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        self._note(name, reason)
        up = Point("forewatch.collector.up", {"collector": name}, own.SERVICE, now, 0.0 if reason else 1.0)
        return [*points, up]

    def _note(self, name: str, reason: str) -> None:
        """Say each trouble once, and when it is over."""
        before = self.reasons.pop(name, "")
        if reason:
            self.reasons[name] = reason
            if reason != before:
                log.warning("collector %s: %s", name, reason)
        elif before:
            log.info("collector %s works again", name)
