"""What each check says at present: one row a service, check and instance."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from sqlalchemy import Connection, delete, select

from forewatch.store.schema import check_states
from forewatch.store.upsert import upsert


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


def put_many(conn: Connection, states: Sequence[CheckState]) -> None:
    upsert(conn, check_states, [asdict(state) for state in states])


def get_all(conn: Connection) -> list[CheckState]:
    c = check_states.c
    rows = conn.execute(select(check_states).order_by(c.service, c.check, c.instance))
    return [CheckState(**row._mapping) for row in rows]


def remove(conn: Connection, keys: Collection[tuple[str, str, str]]) -> None:
    """Forget checks the configuration no longer has."""
    c = check_states.c
    for service, check, instance in keys:
        conn.execute(delete(check_states).where(c.service == service, c.check == check, c.instance == instance))
