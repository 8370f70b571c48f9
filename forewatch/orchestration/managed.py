"""One process under the supervisor's care: started, watched, restarted with back-off, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from forewatch.guard.safe_files import append
from forewatch.home import Home
from forewatch.orchestration import orphans

log = logging.getLogger("forewatch.supervisor")

FIRST_DELAY = 0.2
LONGEST_DELAY = 30.0
NOT_STARTED = 126
"""What a process that could not be started counts as having ended with, as in a shell."""
STEADY_AFTER = 60.0
"""Seconds alive after which the next death counts as the first again."""


class Managed:
    """`role` names its notes and its log. `on_exit(role, code, delay)` hears of every death
    that was not asked for, and in how many seconds it starts again."""

    def __init__(
        self,
        role: str,
        argv: Sequence[str],
        environment: Mapping[str, str],
        home: Home,
        on_exit: Callable[[str, int, float], None],
    ) -> None:
        self.role = role
        self._argv = list(argv)
        self._environment = dict(environment)
        self._home = home
        self._on_exit = on_exit
        self._process: asyncio.subprocess.Process | None = None
        self._care: asyncio.Task[None] | None = None
        self.restarts = 0

    @property
    def log_file(self) -> Path:
        return self._home.logs / f"{self.role}.log"

    @property
    def pid(self) -> int | None:
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process is not None else None

    def start(self) -> None:
        """Start it and keep it alive until `stop`."""
        self._care = asyncio.create_task(self._keep_alive())

    async def _keep_alive(self) -> None:
        loop = asyncio.get_running_loop()
        delay = FIRST_DELAY
        while True:
            began = loop.time()
            try:
                code = await self._run_once()
            except OSError as error:
                # No process, no memory, no file to be had just now: as good as one that died at once.
                log.error("%s cannot be started: %s", self.role, error)
                code = NOT_STARTED
            delay = FIRST_DELAY if loop.time() - began > STEADY_AFTER else delay
            self._on_exit(self.role, code, delay)
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY)
            self.restarts += 1

    async def _run_once(self) -> int:
        with os.fdopen(append(self.log_file), "ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self._argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment,
                # Inside our own PREFECT_HOME, so that no .env, prefect.toml or pyproject.toml of a user is read.
                cwd=self._home.prefect,
                # The terminal's Ctrl-C is for the supervisor alone, which stops everything in the right order.
                start_new_session=True,
            )
        orphans.note(self._home, self.role, self._process.pid)
        return await self._process.wait()

    def restart(self) -> None:
        """Ask it to end; it is started again at once."""
        if self.pid is not None:
            os.kill(self.pid, signal.SIGTERM)

    def recycle(self) -> None:
        """SIGKILL to its whole session because it hangs; it is started again at once."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def signal_stop(self) -> None:
        """Stop caring and send SIGTERM, without waiting."""
        if self._care is not None:
            self._care.cancel()
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to its whole session, at once."""
        if self._care is not None:
            self._care.cancel()
        self.recycle()

    async def stop(self, timeout: float) -> None:
        """SIGTERM, wait, SIGKILL to its whole session. Forewatch's own parts only: services have their own sessions."""
        self.signal_stop()
        process = self._process
        if process is None:
            return
        try:
            async with asyncio.timeout(timeout):
                await process.wait()
        except TimeoutError:
            log.warning("%s did not end within %.0f s and is killed", self.role, timeout)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
