"""Connections for a load: each a transport of its own, the one used last taken first, so that few are used.

One pool of httpx for all of them looks through every connection and every waiting request at each turn: at 256 of them
it spends the core on that, and the generator is what gets measured.
"""

from __future__ import annotations

import asyncio
import ssl

import httpx


class Lanes:
    """Grows as requests are under way at once; the caller bounds how many."""

    def __init__(self, verify_tls: bool = True) -> None:
        # Made once: it reads a few hundred certificates. No proxy of the environment is to be measured.
        self._tls: ssl.SSLContext | bool = httpx.create_ssl_context(trust_env=False) if verify_tls else False
        self._free: list[httpx.AsyncHTTPTransport] = []
        self._all: list[httpx.AsyncHTTPTransport] = []

    async def send(self, request: httpx.Request) -> tuple[int, int]:
        """The status and the bytes of the body of an answer read to its end. Raises httpx.HTTPError, OSError."""
        lane = self._free.pop() if self._free else self._new()
        try:
            answer = await lane.handle_async_request(request)
            size = 0
            try:
                async for chunk in answer.aiter_raw():
                    size += len(chunk)
            finally:
                await answer.aclose()
        finally:
            self._free.append(lane)
        return answer.status_code, size

    async def close(self) -> None:
        await asyncio.gather(*(lane.aclose() for lane in self._all), return_exceptions=True)

    def _new(self) -> httpx.AsyncHTTPTransport:
        lane = httpx.AsyncHTTPTransport(
            verify=self._tls, limits=httpx.Limits(max_connections=1, max_keepalive_connections=1), trust_env=False
        )
        self._all.append(lane)
        return lane
