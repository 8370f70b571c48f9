"""The forkserver is forked off the worker, shares its memory, and ends with it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

HERE = Path(__file__).parent

WORKER = """\
import sys
sys.path.insert(0, {here!r})
from forewatch.orchestration.forkserver import fork_forkserver
fork_forkserver()
import asyncio, os
from multiprocessing import forkserver
from forewatch.orchestration.spares import Spares

async def main():
    spares = Spares(1, target="target:main")
    first = await spares.take()
    os.kill(forkserver._forkserver._forkserver_pid, {sign})
    try:
        second = await spares.take()
    except ChildProcessError:
        # It was asked just when it died.
        second = await spares.take()
    print(first.pid, second.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def worker(sign: int) -> tuple[subprocess.Popen[str], psutil.Process, psutil.Process]:
    """A worker that signals its forkserver between two forks; with the two children it got."""
    code = WORKER.format(here=str(HERE), sign=sign)
    surroundings = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=surroundings)
    assert process.stdout is not None
    first, second = map(int, process.stdout.readline().split())
    return process, psutil.Process(first), psutil.Process(second)


async def gone(pid: int) -> None:
    async with asyncio.timeout(10):
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.02)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_it_is_forked_off_the_worker_with_one_thread_and_ends_with_it() -> None:
    process, first, second = worker(sign=0)
    forkserver = first.parent()
    assert forkserver is not None
    try:
        assert forkserver == second.parent()
        assert forkserver.ppid() == process.pid
        assert forkserver.num_threads() == 1
        assert forkserver.cmdline() == psutil.Process(process.pid).cmdline()
        rollup = Path(f"/proc/{forkserver.pid}/smaps_rollup").read_text(encoding="ascii")
        shared = dict(line.split(":", 1) for line in rollup.splitlines()[1:])
        assert int(shared["Shared_Dirty"].split()[0]) > 50_000
    finally:
        process.kill()
        process.wait()
    for child in (first, second, forkserver):
        await gone(child.pid)


async def test_one_that_dies_is_followed_by_a_fresh_one() -> None:
    process, first, second = worker(sign=signal.SIGKILL)
    try:
        after = second.parent()
        assert after is not None
        assert after != first.parent()
        assert "multiprocessing.forkserver" in " ".join(after.cmdline())
    finally:
        process.kill()
        process.wait()
    await gone(second.pid)
