"""What takes alerts in, as processes: our `serve` with a decider beside it, or an Alertmanager; and a lean client."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import psutil

from benchmarks._processes import answering
from forewatch.clock import SystemClock
from forewatch.config.files import read_tree
from forewatch.config.reload import Configuration
from forewatch.home import Home
from forewatch.intake.drain import Drain
from forewatch.orchestration.settings import Settings
from forewatch.store import config_versions, shifts
from forewatch.store.engine import Store

ALERTMANAGER = "prometheus-alertmanager"
_CONFIG = "hosts: [bench]\nservices:\n  - name: host\nsources:\n  - name: bench\n    alertmanager: {}\n"
_AM_CONFIG = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"
_STOP = 10.0


def installed() -> bool:
    return shutil.which(ALERTMANAGER) is not None


def alert(number: int) -> dict[str, object]:
    """An alert of the size Prometheus sends."""
    return {
        "labels": {
            "alertname": "HighLatency",
            "service": f"service-{number % 100}",
            "instance": f"10.0.{number // 250 % 250}.{number % 250}:9100",
            "job": "node",
            "severity": "warning",
            "number": str(number),
        },
        "annotations": {
            "summary": "Requests take longer than they should",
            "description": "The 99th percentile has been above 500 ms for 10 minutes.",
        },
        "generatorURL": "http://prometheus.example.org:9090/graph?g0.expr=latency%3Ahistogram_quantile+%3E+0.5",
    }


def request(alerts: list[dict[str, object]]) -> bytes:
    body = json.dumps(alerts).encode()
    head = (
        f"POST /api/v2/alerts HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    )
    return head.encode() + b"\r\n\r\n" + body


class Client(asyncio.Protocol):
    """One kept connection; one request at a time; answers with the status alone."""

    def __init__(self) -> None:
        self._buffer = b""
        self._answer: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not of asyncio's classes, only of their shape.
        self._transport = cast(asyncio.Transport, transport)

    async def send(self, request: bytes) -> int:
        self._buffer = b""
        self._answer = asyncio.get_running_loop().create_future()
        if self._transport.is_closing():
            raise ConnectionResetError("the server hung up")
        self._transport.write(request)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, split, body = self._buffer.partition(b"\r\n\r\n")
        if not split or self._answer is None or self._answer.done():
            return
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if len(body) >= int(length or 0):
            self._answer.set_result(int(head[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("the server hung up"))


@dataclass
class Load:
    """What a load came to: seconds of each request, by when it was answered; which requests were taken."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)
    refused: int = 0


async def load(port: int, requests: Iterator[tuple[int, bytes]], connections: int, seconds: float) -> Load:
    """Send requests as fast as they are answered, on some connections, for some seconds or until the server is gone."""
    done = Load()
    loop = asyncio.get_running_loop()
    began = time.perf_counter()

    async def send() -> None:
        transport, client = await loop.create_connection(Client, "127.0.0.1", port)
        try:
            while time.perf_counter() - began < seconds:
                number, request = next(requests)
                sent = time.perf_counter()
                status = await client.send(request)
                done.latencies.append(time.perf_counter() - sent)
                if status == 200:
                    done.taken.append(number)
                else:
                    done.refused += 1
        except (ConnectionError, StopIteration):
            return
        finally:
            transport.close()

    await asyncio.gather(*(send() for _ in range(connections)))
    done.seconds = time.perf_counter() - began
    return done


@dataclass
class Server:
    """A process that takes alerts in under `port`; `beside` are those that work with it."""

    port: int
    process: asyncio.subprocess.Process
    home: Home | None = None
    beside: list[asyncio.subprocess.Process] = field(default_factory=list)

    def cpu(self) -> float:
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@asynccontextmanager
async def forewatch(
    folder: Path, *, beside: str | None = "benchmarks._intake", config_text: str = _CONFIG
) -> AsyncIterator[Server]:
    """`serve` on a new state folder, and a process of the module `beside` that decides what it takes in."""
    home = Home(folder / "state")
    home.create()
    config = folder / "forewatch.yaml"
    config.write_text(config_text, encoding="utf-8")
    store = Store.open(home, migrate=True)
    with store.decide() as conn:
        config_versions.add(conn, read_tree(config).config_files().files, SystemClock().now())
    store.close()
    port = free_port()
    Settings(config=str(config), port=port).write(home)
    environment = {**os.environ, "FOREWATCH_HOME": str(home.root)}
    with (folder / "log").open("ab") as log:
        serve = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "forewatch.console.serve", env=environment, stdout=log, stderr=log
        )
        server = Server(port, serve, home)
        if beside is not None:
            command = [sys.executable, "-m", beside, str(home.root)]
            server.beside.append(await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log))
    try:
        await answering(port, f"the process that logs to {folder / 'log'}", 30.0)
        yield server
    finally:
        await _stop(server)


@asynccontextmanager
async def alertmanager(folder: Path) -> AsyncIterator[Server]:
    """A stock Alertmanager with one route that tells nobody."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "alertmanager.yml").write_text(_AM_CONFIG, encoding="utf-8")
    port = free_port()
    with (folder / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            ALERTMANAGER,
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
            stdout=log,
            stderr=log,
        )
    server = Server(port, process)
    try:
        await answering(port, f"the process that logs to {folder / 'log'}", 30.0)
        yield server
    finally:
        await _stop(server)


async def _stop(server: Server) -> None:
    for process in (server.process, *server.beside):
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), _STOP)
            except TimeoutError:
                process.kill()
                await process.wait()


def _decide(home: Home) -> None:
    """Decide the inbox until the process is ended, as the shift `page-people` does."""
    store, clock = Store.open(home), SystemClock()
    with store.decide() as conn:
        now = clock.now()
        fence = shifts.take(conn, "page-people", "bench", expected_term=None, scheduled_for=now, now=now)
    if fence is None:
        raise RuntimeError("somebody else decides on this folder")
    drain = Drain(store, clock, Configuration(store), fence)
    while True:
        time.sleep(0.1 if drain.slice().idle else 0.002)


if __name__ == "__main__":
    _decide(Home(Path(sys.argv[1])))
