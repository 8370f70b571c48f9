"""Trying again at once where Prefect's SQLite was busy for a moment.

A transaction of the server that read first and wants to write after somebody else has written is refused on the spot
(SQLITE_BUSY_SNAPSHOT); the server rolls it back and answers 503. Prefect's own client then waits two seconds before it
tries again, which made every third remedy two seconds late (measured: 2.0-2.5 s instead of 0.2 s from the decision to
the flow's start). Nothing has happened on the server, so trying again after some milliseconds is all it takes.
"""

from __future__ import annotations

import asyncio

import httpx

DELAYS = (0.01, 0.02, 0.04, 0.08, 0.16)
"""Seconds before each further try; after them the answer goes to Prefect's client, with its own longer patience."""


class RetryAtOnce(httpx.AsyncBaseTransport):
    """A transport around another one that repeats a request answered by 503 without `Retry-After`."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        for delay in DELAYS:
            response = await self._inner.handle_async_request(request)
            if response.status_code != 503 or "Retry-After" in response.headers:
                return response
            await response.aclose()
            await asyncio.sleep(delay)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()
