"""Points: single values of series, and reading them back as they were or averaged over steps.

A point written twice counts once, the later value wins. One that arrives after its hour was rolled up marks that hour,
and the next roll-up does it again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

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


Row = tuple[series_store.Key, int, float]
"""A point of a series that is known by its key: (key, at, value)."""


def write(conn: Connection, batch: Sequence[Point]) -> int:
    """Store a batch; returns how many points were taken. NaN, infinite and undated ones are dropped, and said so."""
    return write_rows(conn, [(series_store.key_of(p.metric, p.labels, p.service), p.at, p.value) for p in batch])


def write_rows(conn: Connection, batch: Sequence[Row]) -> int:
    """`write`, for who keeps the keys of its series."""
    taken = [row for row in batch if -LARGEST <= row[2] <= LARGEST and row[1] > 0]
    if len(taken) < len(batch):
        _say_dropped(batch, len(batch) - len(taken))
    if not taken:
        return 0
    known = marks.get_all(conn, lock=True)
    numbers = series_store.ids(conn, {key for key, _, _ in taken}, generation=known.get(marks.SERIES, 0))
    # Straight to the driver: SQLAlchemy's handling of each row's parameters costs as much as SQLite's insert.
    rows = [(numbers[key], at, value) for key, at, value in taken]
    conn.exec_driver_sql(_UPSERT[conn.dialect.paramstyle], rows)
    rolled_until = known.get(marks.rolled(RESOLUTIONS[0]), 0)
    late = {(number, at - at % _HOUR) for number, at, _ in rows if at < rolled_until}
    insert_missing(conn, late_points, [{"series_id": number, "at": hour} for number, hour in sorted(late)])
    return len(taken)


def _say_dropped(batch: Sequence[Row], count: int) -> None:
    (metric, _, labels), at, value = next(row for row in batch if not (-LARGEST <= row[2] <= LARGEST and row[1] > 0))
    log.warning(
        "%d of %d points dropped: a value must be a finite number, its time after 1970; the first is %s%s = %s at %d",
        count, len(batch), metric, dict(sorted(labels)), value, at,
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


def after(conn: Connection, series_id: int, at: int, limit: int) -> list[tuple[int, float]]:
    """The first `limit` points later than `at` as (at, value), oldest first."""
    query = select(points.c.at, points.c.value).where(points.c.series_id == series_id, points.c.at > at)
    return [(at, value) for at, value in conn.execute(query.order_by(points.c.at).limit(limit))]


def window(conn: Connection, series_ids: Sequence[int], start: int, end: int) -> dict[int, list[tuple[int, float]]]:
    """`between` for many series at once: number -> points, the empty ones left out."""
    found: dict[int, list[tuple[int, float]]] = {}
    for chunk in series_store.chunks(series_ids, 500):
        query = select(points).where(points.c.series_id.in_(chunk), points.c.at.between(start, end))
        for series_id, at, value in conn.execute(query.order_by(points.c.series_id, points.c.at)):
            found.setdefault(series_id, []).append((at, value))
    return found


class Mean(NamedTuple):
    """What the points of one step come to."""

    at: int
    """Start of the step."""
    value: float
    number: int
    """Of points."""
    newest: int
    """The last of them."""


def means(conn: Connection, series_ids: Sequence[int], start: int, end: int, step: float) -> dict[int, list[Mean]]:
    """The points of many series with `start <= at < end`, averaged over steps aligned to the epoch, oldest first."""
    found: dict[int, list[Mean]] = {}
    at, width = points.c.at, micros(step)
    begin = (at - at % width).label("begin")
    value, count, newest = func.avg(points.c.value), func.count(), func.max(at)
    for chunk in series_store.chunks(series_ids, 500):
        query = select(points.c.series_id, begin, value, count, newest)
        query = query.where(points.c.series_id.in_(chunk), at >= start, at < end)
        for series_id, *mean in conn.execute(query.group_by(points.c.series_id, begin).order_by("series_id", "begin")):
            found.setdefault(series_id, []).append(Mean(*mean))
    return found


def oldest(conn: Connection, series_id: int) -> int | None:
    """When the first point that is kept was measured."""
    return conn.execute(select(func.min(points.c.at)).where(points.c.series_id == series_id)).scalar()


def newest(conn: Connection, series_id: int, count: int) -> list[tuple[int, float]]:
    """The last points as (at, value), oldest first."""
    query = select(points.c.at, points.c.value).where(points.c.series_id == series_id)
    return [(at, value) for at, value in conn.execute(query.order_by(points.c.at.desc()).limit(count))][::-1]


def read(conn: Connection, series_id: int, start: int, end: int, step: float) -> list[tuple[int, float]]:
    """Means over steps of `step` seconds from `start` up to but not including `end`, oldest first.

    Each comes as (start of the step, mean); steps are aligned to the epoch, a step without points is left out. With
    `step` 0 the points come as they are. The coarsest roll-ups that are fine enough are read; what is not yet rolled up
    is read from points, and where points are no longer kept, coarser roll-ups stand in.
    """
    return read_many(conn, [series_id], start, end, step).get(series_id, [])


def read_many(
    conn: Connection, series_ids: Sequence[int], start: int, end: int, step: float
) -> dict[int, list[tuple[int, float]]]:
    """`read` for many series at once: number -> means, the empty ones left out."""
    resolution = max((width for width in RESOLUTIONS if width <= step), default=0)
    width = micros(step)
    found: dict[int, list[tuple[int, float]]] = {}
    for chunk in series_store.chunks(series_ids, 500):
        for series_id, pieces in _pieces(conn, chunk, start, end, resolution, width).items():
            steps: dict[int, tuple[float, int]] = {}
            for at, total, count in pieces:
                bucket = at - at % width if width else at
                so_far, number = steps.get(bucket, (0.0, 0))
                steps[bucket] = (so_far + total, number + count)
            found[series_id] = [(at, total / count) for at, (total, count) in sorted(steps.items())]
    return found


Piece = tuple[int, float, int]
"""(at, sum, count)"""


def _pieces(
    conn: Connection, series_ids: Sequence[int], start: int, end: int, resolution: int, step: int
) -> dict[int, list[Piece]]:
    """What `start <= at < end` holds, from `resolution`; finer where it is not rolled up, coarser where it is gone."""
    known = marks.get_all(conn)
    if resolution:
        start -= start % micros(resolution)
    pieces: dict[int, list[Piece]] = {}
    begin = start
    for width in (*(width for width in reversed(RESOLUTIONS) if width <= resolution), 0):
        until = min(end, known.get(marks.rolled(width), 0)) if width else end
        if begin < until:
            _layer(conn, series_ids, width, begin, until, step, pieces)
            begin = until
    for width in (width for width in RESOLUTIONS if width > resolution):
        # Only of those that lack something at the beginning: the others have nothing older.
        oldest = {number: min((at for at, _, _ in pieces.get(number, ())), default=end) for number in series_ids}
        older: dict[int, list[Piece]] = {}
        lacking = [number for number in series_ids if oldest[number] >= start + micros(width)]
        _layer(conn, lacking, width, start, max((oldest[number] for number in lacking), default=start), 0, older)
        for number, found in older.items():
            kept = [piece for piece in found if piece[0] + micros(width) <= oldest[number]]
            if kept:
                pieces.setdefault(number, []).extend(kept)
    return pieces


def _layer(
    conn: Connection, series_ids: Sequence[int], width: int, start: int, end: int, step: int,
    into: dict[int, list[Piece]],
) -> None:  # fmt: skip
    if not series_ids:
        return
    if width:
        table = rollups
        query = select(rollups.c.series_id, rollups.c.at, rollups.c.sum, rollups.c.count)
        query = query.where(rollups.c.resolution == width)
    else:
        table = points
        series_id, at = points.c.series_id, points.c.at
        query = select(series_id, func.min(at), func.sum(points.c.value), func.count())
        query = query.group_by(series_id, at - at % step if step else at)
    of_these = table.c.series_id == series_ids[0] if len(series_ids) == 1 else table.c.series_id.in_(series_ids)
    within = query.where(of_these, table.c.at >= start, table.c.at < end)
    for number, at, total, count in conn.execute(within):
        into.setdefault(number, []).append((at, total, count))
