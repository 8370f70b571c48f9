"""A detector's state as bytes: numbers and small arrays in a fixed order, behind a version."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

__all__ = ["Reader", "Writer"]

_VERSION = 1


class Writer:
    """Collects what a detector is made of; `Reader` takes it back in the same order."""

    def __init__(self) -> None:
        self._parts = [bytes([_VERSION])]

    def numbers(self, *values: float) -> None:
        """Double precision: instants in microseconds are exact to the year 2255."""
        self._parts.append(struct.pack(f"<{len(values)}d", *values))

    def array(self, values: NDArray[np.float32] | NDArray[np.float64] | NDArray[np.uint8]) -> None:
        """In its own precision, without its shape."""
        self._parts.append(values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes())

    def bytes(self) -> bytes:
        return b"".join(self._parts)


class Reader:
    """Raises ValueError where the bytes are not a state of this version, whole and nothing more."""

    def __init__(self, state: bytes) -> None:
        if not state or state[0] != _VERSION:
            found = state[0] if state else "nothing"
            raise ValueError(f"a detector's state of version {found}, this program reads {_VERSION}: start it afresh")
        self._state = state
        self._at = 1

    def numbers(self, count: int) -> tuple[float, ...]:
        start = self._advance(8 * count)
        return struct.unpack_from(f"<{count}d", self._state, start)

    def fill(self, into: NDArray[np.float32] | NDArray[np.float64] | NDArray[np.uint8]) -> None:
        """Take back an array of the same precision and shape."""
        kind = into.dtype.newbyteorder("<")
        start = self._advance(into.nbytes)
        into[...] = np.frombuffer(self._state, kind, into.size, start).reshape(into.shape)

    def end(self) -> None:
        if self._at != len(self._state):
            raise ValueError("a detector's state is longer than it can be: start it afresh")

    def _advance(self, size: int) -> int:
        start = self._at
        self._at += size
        if self._at > len(self._state):
            raise ValueError("a detector's state is cut short: start it afresh")
        return start
