"""Looks: checks that somebody wants probed at once, and what `check-health` saw. A row is the order and the answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, and_, bindparam, insert, or_, select, update

from forewatch.clock import micros
from forewatch.store.schema import looks
from forewatch.store.timers import CLOCK_SLACK

Key = tuple[str, str, str]
"""Service, check and instance."""
Results = list[dict[str, Any]]
"""`{service, check, instance, ok, reason, at, status}` each; `ok` is None where nothing answered in time."""

STALE = 30.0
"""Seconds after which nobody waits for an answer any more."""

_INSERT = insert(looks).returning(looks.c.id)
_BY_ID = select(looks).where(looks.c.id == bindparam("of"))
_LATEST = select(looks).where(looks.c.subject == bindparam("of")).order_by(looks.c.id.desc()).limit(1)
_DUE = (
    select(looks)
    .where(
        looks.c.state == "asked",
        or_(
            and_(looks.c.due_at <= bindparam("now"), looks.c.due_at > bindparam("stale")),
            looks.c.asked_at > bindparam("ahead"),
        ),
    )
    .order_by(looks.c.due_at, looks.c.id)
    .limit(bindparam("most"))
)
_ANSWER = update(looks).where(looks.c.id == bindparam("of"), looks.c.state == "asked")


@dataclass(frozen=True)
class Look:
    id: int
    subject: str
    purpose: str
    asked_at: int
    due_at: int
    keys: list[list[str]]
    state: Literal["asked", "answered"]
    answered_at: int | None
    results: Results | None


def ask(conn: Connection, subject: str, purpose: str, keys: Iterable[Sequence[str]], due_at: int, now: int) -> int:
    """Order a look; returns its number."""
    row = {
        "subject": subject,
        "purpose": purpose,
        "asked_at": now,
        "due_at": due_at,
        "keys": [list(key) for key in keys],
        "state": "asked",
    }
    return int(conn.execute(_INSERT, row).scalar_one())


def get(conn: Connection, look_id: int) -> Look | None:
    row = conn.execute(_BY_ID, {"of": look_id}).one_or_none()
    return Look(**row._mapping) if row is not None else None


def latest(conn: Connection, subject: str) -> Look | None:
    """The last look that was ordered for a run or an alert."""
    row = conn.execute(_LATEST, {"of": subject}).one_or_none()
    return Look(**row._mapping) if row is not None else None


def due(conn: Connection, now: int, most: int) -> list[Look]:
    """What is to be looked at now, the longest due first. One dated in the future by a clock set back is due too."""
    limits = {"now": now, "stale": now - micros(STALE), "ahead": now + micros(CLOCK_SLACK), "most": most}
    return [Look(**row._mapping) for row in conn.execute(_DUE, limits)]


def answer(conn: Connection, look_id: int, results: Results, now: int) -> bool:
    """Write down what was seen. False if that was done already."""
    values = {"state": "answered", "answered_at": now, "results": results}
    return bool(conn.execute(_ANSWER.values(values), {"of": look_id}).rowcount)
