"""Ids people can say: `INC-42`. One counter a prefix, raised inside the transaction that uses the id."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, insert, update

from forewatch.store.schema import counters

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
