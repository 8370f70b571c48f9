"""The Prometheus blackbox exporter as a peer: started, asked by a client lean enough not to be what is measured."""

from __future__ import annotations

import asyncio
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import psutil

from benchmarks._processes import answering

PROGRAM = "prometheus-blackbox-exporter"
_MODULES = "modules: {http_2xx: {prober: http, timeout: 5s, http: {preferred_ip_protocol: ip4}}}\n"


def installed() -> bool:
    return shutil.which(PROGRAM) is not None


class Client(asyncio.Protocol):
    """One kept connection; one question at a time."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not of asyncio's classes, only of their shape.
        self._transport = cast(asyncio.Transport, transport)

    async def get(self, path: str) -> bytes:
        self._buffer.clear()
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(f"GET {path} HTTP/1.1\r\nHost: blackbox\r\n\r\n".encode())
        return await self._answer

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, split, body = bytes(self._buffer).partition(b"\r\n\r\n")
        if not split or self._answer is None or self._answer.done():
            return
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if (len(body) >= int(length)) if length else body.endswith(b"0\r\n\r\n"):
            self._answer.set_result(body if length else _joined(body))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("the exporter hung up"))


def _joined(chunked: bytes) -> bytes:
    """The body that came in chunks: `<length in hex>\\r\\n<bytes>\\r\\n` each, the last of length 0."""
    parts = []
    while chunked:
        length, _, rest = chunked.partition(b"\r\n")
        parts.append(rest[: int(length, 16)])
        chunked = rest[int(length, 16) + 2 :]
    return b"".join(parts)


@asynccontextmanager
async def exporter() -> AsyncIterator[tuple[int, psutil.Process]]:
    """A running exporter: its port and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "blackbox.yml")
        config.write_text(_MODULES)
        command = [PROGRAM, f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            await answering(port, "the blackbox exporter")
            yield port, psutil.Process(process.pid)
        finally:
            process.terminate()
            await asyncio.wait_for(process.wait(), 10)


async def sweep(port: int, urls: list[str], connections: int) -> int:
    """Have every URL probed once over parallel connections; returns how many succeeded."""
    loop = asyncio.get_running_loop()
    waiting = iter(urls)
    passed = 0

    async def ask() -> None:
        nonlocal passed
        transport, client = await loop.create_connection(Client, "127.0.0.1", port)
        try:
            for url in waiting:
                answer = await client.get(f"/probe?module=http_2xx&target={url}")
                passed += b"\nprobe_success 1" in answer
        finally:
            transport.close()

    await asyncio.gather(*(ask() for _ in range(connections)))
    return passed
