"""A decisions store that lives in this process's memory alone: the same tables, the same SQL, gone afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from sqlalchemy import Connection

from forewatch.store import schema
from forewatch.store.engine import make_engine

_number = count(1)


@contextmanager
def in_memory() -> Iterator[Connection]:
    """One open transaction on an empty store. Nothing of it stays."""
    # Each has an address of its own: what is kept in memory about a store goes by that.
    engine = make_engine(Path(f"file:memory-{next(_number)}?mode=memory&uri=true"), "OFF")
    try:
        with engine.connect() as conn, conn.begin():
            schema.decisions.create_all(conn)
            yield conn
    finally:
        engine.dispose()
