"""Fitting on all cores where hundreds of series are due at once: after an outage, or on a first start with a past.

Each process reads, fits and writes its share by itself, so that nothing large goes between them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from pathlib import Path

from forewatch.detection.seasons import Calendar
from forewatch.errors import StoreError
from forewatch.home import Home
from forewatch.store.engine import Store
from tasks.forecasting.series import Due, Row, fit_anew

log = logging.getLogger("forewatch.forecast")

MANY = 600
"""Fits from which on other processes are worth their start and their memory: each takes three seconds to import what it
needs, and 200 MB while it works."""
SHARE = 25
"""Fits a process is handed at a time."""

_stores: dict[Path, Store] = {}


async def fit_in_processes(
    home: Home, anew: Sequence[Due], calendar: Calendar | None, used_up: Mapping[int, int], now: int, seconds: float
) -> tuple[list[Row], list[Due]]:
    """Fit these for so many seconds; what came of it, and what is left to do."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    shares = [list(anew[first : first + SHARE]) for first in range(0, len(anew), SHARE)]
    left, rows = shares[::-1], list[Row]()
    workers = os.cpu_count() or 1

    # Not forked: this process has threads, and a fork copies the locks they hold.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_end_with_parent)

    async def work() -> None:
        while left and loop.time() < until:
            share = left.pop()
            try:
                rows.extend(await loop.run_in_executor(pool, _fit_share, home.root, share, calendar, used_up, now))
            except (BrokenProcessPool, RuntimeError, StoreError) as error:
                log.warning("%d series could not be fitted in another process: %s", len(share), error)
                left.append(share)
                return

    try:
        await asyncio.gather(*(work() for _ in range(workers)))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return rows, [one for share in left[::-1] for one in share]


def _end_with_parent() -> None:
    """A process whose parent was killed would wait for work for ever."""
    parent = parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True, name="parent").start()


def _fit_share(
    root: Path, share: list[Due], calendar: Calendar | None, used_up: Mapping[int, int], now: int
) -> list[Row]:
    """In the other process, which keeps its store open between shares."""
    store = _stores.get(root) or _stores.setdefault(root, Store.open(Home(root)))
    return fit_anew(store, share, calendar, used_up, now)
