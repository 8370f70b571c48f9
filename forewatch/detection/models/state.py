"""The form of a stored model: a version byte, then, compressed, a header in JSON and the numbers. Never a pickle."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from forewatch.detection.grid import Vector
from forewatch.errors import StateUnreadable

VERSION = 1
"""Of the form; a state of another version is to be fitted anew."""
MOST = 4096
"""Bytes of a state."""


class Writer:
    """Collects numbers and tells how many they were, which is all that the header says of them."""

    def __init__(self) -> None:
        self._numbers: list[bytes] = []

    def put(self, values: Vector, *, short: bool = False) -> int:
        """Keep some numbers: to seven digits where `short`, which is more than data have, else exactly."""
        self._numbers.append(np.asarray(values, dtype=_kind(short)).tobytes())
        return len(values)

    def finish(self, header: Mapping[str, Any]) -> bytes:
        """The state."""
        text = json.dumps(header, separators=(",", ":")).encode()
        return bytes([VERSION]) + zlib.compress(struct.pack("<H", len(text)) + text + b"".join(self._numbers))


class Reader:
    """Gives the numbers back in the order in which they were put.

    Raises:
        StateUnreadable: the state is of another version or damaged.
    """

    def __init__(self, state: bytes) -> None:
        if not state or state[0] != VERSION:
            found = state[0] if state else "none"
            raise StateUnreadable(f"a stored model is of version {found}, this release reads {VERSION}: fit it anew")
        try:
            self._body = zlib.decompress(state[1:])
            (size,) = struct.unpack_from("<H", self._body)
            self._at = 2 + size
            self.header: dict[str, Any] = json.loads(self._body[2 : self._at])
        except (zlib.error, struct.error, ValueError) as error:
            raise StateUnreadable(f"a stored model is damaged ({error}): fit it anew") from error

    def take(self, count: int, *, short: bool = False) -> Vector:
        """The next numbers."""
        kind = _kind(short)
        try:
            found: Vector = np.frombuffer(self._body, kind, count, self._at).astype(np.float64)
        except ValueError as error:
            raise StateUnreadable(f"a stored model is damaged ({error}): fit it anew") from error
        self._at += count * np.dtype(kind).itemsize
        return found


def _kind(short: bool) -> str:
    return "<f4" if short else "<f8"
