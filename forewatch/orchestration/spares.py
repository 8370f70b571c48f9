"""Children forked from a forkserver that has everything imported already, and a stock of them kept ready.

The forkserver (`forkserver.py`) is one process with exactly one thread that has imported Prefect and our packages; a
child forked from it is at its first line within milliseconds. It is never the worker at work that is forked: its event
loop, connections and threads would not survive that.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import Any

import psutil

from forewatch.orchestration.forkserver import PRELOAD

log = logging.getLogger("forewatch.spares")

READY_TIMEOUT = 60.0
"""Seconds for a child to say it is ready; the first one waits for the forkserver's imports."""
EXIT_TIMEOUT = 2.0
REFILL_DELAY = 2.0
"""Seconds before a taken spare is replaced while another is left: what it was taken for needs the cores now."""


class Child:
    """One forked process and the pipe to it. The pipe's end of file is the sign of its death."""

    def __init__(self, process: ForkServerProcess, pipe: Connection) -> None:
        self._process = process
        self._pipe = pipe
        self._loop = asyncio.get_running_loop()
        self.pid: int = process.pid or 0
        self.job: str | None = None
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self.exited: asyncio.Future[int] = self._loop.create_future()
        self.on_message: Callable[[tuple[Any, ...]], None] = lambda message: None
        self._loop.add_reader(pipe.fileno(), self._readable)

    def _readable(self) -> None:
        try:
            while self._pipe.poll():
                message = self._pipe.recv()
                if message[0] == "ready":
                    if not self.ready.done():
                        self.ready.set_result(None)
                else:
                    self.on_message(message)
        except (EOFError, OSError):
            self._loop.remove_reader(self._pipe.fileno())
            self._pipe.close()
            self._loop.create_task(self._reap())

    async def _reap(self) -> None:
        await asyncio.to_thread(self._process.join, EXIT_TIMEOUT)
        code = self._process.exitcode
        if not self.ready.done():
            self.ready.set_exception(ChildProcessError(f"child {self.pid} ended with {code} before it was ready"))
            self.ready.exception()
        if not self.exited.done():
            self.exited.set_result(-1 if code is None else code)

    @property
    def alive(self) -> bool:
        return not self._pipe.closed

    @property
    def stopped(self) -> bool:
        """Whether a signal has stopped it (`kill -STOP`): it takes commands and does nothing."""
        try:
            return psutil.Process(self.pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
        except psutil.Error:
            return False

    def send(self, *message: Any) -> bool:
        """Give the child a command. False where it is gone."""
        if self._pipe.closed:
            return False
        try:
            self._pipe.send(message)
        except OSError:
            return False
        return True

    def let_go(self) -> None:
        """Close our end: a spare ends, a shift goes on without us, a runbook ends after its current step."""
        if not self._pipe.closed:
            self._loop.remove_reader(self._pipe.fileno())
            self._pipe.close()

    def kill(self) -> None:
        """The last resort, for a child that did not end when asked."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


class Spares:
    """`count` children kept ready; `take` hands one out at once and has it replaced."""

    def __init__(self, count: int, target: str = "forewatch.orchestration.child:main") -> None:
        self.count = count
        self._target = target
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([PRELOAD])
        self._ready: deque[Child] = deque()
        self._children: set[Child] = set()
        self._refill: asyncio.Task[None] | None = None
        self._forking = asyncio.Lock()
        self._closed = False

    @property
    def ready(self) -> int:
        return sum(child.alive for child in self._ready)

    @property
    def children(self) -> list[Child]:
        """All that live, spares and busy ones."""
        return [child for child in self._children if child.alive]

    def start(self) -> None:
        """Begin to fork; the first fork starts the forkserver and waits for its imports."""
        self._refill = asyncio.create_task(self._fill())

    async def take(self) -> Child:
        """A child that is ready for a command. Raises TimeoutError or ChildProcessError if none can be had."""
        while self._ready:
            child = self._ready.popleft()
            if child.alive and child.stopped:
                child.kill()
            elif child.alive:
                break
        else:
            child = await self._fork()
        if self._refill is None or self._refill.done():
            self._refill = asyncio.create_task(self._fill(0.0 if self.ready == 0 else REFILL_DELAY))
        return child

    async def _fill(self, delay: float = 0.0) -> None:
        await asyncio.sleep(delay)
        failures = 0
        while not self._closed and self.ready < self.count and failures < 5:
            try:
                self._ready.append(await self._fork())
            except (TimeoutError, OSError) as error:
                failures += 1
                log.error("a spare could not be made: %s", error)
                await asyncio.sleep(min(2.0**failures, 10))

    async def _fork(self) -> Child:
        async with self._forking:
            ours, theirs = multiprocessing.Pipe()
            process = self._context.Process(target=_run, args=(self._target, theirs), daemon=False)
            # Starting talks to the forkserver, whose first answer takes as long as its imports.
            try:
                await asyncio.to_thread(process.start)
            except (EOFError, OSError) as error:
                ours.close()
                raise ChildProcessError("the forkserver died while it was asked for a child") from error
            finally:
                theirs.close()
            child = Child(process, ours)
        self._children.add(child)
        child.exited.add_done_callback(lambda _: self._gone(child))
        try:
            async with asyncio.timeout(READY_TIMEOUT):
                await asyncio.shield(child.ready)
        except TimeoutError:
            child.kill()
            raise
        return child

    def _gone(self, child: Child) -> None:
        self._children.discard(child)
        if child in self._ready:
            # A spare that died in stock is replaced before somebody needs it.
            self._ready.remove(child)
            if not self._closed and (self._refill is None or self._refill.done()):
                self._refill = asyncio.create_task(self._fill())

    async def retire(self) -> None:
        """Let the spares go and make new ones: configuration has changed since they were forked."""
        while self._ready:
            self._ready.popleft().let_go()
        if self._refill is None or self._refill.done():
            self._refill = asyncio.create_task(self._fill())

    def close(self) -> None:
        """Let everything go. Busy children end by their own rules."""
        self._closed = True
        if self._refill is not None:
            self._refill.cancel()
        for child in self.children:
            child.let_go()


def _run(target: str, pipe: Connection) -> None:
    from importlib import import_module

    module, _, name = target.partition(":")
    getattr(import_module(module), name)(pipe)
