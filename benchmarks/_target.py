"""A fast HTTP server to measure against: many loopback addresses on one port, in a process of its own."""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import cast

import uvloop

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
_CLOSING = _ANSWER.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


class _Ok(asyncio.Protocol):
    """Answers every request head with 200 `ok`; a request may come in pieces, or several at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not of asyncio's classes, only of their shape.
        self._transport = cast(asyncio.Transport, transport)
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
            if b"connection: close" in head.lower():
                self._transport.write(_CLOSING)
                self._transport.close()
            else:
                self._transport.write(_ANSWER)


def addresses(count: int) -> list[str]:
    """Distinct loopback addresses: 127.1.0.1, 127.1.0.2, ..."""
    return [f"127.1.{number // 250}.{number % 250 + 1}" for number in range(count)]


async def _serve(hosts: list[str], told: Connection) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for host in hosts:
        await loop.create_server(_Ok, host, port, backlog=4096)
    told.send(port)
    await asyncio.Event().wait()


def _main(hosts: list[str], told: Connection) -> None:
    uvloop.run(_serve(hosts, told))


@contextmanager
def target(hosts: list[str], within: float = 30.0) -> Iterator[int]:
    """The port on which every one of `hosts` answers while the block lasts. Raises RuntimeError where it does not start
    `within` seconds."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_main, args=(hosts, theirs), daemon=True)
    process.start()
    try:
        if not ours.poll(within):
            raise RuntimeError(f"the target server did not start within {within:g} s")
        yield ours.recv()
    finally:
        process.terminate()
        process.join(5)
