"""What people and tools reported to have changed: deployments, configurations."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from forewatch.incidents.events import ChangeReported
from forewatch.store.schema import changes


def add(conn: Connection, change: ChangeReported) -> None:
    row = {
        "at": change.at,
        "service": change.service,
        "sender": change.sender,
        "summary": change.summary,
        "details": change.details,
    }
    conn.execute(insert(changes), row)


def between(conn: Connection, since: int, until: int) -> list[ChangeReported]:
    """Oldest first."""
    found = select(changes).where(changes.c.at >= since, changes.c.at < until).order_by(changes.c.at, changes.c.id)
    return [ChangeReported(row.summary, row.service, row.sender, row.at, row.details) for row in conn.execute(found)]
