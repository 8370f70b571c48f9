"""Alerts: one row a firing episode; at most one episode of a fingerprint fires at a time."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from forewatch.alerting.alert import Alert
from forewatch.errors import TransitionRefused
from forewatch.store.schema import alerts

_BY_ID = select(alerts).where(alerts.c.id == bindparam("of"))
_FIRING = select(alerts).where(alerts.c.fingerprint == bindparam("of"), alerts.c.status == "firing")
_OF_INCIDENT = select(alerts).where(alerts.c.incident_id == bindparam("of")).order_by(alerts.c.starts_at, alerts.c.id)
_INSERT = insert(alerts)
_REPLACE = update(alerts).where(alerts.c.id == bindparam("of"))


def get(conn: Connection, alert_id: str) -> Alert | None:
    row = conn.execute(_BY_ID, {"of": alert_id}).one_or_none()
    return Alert(**row._mapping) if row is not None else None


def firing(conn: Connection, fingerprint: str) -> Alert | None:
    """The episode of a fingerprint that is firing now."""
    row = conn.execute(_FIRING, {"of": fingerprint}).one_or_none()
    return Alert(**row._mapping) if row is not None else None


def latest(conn: Connection, fingerprint: str) -> Alert | None:
    """The last episode of a fingerprint, firing or over."""
    found = select(alerts).where(alerts.c.fingerprint == fingerprint)
    row = conn.execute(found.order_by(alerts.c.starts_at.desc(), alerts.c.id.desc()).limit(1)).one_or_none()
    return Alert(**row._mapping) if row is not None else None


def all_firing(conn: Connection, service: str | None = None) -> list[Alert]:
    """All that fires, of one service where it is given, oldest first."""
    found = select(alerts).where(alerts.c.status == "firing").order_by(alerts.c.starts_at, alerts.c.id)
    if service is not None:
        found = found.where(alerts.c.service == service)
    return [Alert(**row._mapping) for row in conn.execute(found)]


def of_incident(conn: Connection, incident_id: str) -> list[Alert]:
    """Firing and resolved, oldest first."""
    return [Alert(**row._mapping) for row in conn.execute(_OF_INCIDENT, {"of": incident_id})]


def listing(conn: Connection, limit: int = 50) -> list[Alert]:
    """The newest, newest first."""
    found = select(alerts).order_by(alerts.c.starts_at.desc(), alerts.c.id.desc()).limit(limit)
    return [Alert(**row._mapping) for row in conn.execute(found)]


def put(conn: Connection, alert: Alert) -> None:
    """Store a new alert or replace the one of the same id.

    Raises TransitionRefused where another episode of the fingerprint is firing.
    """
    try:
        if not conn.execute(_REPLACE, {**vars(alert), "of": alert.id}).rowcount:
            conn.execute(_INSERT, vars(alert))
    except IntegrityError as error:
        raise TransitionRefused(
            f"{alert.id} cannot fire: another alert {alert.fingerprint} is firing already"
        ) from error
