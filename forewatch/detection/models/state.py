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

_LEVELS = 65535


class Writer:
    """Collects numbers and tells how many they were, which is all that the header says of them."""

    def __init__(self) -> None:
        self._numbers: list[bytes] = []

    def put(self, values: Vector) -> int:
        """Keep some numbers exactly."""
        self._numbers.append(np.asarray(values, dtype="<f8").tobytes())
        return len(values)

    def put_short(self, values: Vector) -> int:
        """Keep some numbers to a 65,535th of their range, which is finer than what is measured; two bytes each."""
        if len(values):
            low, high = float(np.min(values)), float(np.max(values))
            self._numbers.append(struct.pack("<dd", low, high) + _levels(values, low, high).astype("<u2").tobytes())
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
            raise StateUnreadable(f"a stored model is of version {found}, this release reads {VERSION}: fit it again")
        try:
            self._body = zlib.decompress(state[1:])
            (size,) = struct.unpack_from("<H", self._body)
            self._at = 2 + size
            self.header: dict[str, Any] = json.loads(self._body[2 : self._at])
        except (zlib.error, struct.error, ValueError) as error:
            raise StateUnreadable(f"a stored model is damaged ({error}): fit it again") from error

    def take(self, count: int, kind: str = "<f8") -> Vector:
        """The next numbers."""
        try:
            found: Vector = np.frombuffer(self._body, kind, count, self._at).astype(np.float64)
        except ValueError as error:
            raise StateUnreadable(f"a stored model is damaged ({error}): fit it again") from error
        self._at += count * np.dtype(kind).itemsize
        return found

    def take_short(self, count: int) -> Vector:
        """The next numbers that were kept short."""
        if not count:
            return np.zeros(0)
        low, high = self.take(2)
        back: Vector = low + self.take(count, "<u2") * ((high - low) / _LEVELS)
        return back


def rounded(values: Vector) -> Vector:
    """Numbers as they come back when kept short: a model that uses these is the same after storing."""
    if not len(values):
        return values
    low, high = float(np.min(values)), float(np.max(values))
    back: Vector = low + _levels(values, low, high) * ((high - low) / _LEVELS)
    return back


def _levels(values: Vector, low: float, high: float) -> Vector:
    room = high - low
    level: Vector = np.round((values - low) * (_LEVELS / room)) if room > 0 else np.zeros(len(values))
    return level
