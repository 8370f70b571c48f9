"""An HTTP request of a check, put into a handle of libcurl."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pycurl

from tasks.probes.attempt import Failing
from tasks.probes.url import Url, checked_name, parse

BODY_CAP = 1024 * 1024
"""Bytes of a body that are read."""

# A compressed body could be a bomb, and a check wants bytes to look at, not a fast download. Whoever closes first keeps
# the port for a minute: let that be the server.
_DEFAULTS = {"accept-encoding": b"Accept-Encoding: identity", "connection": b"Connection: close"}
_PLAIN = list(_DEFAULTS.values())
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent, and where. `headers` and `body` are secrets of the origin they are configured for."""

    url: Url
    method: str = "GET"
    headers: Mapping[str, str] | None = None
    body: str | None = None
    server_name: str | None = None
    """The name that TLS asks for and checks, where that is not the URL's host."""

    @property
    def checked_name(self) -> str:
        """The name the certificate must be for."""
        return (self.server_name or self.url.host).removesuffix(".")

    def apply(self, handle: Any, addresses: list[str] | None) -> None:
        """Put it into a handle. `addresses`: of the host; None where it is an address itself. Raises Failing."""
        url = self.url
        handle.setopt(pycurl.URL, url.written(self.server_name))
        if self.server_name is not None:
            handle.setopt(pycurl.CONNECT_TO, [f"::{_bracketed(url.host)}:{url.port}"])
        if addresses is not None:
            self._resolve(handle, addresses)
        handle.setopt(pycurl.HTTPHEADER, self._lines())
        if self.method == "HEAD":
            handle.setopt(pycurl.NOBODY, 1)
            return
        handle.setopt(pycurl.MAXFILESIZE, BODY_CAP)
        if self.body is not None or self.method in _WITH_BODY:
            handle.setopt(pycurl.POSTFIELDS, (self.body or "").encode())
        if self.method != "GET" or self.body is not None:
            if not _TOKEN.fullmatch(self.method):
                raise Failing(f"could not be checked: {self.method!r} is not a method of HTTP")
            handle.setopt(pycurl.CUSTOMREQUEST, self.method)

    def _resolve(self, handle: Any, addresses: list[str]) -> None:
        url = self.url
        whole = [address for address in addresses if "%" not in address]
        if whole or not addresses:
            listed = ",".join(_bracketed(address) for address in whole)
            # For this transfer alone; without "+" it would stand for ever.
            handle.setopt(pycurl.DNS_CACHE_TIMEOUT, 1)
            handle.setopt(pycurl.RESOLVE, [f"+{url.host}:{url.port}:{listed}"])
        else:  # a link-local address with its zone can be connected to, but not be given as an answer
            zoned = addresses[0].replace("%", "%25")
            handle.setopt(pycurl.CONNECT_TO, [f"::[{zoned}]:{url.port}"])

    def _lines(self) -> list[bytes]:
        if not self.headers and self.body is None and self.server_name is None and self.method not in _WITH_BODY:
            return _PLAIN
        defaults = dict(_DEFAULTS)
        if self.server_name is not None:
            defaults["host"] = f"Host: {self.url.authority}".encode()
        if self.body is not None:
            defaults["content-type"] = b"Content-Type: text/plain; charset=utf-8"
        elif self.method in _WITH_BODY:
            defaults["content-type"] = b"Content-Type:"  # none, rather than libcurl's own
        defaults["expect"] = b"Expect:"
        lines = []
        for name, value in (self.headers or {}).items():
            if not _TOKEN.fullmatch(name):
                raise Failing(f"could not be checked: {name!r} is not the name of a header")
            if any(end in value for end in "\r\n\0"):
                raise Failing(f"could not be checked: the header {name} holds a line break")
            defaults.pop(name.lower(), None)
            # As libcurl has it, a colon alone would leave the header out.
            lines.append(f"{name}: {value}".encode() if value.strip() else f"{name};".encode())
        return [*defaults.values(), *lines]


def server_name(configured: str | None, headers: Mapping[str, str], url: Url) -> str | None:
    """The name that TLS asks for: the one configured, else the `Host` header's; None where that is the URL's host.

    Raises Failing where it is none.
    """
    if url.scheme != "https":
        return None
    name = configured
    if name is None:
        name = next((value for key, value in headers.items() if key.lower() == "host" and value.strip()), None)
        if name is None:
            return None
        try:
            name = parse(f"https://{name}/").host
        except ValueError as error:
            raise Failing(f"could not be checked: the header Host is not HOST or HOST:PORT: {name}") from error
    try:
        name = checked_name(name)
    except ValueError as error:
        raise Failing(f"could not be checked: {name} is not the name of a host") from error
    return None if name.lower() == url.host.removesuffix(".") else name


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
