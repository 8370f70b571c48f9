"""The audit trail: what people did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from forewatch.store.schema import audit


@dataclass(frozen=True)
class AuditEntry:
    id: int
    at: int
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]


def add(
    conn: Connection, *, actor: str, action: str, subject: str, now: int, detail: dict[str, Any] | None = None
) -> None:
    conn.execute(insert(audit).values(at=now, actor=actor, action=action, subject=subject, detail=detail or {}))


def listing(conn: Connection, limit: int = 100) -> list[AuditEntry]:
    """The newest, newest first."""
    return [AuditEntry(**row._mapping) for row in conn.execute(select(audit).order_by(audit.c.id.desc()).limit(limit))]
