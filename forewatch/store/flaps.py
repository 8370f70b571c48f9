"""How often alerts fired lately."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, delete, select

from forewatch.alerting.flapping import Flap
from forewatch.store.schema import flaps
from forewatch.store.upsert import upsert

_OF = select(flaps).where(flaps.c.fingerprint == bindparam("of"))
_DROP = delete(flaps).where(flaps.c.fingerprint == bindparam("of"))


def get(conn: Connection, fingerprint: str) -> Flap | None:
    row = conn.execute(_OF, {"of": fingerprint}).one_or_none()
    return Flap(row.fingerprint, tuple(row.fired_at), row.flapping_since) if row is not None else None


def put(conn: Connection, flap: Flap) -> None:
    upsert(conn, flaps, [{**vars(flap), "fired_at": list(flap.fired_at)}])


def drop(conn: Connection, fingerprint: str) -> None:
    conn.execute(_DROP, {"of": fingerprint})
