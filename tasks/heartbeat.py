"""The outgoing heartbeat: an outside dead-man's switch that raises the alarm when we fall silent."""

from __future__ import annotations

import asyncio

import httpx

from forewatch import __version__
from forewatch.config.models import Heartbeat
from forewatch.config.secrets import reveal
from forewatch.errors import DeliveryFailed, SecretError

TIMEOUT = 10.0


async def beat(heartbeat: Heartbeat) -> None:
    """GET the heartbeat's URL once; call it only while every shift stands watch.

    Raises DeliveryFailed where the answer is not 2xx within 10 s; the next beat is the retry. The message names neither
    the path nor the query of the URL, which identify the switch.
    """
    try:
        url = httpx.URL(reveal(heartbeat.url))
    except (SecretError, httpx.InvalidURL) as error:
        raise DeliveryFailed(f"heartbeat: its url cannot be used: {error}", permanent=True) from error
    try:
        async with (
            asyncio.timeout(TIMEOUT),
            httpx.AsyncClient(follow_redirects=False, timeout=TIMEOUT) as client,
            client.stream("GET", url, headers={"User-Agent": f"forewatch/{__version__}"}) as response,
        ):
            status = response.status_code
    except (TimeoutError, httpx.TimeoutException) as error:
        raise DeliveryFailed(f"heartbeat: {url.host} did not answer within {TIMEOUT:g}s", permanent=False) from error
    except (httpx.HTTPError, OSError) as error:
        why = str(error) or type(error).__name__
        raise DeliveryFailed(f"heartbeat: {url.host} cannot be reached: {why}", permanent=False) from error
    if not 200 <= status < 300:
        raise DeliveryFailed(f"heartbeat: {url.host} answered {status}", permanent=False)
