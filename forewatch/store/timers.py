"""Timers: rows that wait for a time. Each fires once, in the transaction of the decision it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, Integer, and_, bindparam, func, insert, or_, select, update

from forewatch.clock import micros
from forewatch.store.schema import timers

_INSERT = insert(timers)
_WAITS = and_(timers.c.subject == bindparam("of"), timers.c.state == "waiting")
_CANCEL = update(timers).where(_WAITS).values(state="cancelled")
_CANCEL_KIND = _CANCEL.where(timers.c.kind == bindparam("which"))
_FINISH = update(timers).where(timers.c.id == bindparam("of"), timers.c.state == "waiting").values(state="done")
_WAITING = (
    select(timers).where(_WAITS, timers.c.kind == bindparam("which")).order_by(timers.c.due_at, timers.c.id).limit(1)
)
_WAITS_UNTIL = (
    select(timers.c.id)
    .where(_WAITS, timers.c.kind == bindparam("which"), timers.c.due_at == bindparam("until"))
    .limit(1)
)
_DUE = (
    select(timers)
    .where(
        timers.c.state == "waiting",
        or_(timers.c.due_at <= bindparam("now"), timers.c.set_at > bindparam("ahead")),
    )
    .order_by(timers.c.due_at, timers.c.id)
    .limit(bindparam("most", type_=Integer))
)

CLOCK_SLACK = 5.0
"""Seconds a timer may be set ahead of now before we say that the clock was set back."""


@dataclass(frozen=True)
class Timer:
    id: int
    kind: str
    subject: str
    set_at: int
    due_at: int
    state: Literal["waiting", "done", "cancelled"]


def add(conn: Connection, kind: str, subject: str, due_at: int, now: int) -> None:
    conn.execute(_INSERT, {"kind": kind, "subject": subject, "set_at": now, "due_at": due_at, "state": "waiting"})


def cancel(conn: Connection, subject: str, kind: str | None = None) -> int:
    """Call off the waiting timers of a subject, of one kind where it is given; returns how many."""
    if kind is None:
        return conn.execute(_CANCEL, {"of": subject}).rowcount
    return conn.execute(_CANCEL_KIND, {"of": subject, "which": kind}).rowcount


def due(conn: Connection, now: int, limit: int = 100) -> list[Timer]:
    """Waiting timers whose time has come, earliest first.

    One that was set in the future shows that the clock was set back since; it is due at once, for early is harmless and
    an hour late is not.
    """
    limits = {"now": now, "ahead": now + micros(CLOCK_SLACK), "most": limit}
    return [Timer(**row._mapping) for row in conn.execute(_DUE, limits)]


def next_due(conn: Connection) -> int | None:
    """When the earliest waiting timer is due; None if none waits."""
    earliest: int | None = conn.execute(
        select(func.min(timers.c.due_at)).where(timers.c.state == "waiting")
    ).scalar_one()
    return earliest


def waiting(conn: Connection, kind: str, subject: str) -> Timer | None:
    """The timer of a kind that waits for a subject, the first to be due; None where none does."""
    row = conn.execute(_WAITING, {"of": subject, "which": kind}).one_or_none()
    return Timer(**row._mapping) if row is not None else None


def waits(conn: Connection, kind: str, subject: str, due_at: int) -> bool:
    """Whether a timer of a kind waits for a subject until just then."""
    return conn.execute(_WAITS_UNTIL, {"of": subject, "which": kind, "until": due_at}).first() is not None


def finish(conn: Connection, timer_id: int) -> bool:
    """Mark a timer as fired. False if it fired already or was cancelled. `deciding` does this for every TimerDue."""
    return bool(conn.execute(_FINISH, {"of": timer_id}).rowcount)
