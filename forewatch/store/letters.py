"""What waits for each receiver's next digest, and when it leaves."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from forewatch.alerting.digest import Receiver
from forewatch.alerting.naming import Naming
from forewatch.incidents.outcome import Letter
from forewatch.store.schema import letters, receivers
from forewatch.store.upsert import upsert

_RECEIVER = select(receivers).where(receivers.c.notifier == bindparam("of"))
_WAITING = select(letters).where(letters.c.notifier == bindparam("of")).order_by(letters.c.id)
_INSERT = insert(letters)
_DROP = delete(letters).where(letters.c.notifier == bindparam("of"))
_MOVE = update(letters).where(letters.c.incident_id == bindparam("of")).values(incident_id=bindparam("into"))


def receiver(conn: Connection, notifier: str) -> Receiver | None:
    row = conn.execute(_RECEIVER, {"of": notifier}).one_or_none()
    return Receiver(**row._mapping) if row is not None else None


def put_receiver(conn: Connection, one: Receiver) -> None:
    upsert(conn, receivers, [dict(vars(one))])


def waiting(conn: Connection, notifier: str) -> list[Letter]:
    """Oldest first."""
    found = []
    for row in conn.execute(_WAITING, {"of": notifier}):
        fields = dict(row._mapping)
        del fields["id"]
        fields["named"] = tuple(Naming(*one) for one in fields["named"])
        found.append(Letter(**fields))
    return found


def put(conn: Connection, letter: Letter) -> None:
    named = [[one.alert_id, one.name, one.severity] for one in letter.named]
    conn.execute(_INSERT, {**vars(letter), "named": named})


def drop(conn: Connection, notifier: str) -> None:
    conn.execute(_DROP, {"of": notifier})


def move(conn: Connection, incident_id: str, into: str) -> None:
    """What waits of one incident counts as of another."""
    conn.execute(_MOVE, {"of": incident_id, "into": into})
