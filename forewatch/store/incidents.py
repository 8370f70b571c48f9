"""Incidents: at most one open one a group, every change a compare-and-set on the revision."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from forewatch.errors import TransitionRefused
from forewatch.incidents.incident import MAY_BECOME, Incident
from forewatch.store import incident_services
from forewatch.store.schema import incidents

_BY_ID = select(incidents).where(incidents.c.id == bindparam("of"))
_INSERT = insert(incidents)
_REPLACE = update(incidents).where(
    incidents.c.id == bindparam("of"),
    incidents.c.revision == bindparam("before"),
    incidents.c.status.in_(bindparam("statuses", expanding=True)),
)


def get(conn: Connection, incident_id: str) -> Incident | None:
    row = conn.execute(_BY_ID, {"of": incident_id}).one_or_none()
    return Incident(**row._mapping) if row is not None else None


def listing(
    conn: Connection, *, open_only: bool = False, service: str | None = None, limit: int = 50
) -> list[Incident]:
    """The newest, newest first."""
    found = select(incidents).order_by(incidents.c.opened_at.desc(), incidents.c.id.desc()).limit(limit)
    if open_only:
        found = found.where(incidents.c.status != "resolved")
    if service is not None:
        found = found.where(incidents.c.service == service)
    return [Incident(**row._mapping) for row in conn.execute(found)]


def between(conn: Connection, start: int, end: int) -> list[Incident]:
    """Those that were open at any time in `start <= t <= end`, oldest first."""
    ended = incidents.c.resolved_at
    found = select(incidents).where(incidents.c.opened_at <= end, or_(ended.is_(None), ended >= start))
    return [Incident(**row._mapping) for row in conn.execute(found.order_by(incidents.c.opened_at, incidents.c.id))]


def put(conn: Connection, incident: Incident) -> None:
    """Store a new incident (revision 1), or the next revision of a stored one.

    Raises TransitionRefused where the stored one is not at `revision - 1`, may not take this step, or where the group
    has another open incident.
    """
    may_come_from = [status for status, after in MAY_BECOME.items() if incident.status in (status, *after)]
    expected = {"of": incident.id, "before": incident.revision - 1, "statuses": may_come_from}
    try:
        if incident.revision == 1:
            conn.execute(_INSERT, vars(incident))
            return
        changed = conn.execute(_REPLACE, {**vars(incident), **expected}).rowcount
    except IntegrityError as error:
        raise TransitionRefused(f"{incident.id}: {incident.group_key} has another open incident already") from error
    if not changed:
        stored = get(conn, incident.id)
        found = f"it is {stored.status} at revision {stored.revision}" if stored else "there is no such incident"
        raise TransitionRefused(
            f"{incident.id} cannot become {incident.status} at revision {incident.revision}: {found}"
        )
    if incident.status == "resolved":
        incident_services.forget(conn, incident.id)
