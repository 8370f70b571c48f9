"""One tracker's API by HTTP: JSON in pages, each request and each answer bounded, redirects not followed.

The token goes to the configured address alone: of a link to the next page only the cursor is taken.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx

from forewatch import __version__
from forewatch.clock import micros
from forewatch.errors import ForewatchError
from forewatch.intake.issue_changes import Seen

TIMEOUT = 15.0
"""Seconds for one request."""
LARGEST_ANSWER = 20_000_000
"""Bytes of one page."""

WHOLE_EVERY = micros(3600)

Query = Sequence[tuple[str, str]]


class FeedTrouble(ForewatchError):
    """A tracker cannot be asked, or not understood. `retry_after`: seconds it wants to be left alone."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message, permanent=False)
        self.retry_after = retry_after


class Gone(FeedTrouble):
    """What was asked for is not there."""


class Client:
    """`get` asks for one path below `url`."""

    def __init__(self, http: httpx.AsyncClient, url: str) -> None:
        self._http = http
        self._url = url.rstrip("/")

    async def get(self, path: str, query: Query = ()) -> tuple[Any, httpx.Response]:
        """The JSON of an answer, and the answer. Raises Gone for a 404, FeedTrouble for all else but 200."""
        try:
            async with asyncio.timeout(TIMEOUT), self._http.stream("GET", f"{self._url}{path}", params=query) as answer:
                body = await _whole(answer)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise FeedTrouble(f"{self._host} did not answer within {TIMEOUT:g}s") from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise FeedTrouble(f"{self._host} cannot be reached: {error or type(error).__name__}") from error
        if answer.status_code != 200:
            raise self._refused(answer, path)
        try:
            return json.loads(body), answer
        except (ValueError, RecursionError) as error:
            raise FeedTrouble(f"{self._host} did not answer {path} with JSON") from error

    def _refused(self, answer: httpx.Response, path: str) -> FeedTrouble:
        said = f"{self._host} answered {answer.status_code} to {path}"
        match answer.status_code:
            case 401 | 403:
                return FeedTrouble(f"{said}: look at the token and what it may read")
            case 404:
                return Gone(f"{said}: look at the url, and at the organization or projects")
            case status if 300 <= status < 400:
                return FeedTrouble(f"{said}, and redirects are not followed: set url to the final address")
            case _:
                return FeedTrouble(said, retry_after=_retry_after(answer.headers.get("Retry-After", "")))

    @property
    def _host(self) -> str:
        return httpx.URL(self._url).netloc.decode(errors="replace").rpartition("@")[2]


@asynccontextmanager
async def connected(url: str, token: str) -> AsyncIterator[Client]:
    """A client for as long as one look takes. Raises FeedTrouble for a token that cannot be sent."""
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json", "User-Agent": _AGENT}
    try:
        http = httpx.AsyncClient(headers=headers, follow_redirects=False, timeout=TIMEOUT)
    except ValueError as error:
        raise FeedTrouble("the token cannot be sent in a header: it may have ASCII characters only") from error
    async with http:
        yield Client(http, url)


def whole_look(seen: Seen, now: int) -> bool:
    """Whether it is time to read all issues, not only those with new events: at first, and once an hour.

    An issue that somebody resolves has no new event; unseen, its return could not be told from its staying.
    """
    return seen.read_at is None or seen.read_at // WHOLE_EVERY != now // WHOLE_EVERY


def objects(data: object, what: str) -> list[Mapping[str, Any]]:
    """A list of objects, as a tracker should have answered. Raises FeedTrouble."""
    if not isinstance(data, list) or not all(isinstance(one, dict) for one in data):
        raise FeedTrouble(f"{what} should be a list of objects, and are not")
    return data


_AGENT = f"forewatch/{__version__}"


async def _whole(answer: httpx.Response) -> bytes:
    parts, size = [], 0
    async for part in answer.aiter_bytes():
        size += len(part)
        if size > LARGEST_ANSWER:
            raise FeedTrouble(f"an answer is longer than {LARGEST_ANSWER} bytes")
        parts.append(part)
    return b"".join(parts)


def _retry_after(header: str) -> float | None:
    return min(float(header), 3600.0) if header.strip().isdecimal() else None
