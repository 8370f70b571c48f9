"""Since when Forewatch itself has measured without a break: silence of a series counts from there at the earliest."""

from __future__ import annotations

import itertools

from sqlalchemy import Connection

from forewatch.clock import micros
from forewatch.store import points, series

BREAK = 120.0
"""Seconds without a sample of our own, above a few rounds, after which we had not been there."""
LOOK_BACK = 2 * 3600.0
"""Seconds; a break before that no longer matters."""

_OWN = ("forewatch.tick.lag", {"shift": "collect-metrics"})


def present_since(conn: Connection, now: int, every: float) -> int:
    """The end of the last break, 0 where there was none lately. `every`: seconds between two of our own samples."""
    own = series.find(conn, *_OWN)
    if not own:
        return 0
    start = now - micros(LOOK_BACK)
    times = [at for at, _ in points.between(conn, own[0].id, start, now)]
    if not times:
        return now
    longest = micros(max(BREAK, 4 * every))
    breaks = [later for earlier, later in itertools.pairwise([*times, now]) if later - earlier > longest]
    if breaks:
        return breaks[-1]
    return times[0] if times[0] - start > longest else 0
