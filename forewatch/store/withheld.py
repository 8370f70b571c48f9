"""Alerts that fire and that somebody is not told of, with the reasons."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select

from forewatch.alerting.suppression import Suppression, Withheld
from forewatch.store import silences
from forewatch.store.schema import alerts, group_members, withheld, withheld_by
from forewatch.store.upsert import upsert

_OF = select(withheld).where(withheld.c.alert_id == bindparam("of")).order_by(withheld.c.route)
_IN = (
    select(withheld)
    .join(group_members, group_members.c.alert_id == withheld.c.alert_id)
    .where(group_members.c.group == bindparam("of"))
    .order_by(withheld.c.alert_id, withheld.c.route)
)
_OF_INCIDENT = (
    select(withheld)
    .join(alerts, alerts.c.id == withheld.c.alert_id)
    .where(alerts.c.incident_id == bindparam("of"))
    .order_by(withheld.c.alert_id, withheld.c.route)
)
_BY = select(withheld_by.c.alert_id).where(withheld_by.c.subject == bindparam("of")).distinct()
_FORGET = delete(withheld).where(withheld.c.alert_id == bindparam("alert"), withheld.c.route == bindparam("on"))
_FORGET_BY = delete(withheld_by).where(
    withheld_by.c.alert_id == bindparam("alert"), withheld_by.c.route == bindparam("on")
)


def put(conn: Connection, one: Withheld, incident_id: str | None, now: int) -> None:
    """Store why; with no reasons left, forget it."""
    this = {"alert": one.alert_id, "on": one.route}
    conn.execute(_FORGET_BY, this)
    if not one.reasons:
        conn.execute(_FORGET, this)
        return
    row = {
        "alert_id": one.alert_id,
        "route": one.route,
        "since": one.since,
        "reasons": [vars(reason) for reason in one.reasons],
    }
    upsert(conn, withheld, [row])
    subjects = dict.fromkeys(reason.by for reason in one.reasons)
    conn.execute(
        insert(withheld_by), [{"subject": by, "alert_id": one.alert_id, "route": one.route} for by in subjects]
    )
    by_silence = [reason.by for reason in one.reasons if reason.kind in ("silence", "maintenance")]
    silences.hid(conn, by_silence, one.alert_id, incident_id, now)


def of_alert(conn: Connection, alert_id: str) -> list[Withheld]:
    return [
        Withheld(row.alert_id, row.route, row.since, tuple(Suppression(**reason) for reason in row.reasons))
        for row in conn.execute(_OF, {"of": alert_id})
    ]


def of_group(conn: Connection, group: str) -> dict[str, list[Withheld]]:
    """Of the alerts of a notification group, by alert."""
    return _by_alert(conn.execute(_IN, {"of": group}))


def of_incident(conn: Connection, incident_id: str) -> dict[str, list[Withheld]]:
    """Of an incident's alerts, by alert."""
    return _by_alert(conn.execute(_OF_INCIDENT, {"of": incident_id}))


def all_firing(conn: Connection) -> dict[str, list[Withheld]]:
    """All there is, by alert."""
    return _by_alert(conn.execute(select(withheld).order_by(withheld.c.alert_id, withheld.c.route)))


def _by_alert(rows: Iterable[Row[Any]]) -> dict[str, list[Withheld]]:
    found: dict[str, list[Withheld]] = {}
    for row in rows:
        reasons = tuple(Suppression(**reason) for reason in row.reasons)
        found.setdefault(row.alert_id, []).append(Withheld(row.alert_id, row.route, row.since, reasons))
    return found


def by_subject(conn: Connection, subject: str) -> list[str]:
    """The alerts withheld because of a silence, an alert or named times, in order."""
    return sorted(conn.execute(_BY, {"of": subject}).scalars())
