"""Telling Prefect something beside the work: nothing waits for it, and nothing fails with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger("forewatch.beside")

TELLING = 5.0
"""Seconds that a process whose work is through waits for Prefect to take what it was told."""

HEAD_START = 0.5
"""Seconds that what is told first leaves to the work: teller, server and work share the cores."""

_unfinished: set[asyncio.Task[bool]] = set()


def beside(work: Coroutine[Any, Any, Any], what: str, after: float = 0.0) -> asyncio.Task[bool]:
    """Do it in the background, `after` seconds from now; the task says whether Prefect took it, the log if not."""

    async def tell() -> bool:
        try:
            await asyncio.sleep(after)
            await work
        except Exception as error:  # noqa: BLE001 - whatever it is, the work must not fail with it
            log.warning("Prefect does not show %s: %s", what, error or type(error).__name__)
            return False
        finally:
            work.close()
        return True

    task = asyncio.create_task(tell())
    _unfinished.add(task)
    task.add_done_callback(_unfinished.discard)
    return task


async def told() -> None:
    """Give what is told beside the work its time before it ends; what was not told by then is not told any more."""
    if _unfinished:
        _, late = await asyncio.wait(set(_unfinished), timeout=TELLING)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=TELLING)
