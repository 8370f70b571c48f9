"""Host names to addresses, so that a dead name server delays only the checks that need it.

The system's resolver blocks and cannot be interrupted. Each look-up therefore has a daemon thread of its own: it holds
up neither the loop's shared threads nor the process's exit, and all that wait for one name share one look-up.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress

from aiohttp.abc import AbstractResolver, ResolveResult

KEPT = 5.0
"""Seconds an answer is used for."""
LOOKUPS = 256
"""How many may be under way; further ones wait."""

_Key = tuple[str, int]
_Addresses = list[tuple[int, str]]


class Names(AbstractResolver):
    """A resolver for aiohttp and for the `tcp` check; belongs to one loop."""

    def __init__(self) -> None:
        self._known: dict[_Key, tuple[float, _Addresses]] = {}
        self._asked: dict[_Key, asyncio.Task[_Addresses]] = {}
        self._turns = asyncio.Semaphore(LOOKUPS)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a host, IPv4 and IPv6 in the system's order. Raises socket.gaierror."""
        key = (host, int(family))
        known = self._known.get(key)
        if known is not None and asyncio.get_running_loop().time() < known[0]:
            addresses = known[1]
        else:
            asked = self._asked.get(key)
            if asked is None:
                asked = self._asked[key] = asyncio.create_task(self._ask(key))
                # Whoever asked may have run out of time; an error nobody waits for any more is no news.
                asked.add_done_callback(lambda task: None if task.cancelled() else task.exception())
            addresses = await asyncio.shield(asked)
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
            for kind, address in addresses
        ]

    async def _ask(self, key: _Key) -> _Addresses:
        loop = asyncio.get_running_loop()
        try:
            async with self._turns:
                addresses = await _in_daemon_thread(key)
            self._known[key] = (loop.time() + KEPT, addresses)
            return addresses
        finally:
            del self._asked[key]

    async def close(self) -> None:
        for task in list(self._asked.values()):
            task.cancel()


async def _in_daemon_thread(key: _Key) -> _Addresses:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[_Addresses] = loop.create_future()

    def settle(addresses: _Addresses | None, error: OSError | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(addresses or [])

    def look_up() -> None:
        found: _Addresses | None = None
        failed: OSError | None = None
        try:
            found = _look_up(*key)
        except OSError as error:
            failed = error
        except UnicodeError:
            failed = socket.gaierror(socket.EAI_NONAME, "not a host name")
        # The loop may be gone by the time a dead name server is given up on.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, found, failed)

    threading.Thread(target=look_up, name=f"look up {key[0]}", daemon=True).start()
    return await answer


def _look_up(host: str, family: int) -> _Addresses:
    infos = socket.getaddrinfo(host, None, family=family, type=socket.SOCK_STREAM)
    # A link-local IPv6 address means nothing without its zone, which only getnameinfo spells out.
    return list(
        dict.fromkeys(
            (int(kind), socket.getnameinfo(where, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0])
            for kind, _, _, _, where in infos
        )
    )
