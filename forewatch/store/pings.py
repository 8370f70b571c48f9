"""Calls of jobs that must call in: what is known of each job, and its last calls with what they brought."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import Connection, Row, delete, func, insert, select

from forewatch.checking.heartbeats import Heartbeat, Ping, excused
from forewatch.clock import micros
from forewatch.config.targets import HeartbeatTarget
from forewatch.store.schema import heartbeats, pings
from forewatch.store.upsert import upsert

KEPT = 100
"""Calls of one job that are kept."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call as it came. `body` is what it brought, redacted; `duration` in seconds, of a finish that was paired."""

    at: int
    kind: str
    code: int | None
    rid: str | None
    duration: float | None
    body: str


def get(conn: Connection, key: str) -> Heartbeat | None:
    """What is known of a job; `key` is `forewatch.checking.heartbeats.key_of` its token."""
    row = conn.execute(select(heartbeats).where(heartbeats.c.key == key)).one_or_none()
    return None if row is None else _heartbeat(row)


def put(conn: Connection, key: str, state: Heartbeat) -> None:
    upsert(conn, heartbeats, [{"key": key, **asdict(state)}])


def excuse(conn: Connection, key: str, schedule: HeartbeatTarget, heard_until: int, now: int) -> bool:
    """No call could be heard from `heard_until` up to now. Whether that gives the job its time once more."""
    state = get(conn, key)
    after = excused(state, schedule, heard_until, now) if state is not None else None
    if after is None or after == state:
        return False
    put(conn, key, after)
    return True


def add(conn: Connection, key: str, ping: Ping, body: str, duration: float | None, now: int) -> None:
    """Keep a call, and of the job's earlier ones the newest."""
    conn.execute(
        insert(pings).values(
            key=key, at=now, kind=ping.kind, code=ping.code, rid=ping.rid, duration=duration, body=body
        )
    )
    oldest = select(pings.c.id).where(pings.c.key == key).order_by(pings.c.id.desc()).offset(KEPT).limit(1)
    conn.execute(delete(pings).where(pings.c.key == key, pings.c.id <= oldest.scalar_subquery()))


def within_a_minute(conn: Connection, key: str, now: int) -> int:
    """How many calls of a job were kept in the minute up to now."""
    c = pings.c
    recent = select(func.count()).where(c.key == key, c.at > now - micros(60), c.at <= now)
    return int(conn.execute(recent).scalar_one())


def last(conn: Connection, key: str, limit: int = KEPT) -> list[Call]:
    """A job's calls, newest first."""
    c = pings.c
    found = select(c.at, c.kind, c.code, c.rid, c.duration, c.body).where(c.key == key)
    return [Call(**row._mapping) for row in conn.execute(found.order_by(c.id.desc()).limit(limit))]


def _heartbeat(row: Row[tuple[object, ...]]) -> Heartbeat:
    return Heartbeat(**{name: value for name, value in row._mapping.items() if name != "key"})
