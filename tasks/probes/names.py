"""Host names to addresses, so that a dead name server delays only the checks that need it.

The system's resolver blocks and cannot be interrupted. Each look-up therefore has a daemon thread of its own: it holds
up neither the loop's shared threads nor the process's exit, and all that wait for one name share one look-up.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress
from typing import NamedTuple

KEPT = 5.0
"""Seconds an answer is used for."""
LOOKUPS = 256
"""How many may be under way; further ones wait."""


class Address(NamedTuple):
    family: int
    host: str
    """Of a link-local IPv6 address with its zone."""


class Names:
    """What `http`, `tcp` and `tls` checks ask; belongs to one loop."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, list[Address]]] = {}
        self._asked: dict[str, asyncio.Task[list[Address]]] = {}
        self._turns = asyncio.Semaphore(LOOKUPS)

    async def resolve(self, host: str) -> list[Address]:
        """The addresses of a host, IPv4 and IPv6 in the system's order. Raises socket.gaierror."""
        known = self._known.get(host)
        if known is not None and asyncio.get_running_loop().time() < known[0]:
            return known[1]
        asked = self._asked.get(host)
        if asked is None:
            asked = self._asked[host] = asyncio.create_task(self._ask(host))
            # Whoever asked may have run out of time; an error nobody waits for any more is no news.
            asked.add_done_callback(lambda task: None if task.cancelled() else task.exception())
        return await asyncio.shield(asked)

    async def _ask(self, host: str) -> list[Address]:
        loop = asyncio.get_running_loop()
        try:
            async with self._turns:
                addresses = await _in_daemon_thread(host)
            self._known[host] = (loop.time() + KEPT, addresses)
            return addresses
        finally:
            del self._asked[host]

    async def close(self) -> None:
        for task in list(self._asked.values()):
            task.cancel()


async def _in_daemon_thread(host: str) -> list[Address]:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[Address]] = loop.create_future()

    def settle(addresses: list[Address] | None, error: OSError | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(addresses or [])

    def look_up() -> None:
        found: list[Address] | None = None
        failed: OSError | None = None
        try:
            found = _look_up(host)
        except OSError as error:
            failed = error
        except UnicodeError:
            failed = socket.gaierror(socket.EAI_NONAME, "not a host name")
        # The loop may be gone by the time a dead name server is given up on.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, found, failed)

    threading.Thread(target=look_up, name=f"look up {host}", daemon=True).start()
    return await answer


def _look_up(host: str) -> list[Address]:
    infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    # A link-local IPv6 address means nothing without its zone, which only getnameinfo spells out.
    return list(
        dict.fromkeys(
            Address(int(kind), socket.getnameinfo(where, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0])
            for kind, _, _, _, where in infos
        )
    )
