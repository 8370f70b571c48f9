"""What the soak counts as a stand-in: what the worker logs of one, from when the watch stands."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.soak import stand_ins
from forewatch.clock import SystemClock, micros
from forewatch.guard.logs import OneLine
from forewatch.orchestration.launcher import Launcher
from forewatch.orchestration.shift_names import SHIFTS
from forewatch.orchestration.stand_in import ShiftGuard

pytestmark = pytest.mark.unit


class Stock:
    """Spares that do nothing."""

    async def take(self) -> Any:
        exited = asyncio.get_running_loop().create_future()
        return SimpleNamespace(pid=os.getpid(), exited=exited, send=lambda *message: True)


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[Path]:
    """The folder into which the launcher logs as it does in the worker."""
    handler = logging.FileHandler(tmp_path / "worker.log", encoding="utf-8")
    handler.setFormatter(OneLine("worker"))
    logger = logging.getLogger("forewatch.launcher")
    logger.addHandler(handler)
    yield tmp_path
    logger.removeHandler(handler)
    handler.close()


async def stand(*shifts: str, holder: str = "host:1") -> None:
    launcher = Launcher(Stock(), ShiftGuard(), lambda job, code: None)  # type: ignore[arg-type]
    for shift in shifts:
        await launcher.stand(shift, holder)


async def test_a_stand_in_is_counted(logs: Path) -> None:
    since = SystemClock().now()
    await stand(SHIFTS[0], SHIFTS[1])
    assert stand_ins(logs, since) == 2


async def test_those_of_the_start_are_not(logs: Path) -> None:
    await stand(*SHIFTS, holder="")
    await asyncio.sleep(0.002)
    since = SystemClock().now()
    assert stand_ins(logs, since) == 0
    await stand(SHIFTS[0])
    assert stand_ins(logs, since) == 1
    assert stand_ins(logs, since - micros(60)) == 1 + len(SHIFTS)


async def test_one_in_the_part_of_the_log_that_was_put_aside_is_counted_too(logs: Path) -> None:
    since = SystemClock().now()
    await stand(SHIFTS[0])
    (logs / "worker.log").rename(logs / "worker.log.1")
    assert stand_ins(logs, since) == 1
