"""Points: single values of series, and reading them back as they were or averaged over steps.

A point written twice counts once, the later value wins. One that arrives after its hour was rolled up marks that hour,
and the next roll-up does it again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from forewatch.clock import micros
from forewatch.store import marks
from forewatch.store import series as series_store
from forewatch.store.schema import late_points, points, rollups
from forewatch.store.upsert import insert_missing

log = logging.getLogger(__name__)

RESOLUTIONS = (300, 3600)
"""Widths of the roll-ups' buckets in seconds, finest first; each is a multiple of the one before."""

LARGEST = 1e300
"""No value is larger than this, so that no sum of them overflows."""

_HOUR = micros(3600)
_UPSERT = {
    style: f"INSERT INTO points (series_id, at, value) VALUES ({holders}) "
    "ON CONFLICT (series_id, at) DO UPDATE SET value = excluded.value"
    for style, holders in {"qmark": "?, ?, ?", "format": "%s, %s, %s", "pyformat": "%s, %s, %s"}.items()
}


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a metric in the metric's base unit (seconds, bytes, ratio 0-1)."""

    metric: str
    labels: Mapping[str, str]
    service: str
    at: int
    value: float


def write(conn: Connection, batch: Sequence[Point]) -> int:
    """Store a batch; returns how many points were taken. NaN, infinite and undated ones are dropped, and said so."""
    taken = [point for point in batch if -LARGEST <= point.value <= LARGEST and point.at > 0]
    if len(taken) < len(batch):
        _say_dropped(batch, len(batch) - len(taken))
    if not taken:
        return 0
    known = marks.get_all(conn, lock=True)
    keys = [(point.metric, point.service, frozenset(point.labels.items())) for point in taken]
    numbers = series_store.ids(conn, set(keys), generation=known.get(marks.SERIES, 0))
    # Straight to the driver: SQLAlchemy's handling of each row's parameters costs as much as SQLite's insert.
    rows = [(numbers[key], point.at, point.value) for key, point in zip(keys, taken, strict=True)]
    conn.exec_driver_sql(_UPSERT[conn.dialect.paramstyle], rows)
    rolled_until = known.get(marks.rolled(RESOLUTIONS[0]), 0)
    late = {(numbers[key], p.at - p.at % _HOUR) for key, p in zip(keys, taken, strict=True) if p.at < rolled_until}
    insert_missing(conn, late_points, [{"series_id": number, "at": hour} for number, hour in sorted(late)])
    return len(taken)


def _say_dropped(batch: Sequence[Point], count: int) -> None:
    first = next(point for point in batch if not (-LARGEST <= point.value <= LARGEST and point.at > 0))
    log.warning(
        "%d of %d points dropped: a value must be a finite number, its time after 1970; the first is %s%s = %s at %d",
        count, len(batch), first.metric, dict(first.labels), first.value, first.at,
    )  # fmt: skip


def last(conn: Connection, series_id: int) -> tuple[int, float] | None:
    """The newest point as (at, value)."""
    query = select(points.c.at, points.c.value).where(points.c.series_id == series_id)
    row = conn.execute(query.order_by(points.c.at.desc()).limit(1)).one_or_none()
    return (row.at, row.value) if row is not None else None


def between(conn: Connection, series_id: int, start: int, end: int) -> list[tuple[int, float]]:
    """The points with `start <= at <= end` as (at, value), oldest first."""
    query = select(points.c.at, points.c.value).where(points.c.series_id == series_id, points.c.at.between(start, end))
    return [(at, value) for at, value in conn.execute(query.order_by(points.c.at))]


def window(conn: Connection, series_ids: Sequence[int], start: int, end: int) -> dict[int, list[tuple[int, float]]]:
    """`between` for many series at once: number -> points, the empty ones left out."""
    found: dict[int, list[tuple[int, float]]] = {}
    for chunk in series_store.chunks(series_ids, 500):
        query = select(points).where(points.c.series_id.in_(chunk), points.c.at.between(start, end))
        for series_id, at, value in conn.execute(query.order_by(points.c.series_id, points.c.at)):
            found.setdefault(series_id, []).append((at, value))
    return found


def read(conn: Connection, series_id: int, start: int, end: int, step: float) -> list[tuple[int, float]]:
    """Means over steps of `step` seconds from `start` up to but not including `end`, oldest first.

    Each comes as (start of the step, mean); steps are aligned to the epoch, a step without points is left out. With
    `step` 0 the points come as they are. The coarsest roll-ups that are fine enough are read; what is not yet rolled up
    is read from points, and where points are no longer kept, coarser roll-ups stand in.
    """
    resolution = max((width for width in RESOLUTIONS if width <= step), default=0)
    width = micros(step)
    steps: dict[int, tuple[float, int]] = {}
    for at, total, count in _pieces(conn, series_id, start, end, resolution, width):
        bucket = at - at % width if width else at
        so_far, number = steps.get(bucket, (0.0, 0))
        steps[bucket] = (so_far + total, number + count)
    return [(at, total / count) for at, (total, count) in sorted(steps.items())]


Piece = tuple[int, float, int]
"""(at, sum, count)"""


def _pieces(conn: Connection, series_id: int, start: int, end: int, resolution: int, step: int) -> list[Piece]:
    """What `start <= at < end` holds, from `resolution`; finer where it is not rolled up, coarser where it is gone."""
    known = marks.get_all(conn)
    if resolution:
        start -= start % micros(resolution)
    pieces: list[Piece] = []
    begin = start
    for width in (*(width for width in reversed(RESOLUTIONS) if width <= resolution), 0):
        until = min(end, known.get(marks.rolled(width), 0)) if width else end
        if begin < until:
            pieces += _layer(conn, series_id, width, begin, until, step)
            begin = until
    oldest = min((at for at, _, _ in pieces), default=end)
    for width in (width for width in RESOLUTIONS if width > resolution):
        older = [
            piece for piece in _layer(conn, series_id, width, start, oldest, 0) if piece[0] + micros(width) <= oldest
        ]
        oldest = min((at for at, _, _ in older), default=oldest)
        pieces += older
    return pieces


def _layer(conn: Connection, series_id: int, width: int, start: int, end: int, step: int) -> list[Piece]:
    if width:
        table = rollups
        query = select(rollups.c.at, rollups.c.sum, rollups.c.count).where(rollups.c.resolution == width)
    else:
        table = points
        at = points.c.at
        query = select(func.min(at), func.sum(points.c.value), func.count()).group_by(at - at % step if step else at)
    within = query.where(table.c.series_id == series_id, table.c.at >= start, table.c.at < end)
    return [(at, total, count) for at, total, count in conn.execute(within)]
