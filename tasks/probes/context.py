"""What the probes of one event loop share: the HTTP session, names, the process table, the configuration's folder."""

from __future__ import annotations

import functools
import ssl
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Self

import aiohttp

from forewatch import __version__
from forewatch.checking.heartbeats import Verdict
from forewatch.checking.restarts import Restarts
from forewatch.config.targets import HeartbeatTarget
from forewatch.orchestration.lateness import Lateness
from tasks.collect.patience import Patience
from tasks.probes.certificate import CertifiedResponse
from tasks.probes.names import Names
from tasks.probes.process_table import ProcessTable

# CPython leaked TLS transports whose peer never said goodbye (python/cpython#118960); later ones need no help.
_LEAKS_TLS = sys.version_info < (3, 12, 8) or (3, 13) <= sys.version_info < (3, 13, 1)


JudgeCalls = Callable[[HeartbeatTarget], Awaitable[Verdict]]


class ProbeContext:
    """Opened once a loop: `async with ProbeContext(folder) as context`. Relative paths start at `folder`.

    `calls` says how a job stands that must call in; without it, heartbeats cannot be checked.
    """

    def __init__(self, folder: Path, calls: JudgeCalls | None = None) -> None:
        self.folder = folder
        self.calls = calls
        self.names = Names()
        self.processes = ProcessTable()
        self.patience = Patience()
        self.restarts = Restarts()
        """How often systemd restarted units of late."""
        self.lateness = Lateness()
        """How late this loop runs; known where somebody measures it."""
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """For checks alone: no cookies, no proxies, no limits, and a new connection for every request.

        A kept connection would go on showing the old process, the old address and the old certificate to a check
        whose users already fail to connect.
        """
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=0,
                force_close=True,
                resolver=self.names,
                use_dns_cache=False,
                enable_cleanup_closed=_LEAKS_TLS,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                response_class=CertifiedResponse,
                # A compressed body could be a bomb, and a check wants bytes to look at, not a fast download.
                headers={
                    "User-Agent": f"Forewatch/{__version__}",
                    "Accept-Encoding": "identity",
                    "Connection": "close",
                },
            )
        return self._session

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
        await self.names.close()


@functools.cache
def tls(verify: bool) -> ssl.SSLContext:
    """The TLS settings of checks; made once, since reading the authorities takes tens of milliseconds."""
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
