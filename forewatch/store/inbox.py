"""The inbox: what others sent, word for word, from the moment it is on disk until it is decided upon.

It lies in `intake.db`; how far it is decided lies in `decisions.db`, moved in the very transaction that decides, so
that nothing is decided twice or passed over. The two may be restored from backups of different age: see `begin_after`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from forewatch.store import ids
from forewatch.store.schema import inbox

_SEQ, _DONE = "inbox.seq", "inbox.done"
_INSERT = insert(inbox)
_FIRST = select(func.min(inbox.c.seq))
_NEWEST = select(func.max(inbox.c.seq))
_FROM = select(inbox).where(inbox.c.seq >= bindparam("of")).order_by(inbox.c.seq).limit(bindparam("most"))


@dataclass(frozen=True)
class Row:
    """`at`: when it came, microseconds UTC. `kind`: `alertmanager` (the body of POST /api/v2/alerts) or `events`."""

    seq: int
    at: int
    source: str
    kind: str
    body: bytes


@dataclass(frozen=True, order=True)
class Mark:
    """Decided are all rows below `seq`, and of that row its first `done` items (alerts or events)."""

    seq: int
    done: int


def add(conn: Connection, rows: Sequence[dict[str, object]]) -> int:
    """Append rows (`at`, `source`, `kind`, `body`) in order; returns the number of the last. On `intake.db`."""
    conn.execute(_INSERT, rows)
    return newest(conn)


def newest(conn: Connection) -> int:
    """The number of the newest row, decided or not; 0 in an empty inbox. On `intake.db`."""
    return conn.execute(_NEWEST).scalar_one() or 0


def read(conn: Connection, mark: Mark, *, rows: int, size: int) -> list[Row]:
    """The next rows from `mark` on: at most `rows`, and no further one once they hold `size` bytes. On `intake.db`."""
    found: list[Row] = []
    held = 0
    for row in conn.execute(_FROM, {"of": mark.seq, "most": rows}):
        found.append(Row(**row._mapping))
        held += len(row.body)
        if held >= size:
            break
    return found


def undecided(conn: Connection, mark: Mark) -> list[tuple[int, int]]:
    """(number, bytes) of each row that is not decided yet, oldest first. On `intake.db`."""
    waiting = select(inbox.c.seq, func.length(inbox.c.body)).where(inbox.c.seq >= mark.seq).order_by(inbox.c.seq)
    return [(seq, size) for seq, size in conn.execute(waiting)]


def oldest(conn: Connection, mark: Mark) -> int | None:
    """When the oldest row came that is not decided yet. On `intake.db`."""
    return conn.execute(select(inbox.c.at).where(inbox.c.seq >= mark.seq).order_by(inbox.c.seq).limit(1)).scalar()


def remove_decided(conn: Connection, mark: Mark, limit: int) -> int:
    """Delete at most `limit` rows below the mark; returns how many went. On `intake.db`."""
    first = conn.execute(_FIRST).scalar_one()
    if first is None or first >= mark.seq:
        return 0
    return conn.execute(delete(inbox).where(inbox.c.seq < min(mark.seq, first + limit))).rowcount


def begin_after(conn: Connection, mark: Mark) -> bool:
    """Number what comes next above the mark. True if that was needed: `intake.db` is the older of the two files, and
    what came next would have counted as decided already. On `intake.db`."""
    seq = add(conn, [{"at": 0, "source": "", "kind": "events", "body": b"[]"}])
    conn.execute(delete(inbox).where(inbox.c.seq == seq))
    if seq >= mark.seq:
        return False
    # A number once given is never given again, even where its row is gone.
    conn.execute(_INSERT, {"seq": mark.seq, "at": 0, "source": "", "kind": "events", "body": b"[]"})
    conn.execute(delete(inbox).where(inbox.c.seq == mark.seq))
    return True


def mark(conn: Connection) -> Mark:
    """How far the inbox is decided. On `decisions.db`."""
    return Mark(ids.mark(conn, _SEQ) or 1, ids.mark(conn, _DONE))


def put_mark(conn: Connection, mark: Mark) -> None:
    """Call it in the transaction that decides. On `decisions.db`."""
    ids.put_mark(conn, _SEQ, mark.seq)
    ids.put_mark(conn, _DONE, mark.done)
