"""Answers of name servers, in one spelling: theirs, and those people expect.

Texts are bytes (RFC 1035, 3.3): quotes and escapes are how zone files write them, not part of them. What people write
is taken as it stands, as UTF-8, or as a zone file would have it. Names are the same in large and small letters, with
and without the last dot, and in their own script or in Punycode.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

import dns.exception
import dns.name
import dns.rdata
from dns.rdtypes.ANY.CAA import CAA
from dns.rdtypes.txtbase import TXTBase

_ESCAPE = re.compile(rb"\\(?:(\d{3})|(.))", re.DOTALL)
_QUOTED = re.compile(rb'\s*"((?:[^"\\]|\\.)*)"\s*', re.DOTALL)
_UNSHOWN = re.compile(r"[\x00-\x1f\x7f\udc80-\udcff]")


def answer(rdata: dns.rdata.Rdata) -> bytes:
    """What is compared: of a text its bytes, of all else one spelling."""
    if isinstance(rdata, TXTBase):
        return b"".join(rdata.strings)
    if isinstance(rdata, CAA):
        return b"%d %s %s" % (rdata.flags, rdata.tag.lower(), rdata.value)
    return _plain(rdata.to_text()).encode()


def shown(found: bytes) -> str:
    """As people read it; what cannot be read, as `\\DDD`."""
    text = found.decode(errors="surrogateescape")
    return _UNSHOWN.sub(lambda one: f"\\{ord(one[0]) & 0xFF:03}", text)


def same(found: Iterable[bytes], wanted: Iterable[str], kind: str) -> bool:
    """Whether the answers are the ones wanted, each once, in any order."""
    left = list(found)
    for one in wanted:
        match = next((reading for reading in _readings(one, kind) if reading in left), None)
        if match is None:
            return False
        left.remove(match)
    return not left


def _readings(wanted: str, kind: str) -> list[bytes]:
    if kind == "TXT":
        return _texts(wanted)
    if kind == "CAA" and len(words := wanted.split(None, 2)) == 3:
        flags, tag, value = words
        return [f"{flags} {tag.lower()} ".encode() + one for one in _texts(value)]
    return [_plain(wanted).encode()]


def _texts(wanted: str) -> list[bytes]:
    plain = wanted.encode(errors="surrogateescape")
    if len(strings := _QUOTED.findall(plain)) and not _QUOTED.sub(b"", plain):
        return [plain, b"".join(map(_unescaped, strings))]
    return [plain, _unescaped(plain)]


def _unescaped(text: bytes) -> bytes:
    return _ESCAPE.sub(lambda one: bytes([int(one[1]) & 0xFF]) if one[1] else one[2], text)


def _plain(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return " ".join(map(_word, text.split()))


def _word(word: str) -> str:
    if not word.isascii():
        try:
            word = dns.name.from_text(word).to_text()
        except dns.exception.DNSException:
            return word  # no name, so no answer is the same
    return word if word == "." else word.lower().removesuffix(".")
