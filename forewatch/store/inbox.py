"""The inbox: what others sent, word for word, from the moment it is on disk until it is decided.

It lies in `intake.db`; how far it is decided lies in `decisions.db`, moved in the very transaction that decides, so
that nothing is decided twice or passed over. The two may be restored from backups of different age: see `begin_after`.

There are two lanes, each with a mark of its own. All rows are in the one, in the order they came; some have a place in
the critical lane too (`store.lanes`), which is decided first. The mark of the one passes what is decided in the other,
so below it all is decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from forewatch.store import ids, lanes
from forewatch.store.schema import critical_lane, inbox

Lane = Literal["critical", "rest"]

_NAMES: dict[Lane, tuple[str, str]] = {
    "critical": ("inbox.critical.place", "inbox.critical.done"),
    "rest": ("inbox.seq", "inbox.done"),
}
"""What the counters of a mark are called."""
_INSERT = insert(inbox)
_FIRST = select(func.min(inbox.c.seq))
_NEWEST = select(func.max(inbox.c.seq))
_WITH_PLACE = select(inbox, critical_lane.c.place)
_READ = {
    "critical": _WITH_PLACE.join(critical_lane, critical_lane.c.seq == inbox.c.seq)
    .where(critical_lane.c.place >= bindparam("of"))
    .order_by(critical_lane.c.place)
    .limit(bindparam("most")),
    "rest": _WITH_PLACE.outerjoin(critical_lane, critical_lane.c.seq == inbox.c.seq)
    .where(inbox.c.seq >= bindparam("of"))
    .order_by(inbox.c.seq)
    .limit(bindparam("most")),
}


@dataclass(frozen=True)
class Row:
    """`at`: when it came, microseconds UTC. `kind`: `alertmanager` (the body of POST /api/v2/alerts) or `events`.
    `place`: where it is in the critical lane; None if it is not in it."""

    seq: int
    at: int
    source: str
    kind: str
    body: bytes
    place: int | None = None


@dataclass(frozen=True, order=True)
class Mark:
    """Decided are all rows of a lane below `seq`, and of that row its first `done` items (alerts or events).

    In the critical lane a row's number is its place."""

    seq: int
    done: int


def add(conn: Connection, rows: Sequence[dict[str, object]]) -> int:
    """Append rows (`at`, `source`, `kind`, `body`) in order; returns the number of the last. On `intake.db`."""
    conn.execute(_INSERT, rows)
    return newest(conn)


def newest(conn: Connection) -> int:
    """The number of the newest row, decided or not; 0 in an empty inbox. On `intake.db`."""
    return conn.execute(_NEWEST).scalar_one() or 0


def read(conn: Connection, mark: Mark, *, rows: int, size: int, lane: Lane = "rest") -> list[Row]:
    """The next rows of a lane from `mark` on: at most `rows`, and no further one once they hold `size` bytes. On
    `intake.db`."""
    found: list[Row] = []
    held = 0
    for row in conn.execute(_READ[lane], {"of": mark.seq, "most": rows}):
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
    """Delete at most `limit` rows below the mark, with their places; returns how many went. On `intake.db`."""
    first = conn.execute(_FIRST).scalar_one()
    if first is None or first >= mark.seq:
        return 0
    before = min(mark.seq, first + limit)
    lanes.forget(conn, before)
    return conn.execute(delete(inbox).where(inbox.c.seq < before)).rowcount


def begin_after(conn: Connection, mark: Mark, critical: Mark | None = None) -> bool:
    """Number what comes next above the marks. True if that was needed: `intake.db` is the older of the two files, and
    what came next would have counted as decided already. On `intake.db`."""
    older = critical is not None and lanes.begin_after(conn, critical.seq)
    seq = add(conn, [{"at": 0, "source": "", "kind": "events", "body": b"[]"}])
    conn.execute(delete(inbox).where(inbox.c.seq == seq))
    if seq >= mark.seq:
        return older
    # A number once given is never given again, even where its row is gone.
    conn.execute(_INSERT, {"seq": mark.seq, "at": 0, "source": "", "kind": "events", "body": b"[]"})
    conn.execute(delete(inbox).where(inbox.c.seq == mark.seq))
    return True


def mark(conn: Connection, lane: Lane = "rest") -> Mark:
    """How far a lane is decided; below the mark of `rest`, all is. On `decisions.db`."""
    seq, done = _NAMES[lane]
    return Mark(ids.mark(conn, seq) or 1, ids.mark(conn, done))


def put_mark(conn: Connection, mark: Mark, lane: Lane = "rest") -> None:
    """Call it in the transaction that decides. On `decisions.db`."""
    seq, done = _NAMES[lane]
    ids.put_mark(conn, seq, mark.seq)
    ids.put_mark(conn, done, mark.done)
