"""Sums and counts of many series over equal steps of time, in few queries; from roll-ups where they serve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from forewatch.clock import micros
from forewatch.store import marks
from forewatch.store.points import RESOLUTIONS
from forewatch.store.schema import points, rollups
from forewatch.store.series import chunks

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Bucket:
    """What one series had in `at <= t < at + width`."""

    series_id: int
    at: int
    sum: float
    count: int


def sums(conn: Connection, series_ids: Sequence[int], start: int, end: int, width: float) -> list[Bucket]:
    """Every bucket with data in `start <= t < end`; `width` in seconds, buckets are aligned to the epoch.

    Steps of a roll-up's width or a multiple are read from roll-ups as far as these go, the rest from points.
    """
    step = micros(width)
    until = start
    if not step % micros(RESOLUTIONS[0]):
        until = max(start, min(end, marks.get_all(conn).get(marks.rolled(RESOLUTIONS[0]), 0)))
        until -= until % step
    found: list[Bucket] = []
    for chunk in chunks(series_ids, _CHUNK):
        if start < until:
            found += _rolled(conn, chunk, start, until, step)
        if until < end:
            found += _from_points(conn, chunk, max(start, until), end, step)
    return found


def _rolled(conn: Connection, chunk: Sequence[int], start: int, end: int, step: int) -> list[Bucket]:
    at = (rollups.c.at - rollups.c.at % step).label("bucket")
    query = (
        select(rollups.c.series_id, at, func.sum(rollups.c.sum), func.sum(rollups.c.count))
        .where(rollups.c.series_id.in_(chunk), rollups.c.resolution == RESOLUTIONS[0])
        .where(rollups.c.at >= start, rollups.c.at < end)
        .group_by(rollups.c.series_id, at)
    )
    return [Bucket(*row) for row in conn.execute(query)]


def _from_points(conn: Connection, chunk: Sequence[int], start: int, end: int, step: int) -> list[Bucket]:
    at = (points.c.at - points.c.at % step).label("bucket")
    query = (
        select(points.c.series_id, at, func.sum(points.c.value), func.count())
        .where(points.c.series_id.in_(chunk), points.c.at >= start, points.c.at < end)
        .group_by(points.c.series_id, at)
    )
    return [Bucket(*row) for row in conn.execute(query)]
