"""Bodies that come compressed though nobody asked for it."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from tasks.probes.request import BODY_CAP

_GZIP = frozenset({"gzip", "x-gzip", "deflate"})
_EITHER, _RAW = zlib.MAX_WBITS | 32, -zlib.MAX_WBITS
_GZIP_MARK = b"\x1f\x8b"


class Unreadable(Exception):
    """A body that cannot be read, with the reason."""


def decoded(body: bytes, codings: Sequence[str]) -> bytes:
    """A body as it was before `codings` (of `Content-Encoding`, in their order). Raises Unreadable."""
    for coding in reversed([one.strip().lower() for line in codings for one in line.split(",")]):
        if coding in ("", "identity"):
            continue
        if coding not in _GZIP:
            raise Unreadable(f"body is compressed with {coding}, which was not asked for, and cannot be searched")
        try:
            body = _inflated(body)
        except zlib.error as error:
            raise Unreadable(f"body is not compressed with {coding}, as its Content-Encoding says") from error
    return body


def _inflated(body: bytes) -> bytes:
    # Some say deflate and leave its wrapping out.
    raw = body and body[0] & 0x0F != 8 and not body.startswith(_GZIP_MARK)
    found = b""
    while body:
        engine = zlib.decompressobj(_RAW if raw else _EITHER)
        found += engine.decompress(body, BODY_CAP + 1 - len(found))
        if len(found) > BODY_CAP:
            raise Unreadable("body larger than 1 MiB")
        body = engine.unused_data if engine.unused_data.startswith(_GZIP_MARK) else b""
    return found
