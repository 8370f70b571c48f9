"""Events set aside: a fault of our own kept them from being processed. They lie here, with the error, for people."""

from __future__ import annotations

from sqlalchemy import Connection, func, insert, select

from forewatch.incidents.events import Event
from forewatch.store.schema import set_aside


def add(conn: Connection, event: Event, *, source: str, error: str, now: int) -> int:
    """Returns its number."""
    values = {"at": now, "source": source, "event": event.as_json(), "error": error}
    return int(conn.execute(insert(set_aside).values(values).returning(set_aside.c.id)).scalar_one())


def count(conn: Connection) -> int:
    return int(conn.execute(select(func.count()).select_from(set_aside)).scalar_one())
