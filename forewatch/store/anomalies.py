"""Anomalies: one row an episode on one series, with what was made of it and what people said of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, or_, select, update

from forewatch.clock import micros
from forewatch.detection.episode import STUCK, Episode, Verdict
from forewatch.errors import NotFound
from forewatch.store.ids import is_number
from forewatch.store.schema import anomalies, series

_LONGEST = micros(2 * STUCK)
"""None goes on for longer: what began before is over or forgotten."""


def put(conn: Connection, episode: Episode) -> Episode:
    """Store an episode or bring it up to date, and return it with its id. A verdict given meanwhile stays.

    One stored already under its series and beginning is the same: two watches may see it begin.
    """
    row = {name: value for name, value in vars(episode).items() if name != "id" and not name.startswith("verdict")}
    number = episode.id
    if number is None:
        same = select(anomalies.c.id).where(
            anomalies.c.series_id == episode.series_id, anomalies.c.start == episode.start
        )
        number = conn.execute(same.where(anomalies.c.kind == episode.kind)).scalar()
    if number is None:
        return replace(
            episode, id=int(conn.execute(insert(anomalies).values(row).returning(anomalies.c.id)).scalar_one())
        )
    conn.execute(update(anomalies).where(anomalies.c.id == number).values(row))
    return replace(episode, id=number)


def get(conn: Connection, number: int) -> Episode | None:
    if not is_number(number):
        return None
    row = conn.execute(select(anomalies).where(anomalies.c.id == number)).one_or_none()
    return _episode(row) if row is not None else None


def going_on(conn: Connection, now: int) -> list[Episode]:
    """Those without an end, oldest first."""
    query = select(anomalies).where(anomalies.c.end.is_(None), anomalies.c.start >= now - _LONGEST)
    return [_episode(row) for row in conn.execute(query.order_by(anomalies.c.start, anomalies.c.id))]


def since(conn: Connection, at: int) -> list[Episode]:
    """Those that go on, and those over that were last seen at that instant or later; oldest first."""
    query = select(anomalies).where(
        anomalies.c.start >= at - _LONGEST, or_(anomalies.c.end.is_(None), anomalies.c.last >= at)
    )
    return [_episode(row) for row in conn.execute(query.order_by(anomalies.c.start, anomalies.c.id))]


def of_series(conn: Connection, series_id: int, start: int, end: int) -> list[Episode]:
    """Those of a series that began or went on between two instants, oldest first."""
    query = select(anomalies).where(
        anomalies.c.series_id == series_id, anomalies.c.start.between(start - _LONGEST, end)
    )
    found = [_episode(row) for row in conn.execute(query.order_by(anomalies.c.start))]
    return [one for one in found if one.end is None or one.end >= start]


def listing(conn: Connection, *, limit: int = 50) -> list[Episode]:
    """The newest, newest first."""
    query = select(anomalies).order_by(anomalies.c.start.desc(), anomalies.c.id.desc()).limit(limit)
    return [_episode(row) for row in conn.execute(query)]


def tell(conn: Connection, told: Iterable[Episode]) -> None:
    """Note what was made of stored episodes."""
    for one in told:
        values = {"told": one.told, "reason": one.reason}
        conn.execute(update(anomalies).where(anomalies.c.id == one.id).values(values))


def judge(conn: Connection, number: int, verdict: Verdict, *, by: str, now: int) -> Episode:
    """Note what a person says of an episode. Raises NotFound for a number that is none."""
    episode = get(conn, number)
    if episode is None:
        raise NotFound(f"there is no anomaly AN-{number} (forewatch anomalies list shows them)")
    newest = select(anomalies.c.verdict_at).where(
        anomalies.c.series_id == episode.series_id, anomalies.c.verdict_at.is_not(None)
    )
    # Later than any before it, though the clock was set back: the series' detector goes by that.
    at = max([now, *(before + 1 for before in conn.scalars(newest))])
    values = {"verdict": verdict, "verdict_by": by, "verdict_at": at}
    conn.execute(update(anomalies).where(anomalies.c.id == number).values(values))
    return replace(episode, verdict=verdict, verdict_by=by, verdict_at=at)


def judged_since(conn: Connection, at: int) -> list[Episode]:
    """Those with a verdict given later than that, in the order given."""
    query = select(anomalies).where(anomalies.c.verdict_at > at)
    return [_episode(row) for row in conn.execute(query.order_by(anomalies.c.verdict_at))]


def end_forgotten(conn: Connection, now: int) -> int:
    """End those that nobody has followed to their end: none goes on for so long. Returns how many."""
    lost = anomalies.c.end.is_(None) & (anomalies.c.start < now - _LONGEST)
    return conn.execute(update(anomalies).where(lost).values(end=anomalies.c.last)).rowcount


def forget_removed(conn: Connection) -> int:
    """Delete those of series that are no more; returns how many."""
    return conn.execute(delete(anomalies).where(anomalies.c.series_id.not_in(select(series.c.id)))).rowcount


def _episode(row: Row[Any]) -> Episode:
    return Episode(**row._mapping)
