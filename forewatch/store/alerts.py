"""Alerts: one row a firing episode; at most one episode of a fingerprint fires at a time."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from forewatch.alerting.alert import Alert
from forewatch.errors import TransitionRefused
from forewatch.store.schema import alerts


def get(conn: Connection, alert_id: str) -> Alert | None:
    row = conn.execute(select(alerts).where(alerts.c.id == alert_id)).one_or_none()
    return Alert(**row._mapping) if row is not None else None


def firing(conn: Connection, fingerprint: str) -> Alert | None:
    """The episode of a fingerprint that is firing now."""
    found = select(alerts).where(alerts.c.fingerprint == fingerprint, alerts.c.status == "firing")
    row = conn.execute(found).one_or_none()
    return Alert(**row._mapping) if row is not None else None


def all_firing(conn: Connection, service: str | None = None) -> list[Alert]:
    """All that fires, of one service where it is given, oldest first."""
    found = select(alerts).where(alerts.c.status == "firing").order_by(alerts.c.starts_at, alerts.c.id)
    if service is not None:
        found = found.where(alerts.c.service == service)
    return [Alert(**row._mapping) for row in conn.execute(found)]


def of_incident(conn: Connection, incident_id: str) -> list[Alert]:
    """Firing and resolved, oldest first."""
    found = select(alerts).where(alerts.c.incident_id == incident_id).order_by(alerts.c.starts_at, alerts.c.id)
    return [Alert(**row._mapping) for row in conn.execute(found)]


def listing(conn: Connection, limit: int = 50) -> list[Alert]:
    """The newest, newest first."""
    found = select(alerts).order_by(alerts.c.starts_at.desc(), alerts.c.id.desc()).limit(limit)
    return [Alert(**row._mapping) for row in conn.execute(found)]


def put(conn: Connection, alert: Alert) -> None:
    """Store a new alert or replace the one of the same id.

    Raises TransitionRefused where another episode of the fingerprint is firing.
    """
    values = asdict(alert) | {"labels": dict(alert.labels), "annotations": dict(alert.annotations)}
    try:
        if not conn.execute(update(alerts).where(alerts.c.id == alert.id).values(values)).rowcount:
            conn.execute(insert(alerts).values(values))
    except IntegrityError as error:
        raise TransitionRefused(
            f"{alert.id} cannot fire: another alert {alert.fingerprint} is firing already"
        ) from error
