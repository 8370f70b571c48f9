"""Who we are to a browser, and which requests were meant for somebody else or come from another site's page.

A page of any site can make a browser send requests to this machine. Where its own name is made to resolve here (DNS
rebinding) `Host` gives it away; where it posts across sites, `Origin` or `Sec-Fetch-Site` does, which no page can set.
Programs send neither. A token is proof enough by itself, so who has one may call us by any name.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Scope

from forewatch.config.authority import DEFAULT_PORTS, Authority, authority, is_address, of_url, one_spelling
from forewatch.config.models import Config
from forewatch.runtime import Runtime

log = logging.getLogger("forewatch.intake")

READING = ("GET", "HEAD", "OPTIONS")
"""Methods that change nothing, but for the one path that says so itself."""
_UNSPECIFIED = ("0.0.0.0", "::")
_SHOWN = 80
"""Characters of what a stranger wrote that are shown to people."""


@dataclass(frozen=True)
class Foreign:
    """`reason` is stable, for machines: `host`, `origin`, `site`. `what` is for people, safe to show."""

    reason: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}"


class OwnNames:
    """The names of one process that listens on `port`; they follow the configuration."""

    def __init__(self, runtime: Runtime, port: int) -> None:
        self._runtime = runtime
        self._port = port
        self._version = -1
        self._names: frozenset[Authority] = frozenset()
        self._anywhere = False

    def foreign(self, scope: Scope, headers: Headers, *, changes: bool) -> Foreign | None:
        """What is wrong with a request that nothing vouches for; None where it was meant for us."""
        return self._of_host(scope, headers) or (self.foreign_page(scope, headers) if changes else None)

    def foreign_page(self, scope: Scope, headers: Headers) -> Foreign | None:
        """Whether another site's page sends it."""
        self._follow()
        remedy = "only Forewatch's own pages, and programs, may change anything here"
        for origin in headers.getlist("origin"):
            try:
                ours = self._is_ours(of_url(origin), scope)
            except ValueError:  # `null`, of a page that hides where it comes from
                ours = False
            if not ours:
                return Foreign("origin", f"the request comes from a page of {shown(origin)}", remedy)
        for site in headers.getlist("sec-fetch-site"):
            if site.strip().lower() not in ("same-origin", "none"):
                return Foreign("site", f"the request comes from a page of another site ({shown(site)})", remedy)
        return None

    def _of_host(self, scope: Scope, headers: Headers) -> Foreign | None:
        self._follow()
        given = headers.getlist("host")
        remedy = f"use http://127.0.0.1:{self._port}, or name the host in `hosts` of forewatch.yaml"
        if len(given) != 1 or not given[0]:
            return Foreign("host", "the request does not say which host it is for", remedy)
        try:
            asked = authority(given[0])
        except ValueError:
            return Foreign("host", f"the request is for the host {shown(given[0])}", remedy)
        ports = (asked.port,) if asked.port is not None else tuple(DEFAULT_PORTS.values())
        if any(self._is_ours(asked._replace(port=port), scope) for port in ports):
            return None
        return Foreign("host", f"the request is for the host {shown(given[0])}, which is not this Forewatch", remedy)

    def _is_ours(self, asked: Authority, scope: Scope) -> bool:
        if asked in self._names:
            return True
        server = scope.get("server")
        # Who listens on every address is known by the one that this very connection came to.
        return (
            self._anywhere
            and server is not None
            and asked.port == self._port
            and is_address(asked.host)
            and asked.host == one_spelling(server[0])
        )

    def _follow(self) -> None:
        version, config = self._runtime.configuration.current()
        if version != self._version:
            self._names = frozenset(_names(config, self._port))
            self._anywhere = one_spelling(config.listen.strip("[]")) in _UNSPECIFIED
            self._version = version


def _names(config: Config, port: int) -> set[Authority]:
    names = {Authority(host, port) for host in ("localhost", "127.0.0.1", "::1")}
    listen = one_spelling(config.listen.strip("[]"))
    if listen not in _UNSPECIFIED:
        names.add(Authority(listen, port))
    if config.public_url is not None:
        try:
            names.add(of_url(config.public_url))
        except ValueError as error:
            log.warning("requests by the name in public_url are refused: it %s", error)
    for text in config.hosts:
        named = authority(text)
        ports = (named.port,) if named.port is not None else (port, *DEFAULT_PORTS.values())
        names |= {Authority(named.host, one) for one in ports}
    return names


def shown(text: str) -> str:
    """What a stranger wrote, for people: nothing in it but what may stand in a URL's beginning, and not much of it."""
    clean = "".join(char if char.isascii() and (char.isalnum() or char in ".:-_/[]") else "?" for char in text)
    return clean if len(clean) <= _SHOWN else f"{clean[:_SHOWN]}..."
