"""`INSERT ... ON CONFLICT`, which SQLite and PostgreSQL spell alike and SQLAlchemy keeps in two places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_for(conn: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT into `table` that knows `on_conflict_do_update` and `on_conflict_do_nothing`."""
    return postgresql.insert(table) if conn.dialect.name == "postgresql" else sqlite.insert(table)


def upsert(conn: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Write `rows`; where the primary key is there already, all other columns take the new values."""
    if not rows:
        return
    statement = insert_for(conn, table)
    keys = [column.name for column in table.primary_key]
    fresh = {name: statement.excluded[name] for name in table.columns.keys() if name not in keys}  # noqa: SIM118
    conn.execute(statement.on_conflict_do_update(index_elements=keys, set_=fresh), rows)


def insert_missing(conn: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Write `rows`; one whose key is there already is left as it is."""
    if rows:
        conn.execute(insert_for(conn, table).on_conflict_do_nothing(), rows)
