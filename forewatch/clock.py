"""Time as a parameter: UTC instants as integer microseconds, and the clocks that give them.

Pure code never asks for the time, it is told. Effects take a `Clock`, so a test or a simulation brings its own.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

MICROSECONDS = 1_000_000
"""Microseconds in a second."""


class Clock(Protocol):
    def now(self) -> int:
        """The wall clock, in microseconds since the epoch, UTC."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back; only differences mean anything."""


class SystemClock:
    def now(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        return time.monotonic()


class FakeClock:
    """A clock that moves only when told to."""

    def __init__(self, now: int = 1_767_225_600 * MICROSECONDS) -> None:
        self._now = now
        self._monotonic = 0.0

    def now(self) -> int:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> int:
        """Let `seconds` pass on both clocks; returns the new wall time."""
        self._now += micros(seconds)
        self._monotonic += seconds
        return self._now

    def jump(self, seconds: float) -> int:
        """Set the wall clock forward or back, as an operator would; the monotonic clock stays."""
        self._now += micros(seconds)
        return self._now


def micros(seconds: float) -> int:
    """Seconds to whole microseconds."""
    return round(seconds * MICROSECONDS)


def seconds(microseconds: int) -> float:
    """Microseconds to seconds."""
    return microseconds / MICROSECONDS


def to_datetime(at: int) -> datetime:
    """A stored instant as an aware UTC datetime."""
    return datetime.fromtimestamp(at // MICROSECONDS, UTC).replace(microsecond=at % MICROSECONDS)


def from_datetime(at: datetime) -> int:
    """An aware datetime as a stored instant. Raises ValueError for a naive one, whose meaning is not known."""
    if at.tzinfo is None:
        raise ValueError(f"{at.isoformat()} has no time zone")
    whole = int(at.replace(microsecond=0).timestamp())
    return whole * MICROSECONDS + at.microsecond


def iso(at: int) -> str:
    """RFC 3339 in UTC with milliseconds: `2026-11-03T09:04:05.678Z`."""
    return to_datetime(at).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at % MICROSECONDS // 1000:03d}Z"
