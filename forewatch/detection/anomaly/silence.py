"""No data as an anomaly of its own: decided from time alone."""

from __future__ import annotations

from forewatch.clock import micros

__all__ = ["silent"]

_MISSED = 10
"""Values in a row that may be missing."""
_AT_LEAST = 300.0
"""A gap shorter than this is never told of, in seconds: a restart takes as long."""


def silent(last_at: int, usual_spacing: float, now: int) -> bool:
    """Whether a series that came every `usual_spacing` seconds has stopped; instants in microseconds UTC."""
    return now - last_at > micros(max(_AT_LEAST, _MISSED * usual_spacing))
