"""A decisions store that lives in this process's memory alone: the same tables, the same SQL, gone afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection

from forewatch.store import schema
from forewatch.store.engine import make_engine

_NOWHERE = Path(":memory:")
"""What SQLite takes for a database without a file."""


@contextmanager
def in_memory() -> Iterator[Connection]:
    """One open transaction on an empty store. Nothing of it stays."""
    engine = make_engine(_NOWHERE, "OFF")
    try:
        with engine.connect() as conn, conn.begin():
            schema.decisions.create_all(conn)
            yield conn
    finally:
        engine.dispose()
