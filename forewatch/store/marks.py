"""Named numbers kept beside the points: how far roll-ups have come, how often series were removed."""

from __future__ import annotations

from sqlalchemy import Connection, select

from forewatch.store.schema import marks
from forewatch.store.upsert import upsert

SERIES = "series"
"""Raised whenever series are removed, so that no process writes on under a number that is gone."""


def rolled(resolution: int) -> str:
    """The mark up to which buckets of `resolution` seconds are rolled up."""
    return f"rollup.{resolution}"


def get_all(conn: Connection, *, lock: bool = False) -> dict[str, int]:
    """Every mark. With `lock`, none of them changes before this transaction ends (SQLite's writer is alone anyway)."""
    query = select(marks.c.name, marks.c.value)
    rows = conn.execute(query.with_for_update(read=True) if lock else query)
    return {row.name: row.value for row in rows}


def put(conn: Connection, name: str, value: int) -> None:
    upsert(conn, marks, [{"name": name, "value": value}])
