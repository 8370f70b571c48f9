"""Texts attached to an incident or a run: diagnostics, logs, outputs of commands."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from forewatch.store.schema import attachments


@dataclass(frozen=True)
class Attachment:
    id: int
    incident_id: str | None
    run_id: str | None
    at: int
    name: str
    text: str


def add(
    conn: Connection, *, name: str, text: str, at: int, incident_id: str | None = None, run_id: str | None = None
) -> None:
    conn.execute(insert(attachments).values(incident_id=incident_id, run_id=run_id, at=at, name=name, text=text))


def of_incident(conn: Connection, incident_id: str) -> list[Attachment]:
    """In the order added."""
    found = select(attachments).where(attachments.c.incident_id == incident_id).order_by(attachments.c.id)
    return [Attachment(**row._mapping) for row in conn.execute(found)]


def of_run(conn: Connection, run_id: str) -> list[Attachment]:
    """In the order added."""
    found = select(attachments).where(attachments.c.run_id == run_id).order_by(attachments.c.id)
    return [Attachment(**row._mapping) for row in conn.execute(found)]
