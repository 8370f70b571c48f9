"""The timeline of an incident: what happened, in the order it was decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from forewatch.store.schema import timeline

_INSERT = insert(timeline)


@dataclass(frozen=True)
class Entry:
    id: int
    incident_id: str
    at: int
    kind: str
    actor: str
    text: str
    data: dict[str, Any]


def add(
    conn: Connection,
    incident_id: str,
    *,
    at: int,
    kind: str,
    actor: str,
    text: str,
    data: dict[str, Any] | None = None,
) -> None:
    conn.execute(
        _INSERT,
        {"incident_id": incident_id, "at": at, "kind": kind, "actor": actor, "text": text, "data": data or {}},
    )


def of_incident(conn: Connection, incident_id: str) -> list[Entry]:
    """In the order written, which no clock can change."""
    found = select(timeline).where(timeline.c.incident_id == incident_id).order_by(timeline.c.id)
    return [Entry(**row._mapping) for row in conn.execute(found)]
