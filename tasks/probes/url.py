"""URLs of checks: taken apart, and otherwise sent as they were written (RFC 3986, 2.2).

Only what cannot stand in a request is encoded: blanks and what is not ASCII.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from dataclasses import dataclass, replace
from urllib.parse import quote, urljoin

import idna

_PORTS = {"http": 80, "https": 443}
_URL = re.compile(
    r"(https?)://([^/?#]*@)?(?:\[([0-9a-f:.]+(?:%[^\]/?#]+)?)\]|([^/?#@:\[\]\\ ]+))(?::(\d*))?((?:[/?][^#]*)?)(?:#.*)?",
    re.IGNORECASE,
)
"""Scheme, user information with its @, address in brackets or host, port, path and query."""
_HOST = re.compile(r"[^\x00-\x20/?#@\[\]\\%]+")
_UNSENDABLE = re.compile(r"[^\x21-\x7e]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Url:
    scheme: str
    userinfo: str
    """`name:password`, as written; empty where there is none."""
    host: str
    """In ASCII; of an IPv6 address without its brackets."""
    port: int
    rest: str
    """Path and query."""
    is_address: bool
    """Whether the host is an address rather than a name."""

    @property
    def origin(self) -> tuple[str, str, int]:
        """Whom it is asked of (RFC 6454)."""
        return self.scheme, self.host.lower().removesuffix("."), self.port

    @property
    def authority(self) -> str:
        """`shop.example`, `[::1]:8080`: what a `Host` header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def written(self, host: str | None = None) -> str:
        """The whole URL, where asked for with another host in it."""
        host = self.host if host is None else host
        host = f"[{host}]" if ":" in host else host
        userinfo = f"{self.userinfo}@" if self.userinfo else ""
        return f"{self.scheme}://{userinfo}{host}:{self.port}{self.rest}"


@functools.lru_cache(maxsize=16384)
def parse(text: str) -> Url:
    """Raises ValueError with the reason, which may be empty."""
    text = text.strip()
    if _CONTROL.search(text):
        raise ValueError("it holds a control character")
    parts = _URL.fullmatch(text)
    if parts is None:
        raise ValueError("")
    scheme, userinfo, bracketed, host, digits, rest = parts.groups(default="")
    scheme = scheme.lower()
    port = int(digits) if digits else _PORTS[scheme]
    if not 0 < port < 65536:
        raise ValueError(f"there is no port {port}")
    if not rest.startswith("/"):
        rest = f"/{rest}"
    if bracketed:
        ipaddress.IPv6Address(bracketed.replace("%25", "%", 1))
    return Url(
        scheme,
        _sendable(userinfo[:-1]),
        bracketed or ascii_host(host.lower()),
        port,
        _sendable(rest),
        bool(bracketed) or _is_ipv4(host),
    )


def redirected(url: Url, location: str) -> Url:
    """Where a redirect leads. User and password go along within the same origin. Raises ValueError as `parse` does."""
    target = parse(urljoin(url.written(), location.strip(" \t")))
    if url.userinfo and not target.userinfo and target.origin == url.origin:
        return replace(target, userinfo=url.userinfo)
    return target


def ascii_host(host: str) -> str:
    """A host as name servers, certificates and requests have it. Raises ValueError."""
    if host.isascii():
        return host
    return idna.encode(host, uts46=True).decode("ascii")


def checked_name(text: str) -> str:
    """A host as TLS asks for it and a certificate names it: without a final dot (RFC 6066, 3). Raises ValueError."""
    name = ascii_host(text.removeprefix("[").removesuffix("]")).removesuffix(".")
    if ":" in name:
        ipaddress.IPv6Address(name)
    elif not _HOST.fullmatch(name):
        raise ValueError(name)
    return name


def _is_ipv4(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


def _sendable(text: str) -> str:
    return text if text.isascii() and " " not in text else _UNSENDABLE.sub(lambda found: quote(found[0]), text)
