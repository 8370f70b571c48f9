"""Ids people can say: `INC-42`. One counter a prefix, raised inside the transaction that uses the id; and marks."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, insert, select, update

from forewatch.store.schema import counters
from forewatch.store.upsert import upsert

_KEPT = select(counters.c.value).where(counters.c.name == bindparam("of"))
_RAISE = (
    update(counters)
    .where(counters.c.name == bindparam("of"))
    .values(value=counters.c.value + 1)
    .returning(counters.c.value)
)


def next_id(conn: Connection, prefix: str) -> str:
    """The next id of `AL`, `INC`, `NT`, `RUN`. One of a transaction that is rolled back is given again."""
    value = conn.execute(_RAISE, {"of": prefix}).scalar_one_or_none()
    if value is None:
        conn.execute(insert(counters).values(name=prefix, value=1))
        value = 1
    return f"{prefix}-{value}"


def mark(conn: Connection, name: str) -> int:
    """The number kept under a name; 0 where there is none."""
    return conn.execute(_KEPT, {"of": name}).scalar_one_or_none() or 0


def put_mark(conn: Connection, name: str, value: int) -> None:
    upsert(conn, counters, [{"name": name, "value": value}])


def is_number(number: int) -> bool:
    """Whether a row may have it: what others ask for may be larger than any integer of the store."""
    return 0 <= number < 2**63
