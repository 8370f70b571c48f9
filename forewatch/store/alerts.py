"""Alerts: one row a firing episode; at most one episode of a fingerprint fires at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, exists, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from forewatch.alerting.alert import Alert
from forewatch.alerting.classification import labels_for_routing
from forewatch.errors import TransitionRefused
from forewatch.store import incident_services
from forewatch.store.schema import alert_labels, alerts
from forewatch.store.series import chunks
from forewatch.store.upsert import insert_missing

MOST_AT_ONCE = 1_000
_SAMPLE = 200
"""How far the matches of a label are counted to find out which label narrows most."""
_PAGE = 500

_BY_ID = select(alerts).where(alerts.c.id == bindparam("of"))
_FIRING = select(alerts).where(alerts.c.fingerprint == bindparam("of"), alerts.c.status == "firing")
_FIRING_AMONG = select(alerts).where(
    alerts.c.fingerprint.in_(bindparam("of", expanding=True)), alerts.c.status == "firing"
)
_CRITICAL_AMONG = select(alerts.c.fingerprint).where(
    alerts.c.fingerprint.in_(bindparam("of", expanding=True)),
    alerts.c.status == "firing",
    alerts.c.severity == "critical",
)
_OF_INCIDENT = select(alerts).where(alerts.c.incident_id == bindparam("of")).order_by(alerts.c.starts_at, alerts.c.id)
_FIRING_IN = _OF_INCIDENT.where(alerts.c.status == "firing")
_FIRST_IN = _FIRING_IN.limit(bindparam("most"))
_OVER_LATELY = (
    select(alerts)
    .where(
        alerts.c.incident_id == bindparam("of"),
        or_(alerts.c.status == "firing", alerts.c.updated_at >= bindparam("since")),
    )
    .order_by(alerts.c.starts_at.desc(), alerts.c.id.desc())
    .limit(bindparam("most"))
)
_FIRES_IN = (
    select(alerts.c.id)
    .where(alerts.c.incident_id == bindparam("of"), alerts.c.service == bindparam("which"), alerts.c.status == "firing")
    .limit(1)
)
_INSERT = insert(alerts)
_PLACE = select(alerts.c.incident_id, alerts.c.service).where(alerts.c.id == bindparam("of"))
_REPLACE = update(alerts).where(alerts.c.id == bindparam("of"))
_FIRING_OF = (
    select(alerts)
    .where(alerts.c.service.in_(bindparam("of", expanding=True)), alerts.c.status == "firing")
    .order_by(alerts.c.starts_at, alerts.c.id)
    .limit(MOST_AT_ONCE)
)
# The one heard of last: a sender's clock that was wrong once must not make an episode of then the latest for good.
_LATEST = (
    select(alerts)
    .where(alerts.c.fingerprint == bindparam("of"))
    # By number: a clock that was set back would make an older episode the last.
    .order_by(func.length(alerts.c.id).desc(), alerts.c.id.desc())
    .limit(1)
)
_TIMED_OUT = (
    select(alerts.c.fingerprint)
    .where(
        alerts.c.status == "firing",
        alerts.c.until.is_not(None),
        alerts.c.until <= bindparam("now"),
        alerts.c.updated_at >= bindparam("heard_since"),
    )
    .order_by(alerts.c.until)
    .limit(bindparam("limit"))
)
_REFRESH = (
    update(alerts)
    .where(alerts.c.fingerprint == bindparam("of"), alerts.c.status == "firing")
    .values(until=bindparam("new_until"), timeout=bindparam("new_timeout"), updated_at=bindparam("now"))
)
_SOME = select(1).where(alert_labels.c.name == bindparam("of"), alert_labels.c.value == bindparam("is")).limit(_SAMPLE)
_COUNT = select(func.count()).select_from(_SOME.subquery())
_DROP_LABELS = delete(alert_labels).where(alert_labels.c.alert_id == bindparam("of"))


def get(conn: Connection, alert_id: str) -> Alert | None:
    row = conn.execute(_BY_ID, {"of": alert_id}).one_or_none()
    return Alert(**row._mapping) if row is not None else None


def firing(conn: Connection, fingerprint: str) -> Alert | None:
    """The episode of a fingerprint that is firing now."""
    row = conn.execute(_FIRING, {"of": fingerprint}).one_or_none()
    return Alert(**row._mapping) if row is not None else None


def latest(conn: Connection, fingerprint: str) -> Alert | None:
    """The last episode of a fingerprint, firing or over."""
    row = conn.execute(_LATEST, {"of": fingerprint}).one_or_none()
    return Alert(**row._mapping) if row is not None else None


def firing_of(conn: Connection, services: Collection[str]) -> list[Alert]:
    """What fires of some services, oldest first; at most MOST_AT_ONCE."""
    return [Alert(**row._mapping) for row in conn.execute(_FIRING_OF, {"of": list(services)})]


def firing_where(conn: Connection, equal: Mapping[str, str]) -> Iterator[Alert]:
    """What fires with all these labels ("": without the label), read page by page as it is asked for.

    Looks at what an alert counts as too: its service, severity and classification where its labels name none.
    """
    present = sorted((name, value) for name, value in equal.items() if value)
    if len(present) > 1:
        present.sort(key=lambda label: _matching(conn, *label))
    found = _firing_with(len(present))
    asked: dict[str, str | int] = {"page": _PAGE}
    for i, (name, value) in enumerate(present):
        asked |= {f"name_{i}": name, f"value_{i}": value}
    after = ""
    while True:
        page = conn.execute(found, {**asked, "after": after}).all()
        for row in page:
            alert = Alert(**row._mapping)
            labels = labels_for_routing(alert)
            if all(labels.get(name, "") == value for name, value in equal.items()):
                yield alert
        if len(page) < _PAGE:
            return
        after = page[-1].id


def firing_among(conn: Connection, fingerprints: Collection[str]) -> dict[str, Alert]:
    """Those of some fingerprints that fire now, by fingerprint."""
    found: dict[str, Alert] = {}
    for some in chunks(list(fingerprints), _PAGE):
        rows = conn.execute(_FIRING_AMONG, {"of": some})
        found |= {row.fingerprint: Alert(**row._mapping) for row in rows}
    return found


def critical_among(conn: Connection, fingerprints: Collection[str]) -> set[str]:
    """Those of some fingerprints under which something critical fires now."""
    found: set[str] = set()
    for some in chunks(list(fingerprints), _PAGE):
        found.update(conn.execute(_CRITICAL_AMONG, {"of": some}).scalars())
    return found


def timed_out(conn: Connection, now: int, limit: int, *, heard_since: int = 0) -> list[str]:
    """Fingerprints of firing alerts whose end has come without news, the longest overdue first.

    `heard_since`: of those alone that were heard of then or later.
    """
    return list(conn.execute(_TIMED_OUT, {"now": now, "limit": limit, "heard_since": heard_since}).scalars())


def refresh(conn: Connection, untils: Mapping[str, tuple[int | None, bool]], now: int) -> None:
    """Firing alerts were heard of again: fingerprint -> (until, timeout)."""
    if untils:
        conn.execute(
            _REFRESH,
            [
                {"of": fingerprint, "new_until": until, "new_timeout": timeout, "now": now}
                for fingerprint, (until, timeout) in untils.items()
            ],
        )


@cache
def _firing_with(count: int) -> Select[Any]:
    """What fires with so many labels, the first of them the one that narrows most."""
    found = select(alerts)
    if not count:
        found = found.where(alerts.c.status == "firing")
    else:
        labelled = (alert_labels.c.name == bindparam("name_0"), alert_labels.c.value == bindparam("value_0"))
        found = found.join(alert_labels, alert_labels.c.alert_id == alerts.c.id).where(*labelled)
    for i in range(1, count):
        other = alert_labels.alias()
        labelled = (other.c.name == bindparam(f"name_{i}"), other.c.value == bindparam(f"value_{i}"))
        found = found.where(exists().where(*labelled, other.c.alert_id == alerts.c.id))
    return found.where(alerts.c.id > bindparam("after")).order_by(alerts.c.id).limit(bindparam("page"))


def _matching(conn: Connection, name: str, value: str) -> int:
    return int(conn.execute(_COUNT, {"of": name, "is": value}).scalar_one())


def all_firing(conn: Connection, service: str | None = None) -> list[Alert]:
    """All that fires, of one service where it is given, oldest first."""
    found = select(alerts).where(alerts.c.status == "firing").order_by(alerts.c.starts_at, alerts.c.id)
    if service is not None:
        found = found.where(alerts.c.service == service)
    return [Alert(**row._mapping) for row in conn.execute(found)]


def of_incident(conn: Connection, incident_id: str) -> list[Alert]:
    """Firing and resolved, oldest first."""
    return [Alert(**row._mapping) for row in conn.execute(_OF_INCIDENT, {"of": incident_id})]


def over_lately(conn: Connection, incident_id: str, since: int, most: int) -> list[Alert]:
    """Alerts of an incident that fire, or were heard of last at `since` or later: the newest, oldest first."""
    found = conn.execute(_OVER_LATELY, {"of": incident_id, "since": since, "most": most})
    return [Alert(**row._mapping) for row in found][::-1]


def fires_in(conn: Connection, incident_id: str, service: str) -> bool:
    """Whether an alert of a service fires in an incident."""
    return conn.execute(_FIRES_IN, {"of": incident_id, "which": service}).first() is not None


def firing_in(conn: Connection, incident_id: str, most: int | None = None) -> list[Alert]:
    """The firing alerts of an incident, oldest first; no more than `most` where it is given."""
    if most is None:
        return [Alert(**row._mapping) for row in conn.execute(_FIRING_IN, {"of": incident_id})]
    return [Alert(**row._mapping) for row in conn.execute(_FIRST_IN, {"of": incident_id, "most": most})]


def listing(conn: Connection, limit: int = 50) -> list[Alert]:
    """The newest, newest first."""
    found = select(alerts).order_by(alerts.c.starts_at.desc(), alerts.c.id.desc()).limit(limit)
    return [Alert(**row._mapping) for row in conn.execute(found)]


def newest_by_source(conn: Connection) -> dict[str, int]:
    """When an alert of each source last changed or was heard of again. Reads every alert: for a person who asks."""
    newest = select(alerts.c.source, func.max(alerts.c.updated_at)).group_by(alerts.c.source)
    return {source: int(at) for source, at in conn.execute(newest)}


def put(conn: Connection, alert: Alert) -> None:
    """Store a new alert or replace the one of the same id.

    Raises TransitionRefused where another episode of the fingerprint is firing.
    """
    row = {**vars(alert), "labels": dict(alert.labels), "annotations": dict(alert.annotations)}
    before = conn.execute(_PLACE, {"of": alert.id}).one_or_none()
    try:
        if before is None:
            conn.execute(_INSERT, row)
        else:
            conn.execute(_REPLACE, {**row, "of": alert.id})
    except IntegrityError as error:
        raise TransitionRefused(
            f"{alert.id} cannot fire: another alert {alert.fingerprint} is firing already"
        ) from error
    if before is not None:
        conn.execute(_DROP_LABELS, {"of": alert.id})
    if alert.status == "firing":
        labels = [
            {"name": name, "value": value, "alert_id": alert.id}
            for name, value in labels_for_routing(alert).items()
            if value
        ]
        insert_missing(conn, alert_labels, labels)
    if alert.incident_id is not None:
        incident_services.touch(conn, alert.incident_id, alert.service, alert.starts_at)
        if alert.status == "resolved":
            incident_services.ended(conn, alert.incident_id, alert.service, alert.updated_at)
    if before is not None and before.incident_id not in (None, alert.incident_id):
        incident_services.left(conn, before.incident_id, before.service)
