"""A Forewatch of its own to measure: the harness of the end-to-end tests, driven from an event loop."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import prefect
import psutil

from forewatch import __version__
from forewatch.home import Home
from forewatch.orchestration import orphans
from forewatch.runtime import Runtime
from forewatch.store import shifts
from tests.e2e.harness import Forewatch

T = TypeVar("T")

VERSIONS = {"forewatch": __version__, "prefect": prefect.__version__}


@asynccontextmanager
async def standing(folder: Path, config: str) -> AsyncIterator[Forewatch]:
    """`forewatch up` in a folder; it stands watch while the block lasts, nothing of it is left afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    forewatch = Forewatch(folder)
    forewatch.write_config(config)
    try:
        forewatch.up(wait=False)
        await asyncio.to_thread(forewatch.wait_ready)
        yield forewatch
    finally:
        try:
            await asyncio.to_thread(forewatch.stop)
        except subprocess.TimeoutExpired:
            forewatch.sweep()


async def until(what: str, look: Callable[[], Awaitable[T]], timeout: float = 20.0, every: float = 0.1) -> T:
    """The first true answer of `look`. Raises TimeoutError with a sentence after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (found := await look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout:.0f} s in vain for {what}")
        await asyncio.sleep(every)
    return found


def holders(runtime: Runtime) -> dict[int, str]:
    """Which process stands which shift."""
    with runtime.store.read() as conn:
        return {int(row.holder.rpartition(":")[2]): row.shift for row in shifts.listing(conn)}


def idle(runtime: Runtime) -> list[psutil.Process]:
    """Children that neither stand a shift nor run a flow run: the spares."""
    taken = set(holders(runtime)) | _busy(runtime.home)
    return [child for child in orphans.living(runtime.home, "children") if child.pid not in taken]


def _busy(home: Home) -> set[int]:
    """The processes that run a flow run."""
    found = set()
    for path in (home.run / "flow-runs").glob("*"):
        try:
            found.add(int(json.loads(path.read_text(encoding="ascii"))[0]))
        except (FileNotFoundError, ValueError):
            continue  # it has just ended, or just begun to be written
    return found
