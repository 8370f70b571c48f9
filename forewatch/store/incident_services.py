"""Which services an open incident has alerts of, so that an alert finds the incidents of its neighbours."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

from sqlalchemy import (
    Connection,
    Insert,
    bindparam,
    case,
    delete,
    distinct,
    exists,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from forewatch.incidents.incident import Incident
from forewatch.store.schema import alerts, incident_services, incidents
from forewatch.store.series import chunks
from forewatch.store.upsert import insert_for

MOST_AT_ONCE = 500

_WITH = (
    select(incidents, incident_services.c.service.label("of_service"), incident_services.c.last_at)
    .join(incident_services, incident_services.c.incident_id == incidents.c.id)
    .where(
        incident_services.c.service.in_(bindparam("services", expanding=True)),
        incidents.c.status != "resolved",
    )
    .order_by(incidents.c.opened_at, incidents.c.id)
)
_LAST = (
    select(incident_services.c.last_at)
    .where(incident_services.c.incident_id == incidents.c.id, incident_services.c.service == bindparam("service"))
    .scalar_subquery()
)
# One range and no order: so it goes by the index of what is open, however much that is.
_KEYED = select(incidents, _LAST.label("last_at")).where(
    incidents.c.group_key >= bindparam("key"),
    incidents.c.group_key < bindparam("after"),
    text("incidents.status <> 'resolved'"),
)
_FIRES = exists().where(
    alerts.c.service == incident_services.c.service,
    alerts.c.status == "firing",
    alerts.c.incident_id == incident_services.c.incident_id,
)
_LINKED = (
    select(incidents, incident_services.c.service.label("of_service"))
    .join(incident_services, incident_services.c.incident_id == incidents.c.id)
    .where(
        incident_services.c.service.in_(bindparam("services", expanding=True)),
        incidents.c.status != "resolved",
        or_(incident_services.c.ended_at >= bindparam("since"), _FIRES),
    )
    .order_by(incidents.c.opened_at, incidents.c.id)
)
_ENDED = (
    update(incident_services)
    .where(incident_services.c.incident_id == bindparam("of"), incident_services.c.service == bindparam("which"))
    .values(ended_at=bindparam("at"))
)
_NAMES_LATELY = (
    select(func.count(distinct(alerts.c.labels["alertname"].as_string())))
    .select_from(incidents.join(alerts, alerts.c.incident_id == incidents.c.id))
    .where(
        incidents.c.opened_at >= bindparam("since"),
        incidents.c.group_key.like("%:{alertname=%"),
        alerts.c.source == bindparam("source"),
    )
)
_SERVICES_IN = select(func.count(distinct(alerts.c.service))).where(
    alerts.c.incident_id == bindparam("of"), alerts.c.status == "firing"
)
_LEFT = delete(incident_services).where(
    incident_services.c.incident_id == bindparam("of"),
    incident_services.c.service == bindparam("which"),
    ~exists().where(alerts.c.incident_id == bindparam("of"), alerts.c.service == bindparam("which")),
)
_FORGET = delete(incident_services).where(incident_services.c.incident_id == bindparam("of"))


def touch(conn: Connection, incident_id: str, service: str, at: int) -> None:
    """An alert of `service` that began at `at` belongs to the incident."""
    conn.execute(
        _touch(insert_for(conn, incident_services)), {"incident_id": incident_id, "service": service, "last_at": at}
    )


@cache
def _touch(fresh: sqlite.Insert | postgresql.Insert) -> Insert:
    # SQLite calls the greater of two values `max`, PostgreSQL `greatest`: asked so that both understand.
    before = incident_services.c.last_at
    later = case((before > fresh.excluded.last_at, before), else_=fresh.excluded.last_at)
    return fresh.on_conflict_do_update(index_elements=["service", "incident_id"], set_={"last_at": later})


def ended(conn: Connection, incident_id: str, service: str, at: int) -> None:
    """An alert of `service` in the incident is over since `at`."""
    conn.execute(_ENDED, {"of": incident_id, "which": service, "at": at})


def left(conn: Connection, incident_id: str, service: str) -> None:
    """An alert of `service` belongs to the incident no more; with the last of them the service is none of its."""
    conn.execute(_LEFT, {"of": incident_id, "which": service})


def linked(conn: Connection, services: Collection[str], since: int) -> list[tuple[Incident, str]]:
    """Open incidents with an alert of `services` that fires or ended at `since` or later, oldest first."""
    found = []
    for some in chunks(list(services), MOST_AT_ONCE):
        for row in conn.execute(_LINKED, {"services": some, "since": since}):
            fields = dict(row._mapping)
            service = fields.pop("of_service")
            found.append((Incident(**fields), service))
    return sorted(found, key=lambda each: (each[0].opened_at, each[0].id))


def names_lately(conn: Connection, source: str, since: int) -> int:
    """How many names of a source's alerts without a service have opened an incident at `since` or later."""
    return int(conn.execute(_NAMES_LATELY, {"source": source, "since": since}).scalar_one())


def firing_services(conn: Connection, incident_id: str) -> int:
    """How many services have a firing alert in an incident."""
    return int(conn.execute(_SERVICES_IN, {"of": incident_id}).scalar_one())


def open_with(conn: Connection, services: Collection[str]) -> list[tuple[Incident, str, int]]:
    """Open incidents with alerts of `services`: (incident, service, when its last such alert began), oldest first."""
    found = []
    for row in conn.execute(_WITH, {"services": list(services)}):
        fields = dict(row._mapping)
        service, last_at = fields.pop("of_service"), fields.pop("last_at")
        found.append((Incident(**fields), service, last_at))
    return found


def open_keyed(conn: Connection, key: str, service: str) -> list[tuple[Incident, int]]:
    """Open incidents with this group key, or one that begins with it and a slash, and when the last alert of a service
    in each began: 0 where all of them were split off."""
    # "0" is what comes after the slash.
    found = []
    for row in conn.execute(_KEYED, {"key": key, "after": f"{key}0", "service": service}):
        fields = dict(row._mapping)
        last_at = fields.pop("last_at") or 0
        if row.group_key == key or row.group_key.startswith(f"{key}/"):
            found.append((Incident(**fields), last_at))
    return sorted(found, key=lambda each: (each[0].opened_at, each[0].id))


def forget(conn: Connection, incident_id: str) -> None:
    """The incident is over."""
    conn.execute(_FORGET, {"of": incident_id})
