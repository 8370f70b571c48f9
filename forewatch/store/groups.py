"""Notification groups, their members, and what each notifier was told of them last."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, delete, select

from forewatch.alerting.alert import Alert
from forewatch.alerting.group import Group
from forewatch.alerting.grouping import Notice
from forewatch.store.schema import alerts, group_members, notices, notification_groups
from forewatch.store.upsert import insert_missing, upsert

_BY_KEY = select(notification_groups).where(notification_groups.c.key == bindparam("of"))
_OF_ALERT = (
    select(notification_groups)
    .join(group_members, group_members.c.group == notification_groups.c.key)
    .where(group_members.c.alert_id == bindparam("of"))
    .order_by(notification_groups.c.key)
)
_MEMBERS = (
    select(alerts)
    .join(group_members, group_members.c.alert_id == alerts.c.id)
    .where(group_members.c.group == bindparam("of"))
    .order_by(alerts.c.starts_at, alerts.c.id)
)
_NOTICE = select(notices).where(notices.c.group == bindparam("of"), notices.c.notifier == bindparam("to"))
_DROP = delete(notification_groups).where(notification_groups.c.key == bindparam("of"))
_DROP_MEMBERS = delete(group_members).where(group_members.c.group == bindparam("of"))
_DROP_MEMBER = delete(group_members).where(
    group_members.c.group == bindparam("of"), group_members.c.alert_id == bindparam("member")
)


def put(conn: Connection, group: Group) -> None:
    upsert(conn, notification_groups, [{**vars(group), "labels": dict(group.labels)}])


def get(conn: Connection, key: str) -> Group | None:
    row = conn.execute(_BY_KEY, {"of": key}).one_or_none()
    return Group(**row._mapping) if row is not None else None


def listing(conn: Connection) -> list[Group]:
    found = select(notification_groups).order_by(notification_groups.c.key)
    return [Group(**row._mapping) for row in conn.execute(found)]


def of_alert(conn: Connection, alert_id: str) -> list[Group]:
    return [Group(**row._mapping) for row in conn.execute(_OF_ALERT, {"of": alert_id})]


def members(conn: Connection, key: str) -> list[Alert]:
    """Firing and just resolved, oldest first."""
    return [Alert(**row._mapping) for row in conn.execute(_MEMBERS, {"of": key})]


def add_member(conn: Connection, key: str, alert_id: str) -> None:
    insert_missing(conn, group_members, [{"group": key, "alert_id": alert_id}])


def drop_members(conn: Connection, key: str, alert_ids: tuple[str, ...]) -> None:
    if alert_ids:
        conn.execute(_DROP_MEMBER, [{"of": key, "member": one} for one in alert_ids])


def drop(conn: Connection, key: str) -> None:
    """The group is empty. What was told of it stays."""
    conn.execute(_DROP_MEMBERS, {"of": key})
    conn.execute(_DROP, {"of": key})


def put_notice(conn: Connection, key: str, notifier: str, notice: Notice) -> None:
    row = {
        "group": key,
        "notifier": notifier,
        "at": notice.at,
        "firing": sorted(notice.firing),
        "resolved": sorted(notice.resolved),
    }
    upsert(conn, notices, [row])


def last_notice(conn: Connection, key: str, notifier: str) -> Notice | None:
    row = conn.execute(_NOTICE, {"of": key, "to": notifier}).one_or_none()
    return Notice(row.at, frozenset(row.firing), frozenset(row.resolved)) if row is not None else None
