"""How often alerts fired lately."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, select

from forewatch.alerting.flapping import Flap
from forewatch.store.schema import alerts, flaps, group_members
from forewatch.store.upsert import upsert

_OF = select(flaps).where(flaps.c.fingerprint == bindparam("of"))
_MARKS = (
    select(alerts.c.fingerprint)
    .join(group_members, group_members.c.alert_id == alerts.c.id)
    .where(group_members.c.group == bindparam("of"))
)
_IN = select(flaps).where(flaps.c.flapping_since.is_not(None), flaps.c.fingerprint.in_(_MARKS))
_OF_INCIDENT = (
    select(flaps.c.fingerprint)
    .where(
        flaps.c.flapping_since.is_not(None),
        flaps.c.fingerprint.in_(select(alerts.c.fingerprint).where(alerts.c.incident_id == bindparam("of"))),
    )
    .order_by(flaps.c.fingerprint)
)
_DROP = delete(flaps).where(flaps.c.fingerprint == bindparam("of"))


def get(conn: Connection, fingerprint: str) -> Flap | None:
    row = conn.execute(_OF, {"of": fingerprint}).one_or_none()
    return _flap(row) if row is not None else None


def of_group(conn: Connection, group: str) -> dict[str, Flap]:
    """The alerts of a notification group that flap, by fingerprint."""
    rows = conn.execute(_IN, {"of": group})
    return {row.fingerprint: _flap(row) for row in rows}


def of_incident(conn: Connection, incident_id: str) -> list[str]:
    """The fingerprints of an incident's alerts that flap, firing or not."""
    return list(conn.execute(_OF_INCIDENT, {"of": incident_id}).scalars())


def put(conn: Connection, flap: Flap) -> None:
    upsert(conn, flaps, [{**vars(flap), "fired_at": list(flap.fired_at), "kinds": list(flap.kinds)}])


def drop(conn: Connection, fingerprint: str) -> None:
    conn.execute(_DROP, {"of": fingerprint})


def _flap(row: Row[Any]) -> Flap:
    return Flap(row.fingerprint, tuple(row.fired_at), row.flapping_since, tuple(row.kinds))
