"""What a person would look for in the Prefect UI: a state change, a failed delivery, as a task run of the shift.

A task run costs the server 20-43 ms of CPU and 20 kB of database, so a check's result is none. Outside of a flow run (a
stand-in, a test) nothing is recorded; our own store has it either way.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.context import FlowRunContext

log = logging.getLogger("forewatch.audit")

MOST_A_MINUTE = 30
"""Task runs a minute; a storm of state changes is a matter for the store, not for a list of task runs."""
TIMEOUT = 30.0
LATER = 5.0
"""Seconds until it is recorded: at the moment itself the server has a remedy's flow run to make (with the record made
at
once, asked for to started took 0.30 s instead of 0.18 s)."""


class Audit:
    """Records in the background: what is recorded has happened, and nobody waits for Prefect to hear of it."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque()
        self._left_out = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()

    def record(self, name: str, text: str) -> None:
        """Make a task run named `name` whose log says `text`."""
        if FlowRunContext.get() is None:
            return
        now = asyncio.get_running_loop().time()
        while self._recent and now - self._recent[0] > 60:
            self._recent.popleft()
        if len(self._recent) >= MOST_A_MINUTE:
            self._left_out += 1
            return
        if self._left_out:
            text = f"{text} ({self._left_out} before this one were left out here)"
            self._left_out = 0
        self._recent.append(now)
        recording = asyncio.create_task(self._record(name, text))
        self._tasks.add(recording)
        recording.add_done_callback(self._tasks.discard)

    async def _record(self, name: str, text: str) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LATER):
                await self._closing.wait()
        try:
            async with asyncio.timeout(TIMEOUT):
                await _state_change.with_options(task_run_name=name)(text)
        except Exception as error:  # noqa: BLE001 - Prefect may raise anything; the watch must not notice
            log.warning("%s was not recorded as a task run: %s", name, error)

    async def close(self, timeout: float = 2.0) -> None:
        """Record what waits now, and let it end."""
        self._closing.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout)


@task(name="state-change", cache_policy=NO_CACHE, persist_result=False)
async def _state_change(text: str) -> None:
    """Something changed that people look for afterwards."""
    get_run_logger().info("%s", text)
