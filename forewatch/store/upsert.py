"""`INSERT ... ON CONFLICT`, which SQLite and PostgreSQL spell alike and SQLAlchemy keeps in two places."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table, func
from sqlalchemy.dialects import postgresql, sqlite


def insert_for(conn: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT into `table` that knows `on_conflict_do_update` and `on_conflict_do_nothing`."""
    return _insert(table, conn.dialect.name)


def upsert(conn: Connection, table: Table, rows: Sequence[dict[str, Any]], *, keep: tuple[str, ...] = ()) -> None:
    """Write `rows`; where the primary key is there already, all other columns take the new values; those in `keep` not
    where the new one is NULL."""
    if rows:
        conn.execute(_upsert(table, conn.dialect.name, keep), rows)


def insert_missing(conn: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Write `rows`; one whose key is there already is left as it is."""
    if rows:
        conn.execute(_insert_missing(table, conn.dialect.name), rows)


# Each statement is made once: to make and compile it takes longer than SQLite takes to carry it out.


@cache
def _insert(table: Table, dialect: str) -> sqlite.Insert | postgresql.Insert:
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


@cache
def _upsert(table: Table, dialect: str, keep: tuple[str, ...]) -> sqlite.Insert | postgresql.Insert:
    statement = _insert(table, dialect)
    keys = [column.name for column in table.primary_key]
    fresh: dict[str, Any] = {
        name: statement.excluded[name]
        for name in table.columns.keys()  # noqa: SIM118
        if name not in keys
    }
    for name in keep:
        fresh[name] = func.coalesce(statement.excluded[name], table.columns[name])
    return statement.on_conflict_do_update(index_elements=keys, set_=fresh)


@cache
def _insert_missing(table: Table, dialect: str) -> sqlite.Insert | postgresql.Insert:
    return _insert(table, dialect).on_conflict_do_nothing()
