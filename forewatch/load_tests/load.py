"""What load to put on what, and what is refused: a slip of the keyboard must not become an attack."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from forewatch.errors import ForewatchError
from forewatch.load_tests.arrivals import Arrivals

FASTEST = 10_000.0
"""Requests a second at most."""
LONGEST = 3600.0
"""Seconds at most."""
MANY = 50.0
"""Requests a second above which the service of somebody else would notice."""
MOST_IN_FLIGHT = 10_000
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A method or a header's name (RFC 9110)."""
READS = frozenset({"GET", "HEAD", "OPTIONS"})


class LoadRefused(ForewatchError):
    """This load is not put on anything; the sentence says why and what would do."""


@dataclass(frozen=True)
class Load:
    """Requests of one kind at a mean rate, in seconds and requests a second."""

    url: str
    rate: float = 10.0
    duration: float = 30.0
    timeout: float = 10.0
    """Of a request, from the moment it was due."""
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    arrivals: Arrivals = "constant"
    seed: int | None = None
    max_in_flight: int = 256
    """Requests under way at once; as many connections at most."""
    verify_tls: bool = True

    @property
    def requests(self) -> int:
        """How many there will be, about."""
        return max(1, round(self.rate * self.duration))


def check(load: Load) -> None:
    """Raises LoadRefused for a load that cannot be meant."""
    try:
        parts = urlsplit(load.url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or any(character.isspace() for character in load.url):
        raise LoadRefused(f"{load.url} is not a URL (try http://HOST[:PORT]/PATH)")
    if not 0 < load.rate <= FASTEST:
        raise LoadRefused(
            f"a rate of {load.rate:g} requests a second is refused: say one above 0 and up to {FASTEST:,.0f} (--rate)"
        )
    if not 1 <= load.duration <= LONGEST:
        raise LoadRefused(f"a load of {load.duration:g} s is refused: it lasts from 1 s to an hour (--duration)")
    if not 0 < load.timeout <= 600:
        raise LoadRefused(f"a time-out of {load.timeout:g} s is refused: say one of up to 10 minutes (--timeout)")
    if not 1 <= load.max_in_flight <= MOST_IN_FLIGHT:
        raise LoadRefused(
            f"{load.max_in_flight} requests in flight are refused: say 1 to {MOST_IN_FLIGHT:,} (--max-in-flight)"
        )
    if not _TOKEN.fullmatch(load.method):
        raise LoadRefused(f"{load.method!r} is not a method of HTTP (try GET)")
    for name, value in load.headers.items():
        if not _TOKEN.fullmatch(name) or not value.isascii() or any(one < " " for one in value):
            # The value may be a secret.
            raise LoadRefused(f"the header {name!r} cannot be sent: a name and one line of ASCII are")


def check_owner(load: Load, mine: bool) -> None:
    """Raises LoadRefused for a load on what may be somebody else's unless the user says it is theirs. Resolves names.

    Any rate above MANY on a public address, and anything but reading on one.
    """
    if mine or (load.rate <= MANY and load.method.upper() in READS):
        return
    host = urlsplit(load.url).hostname or ""
    what = f"{load.rate:g} requests a second" if load.rate > MANY else f"{load.method.upper()} requests"
    try:
        found = {info[4][0] for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        # The next look-up may find it, and then it may be anybody's.
        raise LoadRefused(
            f"{host} has no address now, so whose it is cannot be told before {what} are put on it: "
            "try again, or add --mine if it is your own"
        ) from None
    if any(_is_global(str(address)) for address in found):
        raise LoadRefused(
            f"{host} has a public address, and {what} on the service of somebody else is an attack: "
            "add --mine if it is your own"
        )


def _is_global(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_global
    except ValueError:
        return False
