"""Which receiver was told of which alert."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, case, delete, func, select

from forewatch.alerting.alert import SEVERITIES, Alert
from forewatch.alerting.naming import Heard, Named, Naming
from forewatch.store.schema import alerts, incidents, named
from forewatch.store.upsert import upsert

_RANK = case({severity: rank for rank, severity in enumerate(SEVERITIES)}, value=named.c.severity, else_=0)
_OF_ALERT = select(named).where(named.c.alert_id == bindparam("of")).order_by(named.c.notifier)
_IN = alerts.c.incident_id == bindparam("incident")
_OF_INCIDENT = (
    select(named)
    .join(alerts, alerts.c.id == named.c.alert_id)
    .where(_IN)
    .order_by(alerts.c.starts_at, alerts.c.id, named.c.notifier)
)
_SAME_SERVICE = alerts.c.service == bindparam("service")


def _any(condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.max(case((condition, 1), else_=0))


_HEARD = (
    select(
        named.c.notifier,
        func.max(_RANK),
        _any(_SAME_SERVICE),
        _any(
            and_(
                _SAME_SERVICE,
                named.c.name == bindparam("name"),
                alerts.c.classification == bindparam("classification"),
                named.c.severity == "critical",
            )
        ),
        _any(alerts.c.fingerprint == bindparam("fingerprint")),
        func.max(case((named.c.paged, named.c.at), else_=0)),
    )
    .join(alerts, alerts.c.id == named.c.alert_id)
    .where(_IN, alerts.c.id != bindparam("alert"), named.c.at >= bindparam("since"))
    .group_by(named.c.notifier)
)
_TOLD_OF = (
    select(named.c.notifier)
    .join(alerts, alerts.c.id == named.c.alert_id)
    .where(_IN, named.c.severity != "info")
    .group_by(named.c.notifier)
    .order_by(func.min(named.c.at), named.c.notifier)
)
_TOLD_BEFORE = (
    select(named.c.alert_id)
    .join(alerts, alerts.c.id == named.c.alert_id)
    .where(
        _IN,
        named.c.notifier == bindparam("to"),
        named.c.notification_id.is_not(None),
        named.c.severity != "info",
    )
    .limit(1)
)
_OPEN_FOR = (
    select(named.c.alert_id)
    .join(alerts, alerts.c.id == named.c.alert_id)
    .join(incidents, incidents.c.id == alerts.c.incident_id)
    .where(named.c.notifier == bindparam("to"), alerts.c.status == "firing", incidents.c.status != "resolved")
    .limit(1)
)
_UNNAME = delete(named).where(named.c.alert_id == bindparam("of"), named.c.notifier == bindparam("to"))
_FORGET = delete(named).where(named.c.notification_id == bindparam("of"))


def put(
    conn: Connection, notifier: str, some: Sequence[Naming], *, paged: bool, at: int, notification_id: str | None
) -> None:
    """These alerts are named to a receiver, by a notification or (None) by a digest that waits. Until that leaves, what
    told of them before is kept."""
    rows = [
        {
            "alert_id": one.alert_id,
            "notifier": notifier,
            "notification_id": notification_id,
            "name": one.name,
            "severity": one.severity,
            "paged": paged,
            "at": at,
        }
        for one in some
    ]
    upsert(conn, named, rows, keep=("notification_id",))


def of_alert(conn: Connection, alert_id: str) -> list[Named]:
    return _named(conn.execute(_OF_ALERT, {"of": alert_id}))


def of_incident(conn: Connection, incident_id: str) -> list[Named]:
    """The oldest alert first."""
    return _named(conn.execute(_OF_INCIDENT, {"incident": incident_id}))


def _named(rows: Iterable[Any]) -> list[Named]:
    return [Named(row.alert_id, row.notifier, row.severity, row.paged, row.at, row.notification_id) for row in rows]


def heard(conn: Connection, incident_id: str, alert: Alert, since: int = 0) -> dict[str, Heard]:
    """What each receiver was told of an incident at `since` or later, apart from this alert."""
    asked = {
        "incident": incident_id,
        "alert": alert.id,
        "service": alert.service,
        "name": alert.name,
        "classification": alert.classification,
        "fingerprint": alert.fingerprint,
        "since": since,
    }
    return {
        notifier: Heard(SEVERITIES[worst], bool(service), bool(kind), bool(episode), paged_at)
        for notifier, worst, service, kind, episode, paged_at in conn.execute(_HEARD, asked)
    }


def told_of(conn: Connection, incident_id: str) -> list[str]:
    """Who was told of a warning or worse in an incident, the first first."""
    return list(conn.execute(_TOLD_OF, {"incident": incident_id}).scalars())


def told_before(conn: Connection, incident_id: str, notifier: str) -> bool:
    """Whether a notification of a warning or worse in an incident has left for a receiver."""
    return conn.execute(_TOLD_BEFORE, {"incident": incident_id, "to": notifier}).first() is not None


def open_for(conn: Connection, notifier: str) -> bool:
    """Whether a receiver was told of a firing alert of an open incident."""
    return conn.execute(_OPEN_FOR, {"to": notifier}).first() is not None


def unname(conn: Connection, alert_id: str, notifier: str) -> None:
    """The alert is this receiver's no longer."""
    conn.execute(_UNNAME, {"of": alert_id, "to": notifier})


def forget(conn: Connection, notification_id: str) -> None:
    """A notification told nobody after all."""
    conn.execute(_FORGET, {"of": notification_id})
