"""The load on real servers on 127.0.0.1: what stalls is seen, and nothing that was due is missing."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from forewatch.clock import SystemClock
from forewatch.load_tests.load import Load, LoadRefused
from forewatch.load_tests.result import Measured
from forewatch.load_tests.runner import run

pytestmark = pytest.mark.alone

SERVER = Path(__file__).with_name("stalling_server.py")


@pytest.fixture
def server() -> Iterator[Callable[..., str]]:
    """Start a server that stalls from `begin` for `length` seconds; its URL."""
    started: list[subprocess.Popen[str]] = []

    def start(begin: float = 0.0, length: float = 0.0) -> str:
        command = [sys.executable, str(SERVER), str(begin), str(length)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        assert started[-1].stdout is not None
        return f"http://127.0.0.1:{int(started[-1].stdout.readline())}"

    yield start
    for process in started:
        process.kill()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


async def closed_loop(url: str, rate: float, duration: float) -> list[float]:
    """What a client measures that sends each request only once the one before is answered."""
    times = []
    async with httpx.AsyncClient(trust_env=False) as client:
        begin = time.monotonic()
        while time.monotonic() - begin < duration:
            sent = time.monotonic()
            await client.get(url)
            took = time.monotonic() - sent
            times.append(took)
            await asyncio.sleep(max(0.0, 1 / rate - took))
    return times


async def test_a_stall_is_seen_that_a_closed_loop_hides(server: Callable[..., str]) -> None:
    """One second of five without an answer: a fifth of all requests waited, and half a second on average."""
    hidden = await closed_loop(server(2.0, 1.0), rate=50, duration=5)
    measured = await run(Load(server(2.0, 1.0), rate=50, duration=5), SystemClock())

    # The closed loop sent one request in that second: its p99 says that all is well.
    assert float(np.quantile(hidden, 0.99)) < 0.3
    assert sum(took > 0.3 for took in hidden) <= 2
    assert measured.due == measured.good == 250
    assert 0.15 < measured.times.above(0.05) / 250 < 0.35
    assert 0.7 < measured.quantiles()["p99"] < 1.5
    assert measured.delayed == 0
    medians = [median for median in measured.medians if median is not None]
    assert len(medians) == 5
    assert medians[2] > 5 * medians[0]


async def test_what_finds_no_place_waits_with_the_clock_running_and_is_counted(server: Callable[..., str]) -> None:
    measured = await run(Load(server(0.5, 1.0), rate=50, duration=2, max_in_flight=4), SystemClock())
    assert measured.due == measured.good == 100
    # Fifty came due while four were under way.
    assert measured.delayed > 30
    assert measured.times.above(0.3) > 20


async def test_without_any_answer_all_is_accounted_for(server: Callable[..., str]) -> None:
    measured = await run(Load(f"{server()}/hang", rate=40, duration=1.5, timeout=0.5, max_in_flight=5), SystemClock())
    assert measured.due == 60 == measured.failed
    assert measured.good == 0
    # Those that had to wait for a place had the rest of their time only.
    assert measured.errors.get("timeout", 0) + measured.errors.get("unsent", 0) == 60
    assert measured.delayed + measured.errors.get("unsent", 0) == 55
    # They are in the times with the time-out: a service does not get fast by not answering.
    assert measured.quantiles()["p50"] == pytest.approx(0.5, rel=0.01)
    assert measured.throughput == 0.0


@pytest.mark.parametrize(("path", "kind"), [("/status/503", "status 503"), ("/close", "hung up without an answer")])
async def test_what_fails_at_once_is_an_error_of_its_kind_and_not_a_fast_answer(
    server: Callable[..., str], path: str, kind: str
) -> None:
    measured = await run(Load(server() + path, rate=20, duration=1), SystemClock())
    assert measured.errors == {kind: 20}
    assert measured.times.total == 0
    assert measured.error_ratio == 1.0


async def test_nobody_at_the_port_is_said(free_port: int) -> None:
    measured = await run(Load(f"http://127.0.0.1:{free_port}/", rate=20, duration=1), SystemClock())
    assert measured.errors == {"connection refused": 20}


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_poisson_arrivals_reach_the_service_as_they_were_drawn(server: Callable[..., str]) -> None:
    load = Load(server(), rate=60, duration=2, arrivals="poisson", seed=3, method="post", body="x" * 100)
    measured = await run(load, SystemClock())
    assert measured.good == measured.due != 120
    assert 80 < measured.due < 160
    assert measured.bytes == 5 * measured.good


async def test_stopped_it_gives_what_there_is_so_far(server: Callable[..., str]) -> None:
    stop, heard = asyncio.Event(), []
    load = Load(f"{server()}/hang", rate=20, duration=60, timeout=30)

    def told(measured: Measured) -> None:
        heard.append(measured.due)
        if measured.elapsed > 0.7:
            stop.set()

    begin = time.monotonic()
    measured = await run(load, SystemClock(), stop=stop, told=told)
    assert time.monotonic() - begin < 5
    assert measured.stopped
    assert not measured.trustworthy
    assert 10 <= measured.due <= 60
    assert measured.unfinished == measured.due
    assert len(heard) > 2


async def test_how_late_the_generator_itself_was_is_measured(server: Callable[..., str]) -> None:
    """Something else on the loop holds it up for half a second, as a core that is too slow would."""

    async def hold_up() -> None:
        await asyncio.sleep(0.5)
        time.sleep(0.5)  # noqa: ASYNC251 - it is to block

    measured, _ = await asyncio.gather(run(Load(server(), rate=50, duration=2), SystemClock()), hold_up())
    assert measured.lag.most > 0.4
    assert measured.lateness > 0.1
    assert not measured.trustworthy
    assert measured.due == measured.good == 100


async def test_a_load_without_bounds_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(LoadRefused):
        await run(Load("http://127.0.0.1:9/", rate=float("inf")), SystemClock())


def test_ctrl_c_in_a_terminal_gives_the_result_so_far(server: Callable[..., str]) -> None:
    command = [sys.executable, "-m", "forewatch.cli", "bench", server(), "--rate", "20", "--duration", "60s"]
    bench = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        # As long as it takes to start, and some seconds of load.
        with pytest.raises(subprocess.TimeoutExpired):
            bench.wait(12)
        bench.send_signal(signal.SIGINT)
        out, err = bench.communicate(timeout=20)
    finally:
        bench.kill()
    assert bench.returncode == 0, err
    assert "s of 60 s; " in out
    good = int(out.partition(" due, ")[2].partition(" good")[0])
    assert good > 20
    assert "Traceback" not in err
