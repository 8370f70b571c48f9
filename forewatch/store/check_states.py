"""What each check says at present: one row a service, check and instance."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal

from sqlalchemy import Connection, delete, select

from forewatch.store.schema import check_states


@dataclass(frozen=True, slots=True)
class CheckState:
    service: str
    check: str
    instance: str
    status: Literal["up", "down", "unknown"]
    """`unknown` until it passed once or failed `fails_after` times in a row."""
    failures: int
    """In a row, up to now."""
    successes: int
    since: int
    """When it came to this status."""
    at: int
    """When it was last probed."""
    duration: float
    """Of the last probe, in seconds."""
    reason: str

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.service, self.check, self.instance)


def _quoted(name: str) -> str:
    return f'"{name}"'  # `check` is a word of SQL


_NAMES = tuple(column.name for column in check_states.columns)
_KEYS = tuple(column.name for column in check_states.primary_key)
_values = attrgetter(*_NAMES)
_UPSERT = {
    style: f"INSERT INTO check_states ({', '.join(map(_quoted, _NAMES))}) VALUES ({', '.join([holder] * len(_NAMES))}) "
    f"ON CONFLICT ({', '.join(map(_quoted, _KEYS))}) DO UPDATE SET "
    + ", ".join(f"{_quoted(name)} = excluded.{_quoted(name)}" for name in _NAMES if name not in _KEYS)
    for style, holder in {"qmark": "?", "format": "%s", "pyformat": "%s"}.items()
}


def put_many(conn: Connection, states: Sequence[CheckState]) -> None:
    if states:
        # Straight to the driver, as points are: a row of ten columns by its names costs more than SQLite's insert.
        conn.exec_driver_sql(_UPSERT[conn.dialect.paramstyle], [_values(state) for state in states])


def get_all(conn: Connection) -> list[CheckState]:
    c = check_states.c
    rows = conn.execute(select(check_states).order_by(c.service, c.check, c.instance))
    return [CheckState(**row._mapping) for row in rows]


def remove(conn: Connection, keys: Collection[tuple[str, str, str]]) -> None:
    """Forget checks the configuration no longer has."""
    c = check_states.c
    for service, check, instance in keys:
        conn.execute(delete(check_states).where(c.service == service, c.check == check, c.instance == instance))
