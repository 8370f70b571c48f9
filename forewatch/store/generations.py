"""Idempotency keys that no outage, restore or second installation ever gives again.

`INC-7` is unique in one file only: after a restore the numbers given since the backup are given once more. So every
start begins a generation, and an id's key names the store and the generation in which the id was given:

    9f3c21aa-67c2d1f0-NT-42      store, generation (the second it began, in hex), id

A start is when a restored copy comes in, however it was copied, so no restore has to be noticed. What a restored store
still holds keeps its key, and a receiver that has it already can drop it.
"""

from __future__ import annotations

import secrets

from sqlalchemy import Connection, bindparam, select

from forewatch.clock import seconds
from forewatch.store import ids
from forewatch.store.schema import generations
from forewatch.store.upsert import upsert

PREFIXES = ("AL", "INC", "NT", "RUN")

_STORE = "store.id"
_GIVEN_IN = (
    select(generations.c.key)
    .where(generations.c.prefix == bindparam("prefix"), generations.c.above < bindparam("number"))
    .order_by(generations.c.above.desc())
    .limit(1)
)


def begin(conn: Connection, now: int) -> str:
    """Begin a generation and return its key: ids given from here on bear it. The store gets its own id with the first.

    Where no id was given in the generation before, this one takes its place.
    """
    store = ids.mark(conn, _STORE)
    if not store:
        store = secrets.randbits(32) | 1
        ids.put_mark(conn, _STORE, store)
    key = f"{store:08x}-{int(seconds(now)):08x}"
    upsert(conn, generations, [{"prefix": one, "above": ids.mark(conn, one), "key": key} for one in PREFIXES])
    return key


def key_of(conn: Connection, id: str) -> str:
    """The key of an id such as `NT-42`; the id itself where it is older than generations or is none of the numbered."""
    prefix, _, number = id.partition("-")
    if not number.isdecimal():
        return id
    given_in = conn.execute(_GIVEN_IN, {"prefix": prefix, "number": int(number)}).scalar_one_or_none()
    return id if given_in is None else f"{given_in}-{id}"
