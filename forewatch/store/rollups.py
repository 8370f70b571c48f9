"""Roll-ups: count, sum, min, max and last of every series over 5 minutes and over an hour.

Five-minute buckets are made of points, hourly ones of five-minute buckets. A bucket is rolled up once it has ended; two
marks say how far that has come. Hours that got points later are rolled up again. A bucket never shrinks: where its
points are no longer kept, a straggler does not wipe out what they said.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Table, delete, func, literal, select

from forewatch.clock import micros
from forewatch.store import marks
from forewatch.store.points import RESOLUTIONS
from forewatch.store.schema import late_points, points, rollups, series
from forewatch.store.upsert import insert_for

_FINE, _COARSE = RESOLUTIONS
_LATE = 500  # late hours looked at in one call


def roll(conn: Connection, now: int, *, budget: float = 0.05) -> bool:
    """Roll up what has ended by `now`, for about `budget` seconds. True once nothing is left to do.

    Needs a write transaction; call it again in a new one while it answers False. After the clock was set back the marks
    go back too, and the buckets lived through twice are rolled up again.
    """
    deadline = time.monotonic() + budget
    return _roll_late(conn, deadline) and all(_advance(conn, width, now, deadline) for width in RESOLUTIONS)


@dataclass(frozen=True)
class Bucket:
    """What a series was like from `at` for as long as its resolution says."""

    at: int
    mean: float
    min: float
    max: float
    last: float


def between(conn: Connection, series_id: int, resolution: int, start: int, end: int) -> list[Bucket]:
    """The buckets of a series that begin from `start` up to `end`, oldest first."""
    c = rollups.c
    found = select(c.at, (c.sum / c["count"]).label("mean"), c.min, c.max, c.last)
    found = found.where(c.series_id == series_id, c.resolution == resolution, c.at.between(start, end)).order_by(c.at)
    return [Bucket(**row._mapping) for row in conn.execute(found)]


def _roll_late(conn: Connection, deadline: float) -> bool:
    known = marks.get_all(conn)
    fine, coarse = (known.get(marks.rolled(width), 0) for width in RESOLUTIONS)
    late = conn.execute(select(late_points).limit(_LATE)).all()
    for series_id, hour in late:
        end = hour + micros(_COARSE)
        _roll(conn, _FINE, hour, min(end, fine), series_id)
        if end <= coarse:
            _roll(conn, _COARSE, hour, end, series_id)
        conn.execute(delete(late_points).where(late_points.c.series_id == series_id, late_points.c.at == hour))
        # After the work, so that every call comes at least one hour further.
        if time.monotonic() > deadline:
            return False
    return len(late) < _LATE


def _advance(conn: Connection, resolution: int, now: int, deadline: float) -> bool:
    """Bring one resolution's mark up to `now`, bucket by bucket, passing over times in which nothing was measured."""
    width = micros(resolution)
    name = marks.rolled(resolution)
    known = marks.get_all(conn)
    ended = now if resolution == _FINE else min(now, known.get(marks.rolled(_FINE), 0))
    ended -= ended % width
    mark = min(known.get(name, 0), ended)
    while mark < ended:
        first = _first(conn, resolution, mark)
        if first is None or first >= ended:
            mark = ended
        else:
            start = first - first % width
            mark = start + width
            _roll(conn, resolution, start, mark)
        if time.monotonic() > deadline:
            break
    marks.put(conn, name, mark)
    return mark == ended


def _first(conn: Connection, resolution: int, since: int) -> int | None:
    """The instant of the first thing to roll up from `since` on: one look into the index a series."""
    table = points if resolution == _FINE else rollups
    first = select(func.min(table.c.at)).where(table.c.series_id == series.c.id, table.c.at >= since)
    if table is rollups:
        first = first.where(rollups.c.resolution == _FINE)
    found: int | None = conn.execute(select(func.min(first.scalar_subquery()))).scalar_one()
    return found


def _roll(conn: Connection, resolution: int, start: int, end: int, series_id: int | None = None) -> None:
    """Make the buckets of `start <= at < end`, of one series or of all."""
    source = points if resolution == _FINE else rollups
    bucket = (source.c.at - source.c.at % micros(resolution)).label("bucket")
    inside = [source.c.series_id == series.c.id, source.c.at >= start, source.c.at < end]
    if source is rollups:
        inside.append(rollups.c.resolution == _FINE)
    if series_id is not None:
        inside.append(series.c.id == series_id)
    grouped = (
        select(series.c.id.label("series_id"), bucket, *_measures(source), func.max(source.c.at).label("newest"))
        .where(*inside)
        .group_by(series.c.id, bucket)
        .subquery()
    )
    newest = source.alias("newest")
    last = newest.c.value if source is points else newest.c.last
    at_newest = [newest.c.series_id == grouped.c.series_id, newest.c.at == grouped.c.newest]
    if source is rollups:
        at_newest.append(newest.c.resolution == _FINE)
    g = grouped.c
    rows = select(g.series_id, literal(resolution), g.bucket, g["count"], g.sum, g.min, g.max, last).where(*at_newest)
    names = ["series_id", "resolution", "at", "count", "sum", "min", "max", "last"]
    statement = insert_for(conn, rollups).from_select(names, rows)
    conn.execute(
        statement.on_conflict_do_update(
            index_elements=names[:3],
            set_={name: statement.excluded[name] for name in names[3:]},
            where=statement.excluded["count"] >= rollups.c["count"],
        )
    )


def _measures(source: Table) -> list[ColumnElement[object]]:
    if source is points:
        value = points.c.value
        made = {"count": func.count(), "sum": func.sum(value), "min": func.min(value), "max": func.max(value)}
    else:
        c = rollups.c
        made = {"count": func.sum(c["count"]), "sum": func.sum(c.sum), "min": func.min(c.min), "max": func.max(c.max)}
    return [measure.label(name) for name, measure in made.items()]
