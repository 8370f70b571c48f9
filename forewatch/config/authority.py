"""The names a web server goes by: what stands in a `Host` header, an `Origin`, a URL (RFC 3986, 3.2.2 and 3.2.3)."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

LONGEST = 259
"""Characters: a DNS name has 253 at most, a port five, and a colon between."""
DEFAULT_PORTS = {"http": 80, "https": 443}

_AUTHORITY = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([a-zA-Z0-9_.-]+))(?::([0-9]{1,5}))?")


class Authority(NamedTuple):
    """`host` in its one spelling: lower case, no final dot, addresses as `ipaddress` writes them, without brackets."""

    host: str
    port: int | None

    def __str__(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port is None else f"{name}:{self.port}"


@lru_cache(maxsize=256)
def authority(text: str) -> Authority:
    """`name`, `name:port`, `192.0.2.1:port` or `[2001:db8::1]:port`. Raises ValueError for anything else."""
    found = _AUTHORITY.fullmatch(text) if len(text) <= LONGEST else None
    if found is None:
        raise ValueError("is no host (try watch.example, watch.example:8080 or [::1]:8080)")
    inside, name, port = found.groups()
    if port is not None and not 0 < int(port) < 65536:
        raise ValueError(f"{port} is no port (1 to 65535)")
    host = one_spelling(inside or name)
    if not host or (inside is not None and not is_address(host)):
        raise ValueError("is no host (try watch.example, watch.example:8080 or [::1]:8080)")
    return Authority(host, int(port) if port is not None else None)


def of_url(text: str) -> Authority:
    """Of an `http` or `https` URL, with the scheme's own port where it names none. Raises ValueError."""
    parts = urlsplit(text)
    if parts.scheme not in DEFAULT_PORTS:
        raise ValueError("is no URL that begins with http:// or https://")
    found = authority(parts.netloc.rpartition("@")[2])
    return found if found.port is not None else found._replace(port=DEFAULT_PORTS[parts.scheme])


def one_spelling(host: str) -> str:
    """A name in lower case without its final dot; an address as `ipaddress` writes it, IPv4 inside IPv6 as IPv4."""
    host = host.lower()
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host.removesuffix(".")
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def is_address(host: str) -> bool:
    """Whether it is an IP address, which no name server can make mean another machine."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
