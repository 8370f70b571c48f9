"""Calls that may hang in the kernel, such as statvfs on a dead network mount, waited for only so long.

Each runs in a daemon thread of its own: no pool that a hanging one could fill, nothing that holds up the process's end.
While an earlier call under the same key still hangs, the next one fails at once instead of adding another thread.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Patience:
    def __init__(self) -> None:
        self._hanging: dict[str, threading.Thread] = {}

    async def call(self, key: str, fn: Callable[[], T], timeout: float) -> T:
        """`fn()`, and what it raises. Raises TimeoutError after `timeout` seconds, at once if it hangs from before."""
        earlier = self._hanging.get(key)
        if earlier is not None and earlier.is_alive():
            raise TimeoutError(f"{key} has not answered since an earlier round")
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[T] = loop.create_future()

        def deliver(act: Callable[[], None]) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(lambda: None if outcome.done() else act())

        def work() -> None:
            try:
                value = fn()
            except BaseException as error:  # noqa: BLE001 it belongs to the caller, who gets it
                deliver(lambda error=error: outcome.set_exception(error))  # type: ignore[misc]
            else:
                deliver(lambda: outcome.set_result(value))

        thread = threading.Thread(target=work, name=f"collect {key}", daemon=True)
        self._hanging[key] = thread
        thread.start()
        try:
            async with asyncio.timeout(timeout):
                result = await outcome
        except TimeoutError:
            if outcome.done() and not outcome.cancelled():
                raise
            raise TimeoutError(f"{key} has not answered within {timeout:g}s") from None
        del self._hanging[key]
        return result
