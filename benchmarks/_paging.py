"""The duty of `page-people` as a process of its own: it decides what `serve` takes in, and delivers."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

from forewatch.home import Home
from forewatch.runtime import open_runtime
from forewatch.store import shifts
from tasks.shifts.page_people import PagePeople


async def _page(home: Home) -> None:
    runtime = open_runtime(home)
    with runtime.store.decide() as conn:
        now = runtime.clock.now()
        fence = shifts.take(conn, "page-people", "bench", expected_term=None, scheduled_for=now, now=now)
    if fence is None:
        raise RuntimeError("somebody else decides on this folder")
    await PagePeople(runtime, fence).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(_page(Home(Path(sys.argv[1]))))
