"""Calls that may hang in the kernel, such as statvfs on a dead network mount, waited for only so long.

Each runs in a daemon thread of its own: no pool that a hanging one could fill, nothing that holds up the process's end.
While an earlier call under the same key still hangs, the next one fails at once instead of adding another thread.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

T = TypeVar("T")


class Patience:
    def __init__(self) -> None:
        self._hanging: set[str] = set()

    async def call(self, key: str, fn: Callable[[], T], timeout: float) -> T:
        """`fn()`, and what it raises. Raises TimeoutError after `timeout` seconds, at once if it hangs from before."""
        if key in self._hanging:
            raise TimeoutError(f"{key} has not answered since an earlier round")
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[T] = loop.create_future()

        def deliver(act: Callable[[], None]) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(lambda: None if outcome.done() else act())

        def work() -> None:
            act: Callable[[], None]
            try:
                act = partial(outcome.set_result, fn())
            except BaseException as error:  # noqa: BLE001 it belongs to the caller, who gets it
                act = partial(outcome.set_exception, error)
            # Before the answer: a thread still counts as alive for a moment after its caller has gone on.
            self._hanging.discard(key)
            deliver(act)

        self._hanging.add(key)
        threading.Thread(target=work, name=f"collect {key}", daemon=True).start()
        try:
            async with asyncio.timeout(timeout):
                return await outcome
        except TimeoutError:
            if outcome.done() and not outcome.cancelled():
                raise
            raise TimeoutError(f"{key} has not answered within {timeout:g}s") from None
