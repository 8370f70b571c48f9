"""The `tcp` check: does somebody accept a connection at `host:port`?"""

from __future__ import annotations

import asyncio
import socket

from tasks.probes import words
from tasks.probes.attempt import Answer, Attempt, Failing


async def attempt(a: Attempt) -> Answer:
    host, port = host_and_port(a.filled(a.check.tcp or ""))
    a.waiting_for = "connection"
    try:
        addresses = await a.context.names.resolve(host)
    except socket.gaierror as error:
        raise Failing(words.of_os_error(error, host, port)) from error
    details = {"addresses": [address.host for address in addresses]}
    failed: OSError | None = None
    for address in addresses:
        try:
            # One address that swallows packets must leave time for the next.
            async with asyncio.timeout(a.check.timeout / len(addresses)):
                await _connect(address.family, address.host, port)
            return Answer(f"connected after {words.spoken(a.elapsed())}", details)
        except OSError as error:  # TimeoutError is one
            failed = error
    if failed is None or isinstance(failed, TimeoutError):
        raise Failing(f"no connection within {words.spoken(a.check.timeout)}", details, timed_out=True) from failed
    raise Failing(words.of_os_error(failed, host, port), details) from failed


async def _connect(family: int, address: str, port: int) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as wire:
        wire.setblocking(False)
        await asyncio.get_running_loop().sock_connect(wire, (address, port))


def host_and_port(target: str) -> tuple[str, int]:
    """`shop.example:443`, `[::1]:443`. Raises Failing for anything else."""
    host, _, port = target.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise Failing(f"{target} is not host:port")
    return host, int(port)
