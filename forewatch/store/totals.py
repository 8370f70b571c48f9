"""Sums and counts of many series over one span, exact to the point and yet read mostly from roll-ups.

The middle of a span comes from hourly buckets, what is left at its ends from five-minute buckets, and the rest from
points. Where these are no longer kept so finely, that end (less than an hour) is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from forewatch.clock import micros, seconds
from forewatch.store import marks
from forewatch.store.points import RESOLUTIONS
from forewatch.store.schema import points, rollups, series
from forewatch.store.series import chunks

_CHUNK = 500
_FINE, _COARSE = RESOLUTIONS


@dataclass(frozen=True, slots=True)
class Total:
    """What one series had in a span."""

    sum: float
    count: int
    covered: float
    """Seconds of the span in whose buckets there was anything."""


@dataclass(frozen=True, slots=True)
class Kept:
    """From when to when there is something of a series; where only buckets are kept, from the end of the first one."""

    since: int
    last: int | None
    """The newest point; None where none is kept any more."""


def totals(conn: Connection, series_ids: Sequence[int], start: int, end: int) -> dict[int, Total]:
    """The total of `start <= t < end` of every series that has something in it."""
    found: dict[int, Total] = {}
    spans = list(_spans(conn, start, end))
    for chunk in chunks(series_ids, _CHUNK):
        for width, begin, until in spans:
            for series_id, total, count, rows in _read(conn, chunk, width, begin, until):
                before = found.get(series_id, Total(0.0, 0, 0.0))
                covered = rows * float(width) if width else seconds(until - begin)
                found[series_id] = Total(before.sum + total, before.count + count, before.covered + covered)
    return found


def in_parts(
    conn: Connection, series_ids: Sequence[int], start: int, end: int, parts: int
) -> dict[int, list[tuple[float, int]]]:
    """(sum, count) of each of `parts` equal parts of a span of days, whose edges are blurred by an hour or two."""
    found = {number: [(0.0, 0)] * parts for number in series_ids}
    # Where the clock was set back, the hour that is lived again holds what is now the future.
    rolled = max(start, min(marks.get_all(conn).get(marks.rolled(_COARSE), 0), end - end % micros(_COARSE)))
    part = ((rollups.c.at - start) * parts // (end - start)).label("part")
    query = select(rollups.c.series_id, part, func.sum(rollups.c.sum), func.sum(rollups.c["count"]))
    query = query.where(rollups.c.resolution == _COARSE, rollups.c.at >= start, rollups.c.at < rolled)
    for chunk in chunks(series_ids, _CHUNK):
        within = query.where(rollups.c.series_id.in_(chunk)).group_by(rollups.c.series_id, part)
        for series_id, number, total, count in conn.execute(within):
            found[series_id][number] = (total, count)
    newest = min(parts - 1, (rolled - start) * parts // (end - start))
    for series_id, rest in totals(conn, series_ids, rolled, end).items():
        before = found[series_id][newest]
        found[series_id][newest] = (before[0] + rest.sum, before[1] + rest.count)
    return found


def kept(conn: Connection, series_ids: Sequence[int]) -> dict[int, Kept]:
    """What is kept of each series: a look into the index each; one of which nothing is kept is left out."""
    firsts = [select(func.min(points.c.at)).where(points.c.series_id == series.c.id).scalar_subquery()]
    for width in RESOLUTIONS:
        of_width = (rollups.c.series_id == series.c.id, rollups.c.resolution == width)
        firsts.append(select(func.min(rollups.c.at) + micros(width)).where(*of_width).scalar_subquery())
    last = select(func.max(points.c.at)).where(points.c.series_id == series.c.id).scalar_subquery()
    found: dict[int, Kept] = {}
    for chunk in chunks(series_ids, _CHUNK):
        for number, newest, *known in conn.execute(select(series.c.id, last, *firsts).where(series.c.id.in_(chunk))):
            since = min((at for at in known if at is not None), default=None)
            if since is not None:
                found[number] = Kept(since, newest)
    return found


def _spans(conn: Connection, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Which resolution is read from when to when: points, five minutes, hours, five minutes, points."""
    known = marks.get_all(conn)
    fine, coarse = micros(_FINE), micros(_COARSE)
    first_fine = -(-start // fine) * fine
    last_fine = min(end - end % fine, known.get(marks.rolled(_FINE), 0))
    if first_fine >= last_fine:
        yield 0, start, end
        return
    first_coarse = -(-first_fine // coarse) * coarse
    last_coarse = min(last_fine - last_fine % coarse, known.get(marks.rolled(_COARSE), 0))
    middle = [(_FINE, first_fine, last_fine)]
    if first_coarse < last_coarse:
        middle = [
            (_FINE, first_fine, first_coarse),
            (_COARSE, first_coarse, last_coarse),
            (_FINE, last_coarse, last_fine),
        ]
    for width, begin, until in ((0, start, first_fine), *middle, (0, last_fine, end)):
        if begin < until:
            yield width, begin, until


def _read(
    conn: Connection, chunk: Sequence[int], width: int, start: int, end: int
) -> Iterator[tuple[int, float, int, int]]:
    """(series, sum, count, rows) over `start <= at < end`."""
    if width:
        table, total, count = rollups, func.sum(rollups.c.sum), func.sum(rollups.c["count"])
        query = select(table.c.series_id, total, count, func.count()).where(table.c.resolution == width)
    else:
        table = points
        query = select(table.c.series_id, func.sum(points.c.value), func.count(), func.count())
    inside = (table.c.series_id.in_(chunk), table.c.at >= start, table.c.at < end)
    for row in conn.execute(query.where(*inside).group_by(table.c.series_id)):
        yield tuple(row)
