"""What refused remedies wait for until they are asked again, by the alert they are for."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, delete, select, update

from forewatch.remedy.wait import Wait
from forewatch.store.schema import alerts, waits
from forewatch.store.upsert import upsert

_OF = select(waits).where(waits.c.alert_id == bindparam("of")).order_by(waits.c.since, waits.c.kind)
_BY = (
    select(waits.c.alert_id)
    .where(waits.c.by == bindparam("of"), waits.c.active)
    .order_by(waits.c.since, waits.c.alert_id)
)
_IN = (
    select(waits)
    .join(alerts, alerts.c.id == waits.c.alert_id)
    .where(alerts.c.incident_id == bindparam("of"), alerts.c.status == "firing", waits.c.active)
    .order_by(waits.c.since, waits.c.alert_id)
)
_END = update(waits).where(waits.c.alert_id == bindparam("of"), waits.c.active).values(active=False)
_DROP = delete(waits).where(waits.c.alert_id == bindparam("of"))


def put(conn: Connection, wait: Wait) -> None:
    """It is what the alert's remedy waits for from now on."""
    end(conn, wait.alert_id)
    upsert(conn, waits, [vars(wait)])


def end(conn: Connection, alert_id: str) -> None:
    """The remedy waits no more; that it did stays known."""
    conn.execute(_END, {"of": alert_id})


def drop(conn: Connection, alert_id: str) -> None:
    """The alert is over."""
    conn.execute(_DROP, {"of": alert_id})


def of_alert(conn: Connection, alert_id: str) -> list[Wait]:
    """What its remedy waits for and has waited for."""
    return [Wait(**row._mapping) for row in conn.execute(_OF, {"of": alert_id})]


def by(conn: Connection, subject: str) -> list[str]:
    """The alerts whose remedies wait for a run, an alert or a switch, the longest waiting first."""
    return list(conn.execute(_BY, {"of": subject}).scalars())


def in_incident(conn: Connection, incident_id: str) -> list[Wait]:
    """What remedies wait for now, for the firing alerts of an incident."""
    return [Wait(**row._mapping) for row in conn.execute(_IN, {"of": incident_id})]
