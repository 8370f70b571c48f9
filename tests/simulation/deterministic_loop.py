"""An event loop without a clock, threads or sockets: time jumps to the next thing to do, in an order that never varies.

Everything a simulated process does carries its `Process` in its context. One that is killed is simply not run any
further: no `finally`, no `except`, as after `kill -9`.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from asyncio import events
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass
from typing import Any


@dataclass(eq=False)
class Process:
    """One incarnation of a process. `yields` counts the points at which it may be killed or delayed."""

    name: str
    number: int
    alive: bool = True
    yields: int = 0
    hangs_until: float = 0.0
    """Until when none of its tasks comes to anything."""
    watch: tuple[str, int] | None = None
    """The shift it stands, and its term."""

    def __str__(self) -> str:
        return f"{self.name}#{self.number}"


PROCESS: ContextVar[Process | None] = ContextVar("simulated_process", default=None)


class DeterministicLoop(asyncio.AbstractEventLoop):
    """Runs what is asked of it, earliest first, and what is due together in the order it was asked."""

    def __init__(self) -> None:
        self._now = 0.0
        self._queue: list[tuple[float, int, events.Handle]] = []
        self._count = itertools.count()
        self._tasks: list[tuple[asyncio.Task[Any], Context]] = []
        self.halted = ""
        """Why nothing more is to happen; empty while all goes on."""
        self.broken: list[dict[str, Any]] = []
        """What tasks raised that nobody waited for."""

    def time(self) -> float:
        return self._now

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> events.Handle:
        return self._add(self._now, events.Handle(callback, args, self, context or copy_context()))

    def call_at(self, when: float, callback: Any, *args: Any, context: Context | None = None) -> events.TimerHandle:
        handle = events.TimerHandle(when, callback, args, self, context or copy_context())
        self._add(max(when, self._now), handle)
        return handle

    def call_later(self, delay: float, callback: Any, *args: Any, context: Context | None = None) -> events.TimerHandle:
        return self.call_at(self._now + max(0.0, delay), callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: str | None = None, context: Context | None = None) -> asyncio.Task[Any]:
        context = context or copy_context()
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        self._tasks.append((task, context))
        return task

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """A thread that is through at once: which of them is first is no question here."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it is whoever waits who gets it
            future.set_exception(error)
        return future

    def set_default_executor(self, executor: Any) -> None:
        executor.shutdown(wait=False)

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.broken.append(context)

    def _timer_handle_cancelled(self, handle: events.TimerHandle) -> None:
        pass

    def run_until(self, until: float, steps: int) -> None:
        """Let time pass up to `until`. Raises RuntimeError after so many steps: then something spins."""
        before = events._get_running_loop()
        events._set_running_loop(self)
        try:
            while self._queue and self._queue[0][0] <= until:
                when, _, handle = heapq.heappop(self._queue)
                self._now = max(self._now, when)
                process = handle._context.get(PROCESS) if handle._context is not None else None
                if not handle._cancelled and (process is None or process.alive):
                    handle._run()
                    if self.halted:
                        raise RuntimeError(self.halted)
                    steps -= 1
                    if steps < 0:
                        raise RuntimeError(f"after {self._now:.3f} s there still is something to do at once")
            self._now = max(self._now, until)
        finally:
            events._set_running_loop(before)

    def close(self) -> None:
        """Forget everything that still waits."""
        self._queue.clear()
        for task, context in self._tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            if not task.done():
                context.run(_drop, task)
        self._tasks.clear()

    def _add(self, when: float, handle: Any) -> Any:
        heapq.heappush(self._queue, (when, next(self._count), handle))
        return handle


def _drop(task: asyncio.Task[Any]) -> None:
    """End the coroutine of a task that never goes on, without a word about it."""
    coroutine: Any = task.get_coro()
    try:
        coroutine.close()
    except RuntimeError:
        pass  # it awaits again on its way out, as code that shields does; it is garbage all the same
