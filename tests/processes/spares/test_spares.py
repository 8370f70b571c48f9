"""Children from a forkserver that has everything imported: ready at once, and their death seen at once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from forewatch.orchestration.spares import Child, Spares

HERE = Path(__file__).parent


@pytest.fixture
async def spares(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Spares]:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    monkeypatch.syspath_prepend(str(HERE))
    stock = Spares(1, target="target:main")
    stock.start()
    yield stock
    for child in stock.children:
        child.kill()
    stock.close()
    await asyncio.sleep(0)


async def ask(child: Child, *command: Any) -> Any:
    answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    child.on_message = lambda message: answer.set_result(message[1])
    assert child.send(*command)
    async with asyncio.timeout(10):
        return await answer


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
async def test_the_forkserver_has_one_thread_and_all_that_flows_need(spares: Spares) -> None:
    child = await spares.take()
    assert await ask(child, "threads of the forkserver") == 1
    needed = ["prefect.flow_engine", "flows.respond", "runbooks.restart_service", "tasks.probes", "fastapi.encoders"]
    assert await ask(child, "imported", needed) == needed


async def test_a_spare_is_handed_out_at_once_and_replaced(spares: Spares) -> None:
    first = await spares.take()
    async with asyncio.timeout(20):
        while not spares.ready:
            await asyncio.sleep(0.02)
    began = time.monotonic()
    second = await spares.take()
    assert time.monotonic() - began < 0.05
    assert second.pid != first.pid


async def test_a_spare_that_dies_in_stock_is_replaced(spares: Spares) -> None:
    async with asyncio.timeout(30):
        while not spares.ready:
            await asyncio.sleep(0.02)
    before = spares.children[0].pid
    os.kill(before, signal.SIGKILL)
    async with asyncio.timeout(10):
        while not spares.ready or spares.children[0].pid == before:
            await asyncio.sleep(0.02)


async def test_a_spare_that_a_signal_has_stopped_is_not_handed_out(spares: Spares) -> None:
    async with asyncio.timeout(30):
        while not spares.ready:
            await asyncio.sleep(0.02)
    before = spares.children[0]
    os.kill(before.pid, signal.SIGSTOP)
    async with asyncio.timeout(5):
        while not before.stopped:
            await asyncio.sleep(0.01)
    assert (await spares.take()).pid != before.pid
    async with asyncio.timeout(3):
        assert await before.exited == -signal.SIGKILL


async def test_a_kill_is_seen_within_moments(spares: Spares) -> None:
    child = await spares.take()
    child.send("sleep")
    os.kill(child.pid, signal.SIGKILL)
    async with asyncio.timeout(3):
        code = await child.exited
    assert code == -signal.SIGKILL
    assert not child.alive
    assert not child.send("anything")


async def test_a_child_that_is_let_go_learns_of_it(spares: Spares, tmp_path: Path) -> None:
    child = await spares.take()
    mark = tmp_path / "let-go"
    child.send("touch when let go", str(mark))
    await asyncio.sleep(0.1)
    child.let_go()
    async with asyncio.timeout(5):
        while not mark.exists():
            await asyncio.sleep(0.02)
