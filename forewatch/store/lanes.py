"""The critical lane of the inbox: rows that are decided before all others, in the order of their places.

A row gets its place when it is written, or later, when one about the same alert that came after it gets one. It keeps
its number in the inbox, so that it is decided in one of the two lanes and passed over in the other. On `intake.db`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from forewatch.store.schema import critical_lane, inbox_identities
from forewatch.store.series import chunks
from forewatch.store.upsert import insert_missing

_PAGE = 500
_NEWEST = select(func.max(critical_lane.c.place))
_INSERT = insert(critical_lane)
_ABOUT = select(inbox_identities.c.seq).where(inbox_identities.c.identity.in_(bindparam("of", expanding=True)))
_OUTSIDE = (
    _ABOUT.outerjoin(critical_lane, critical_lane.c.seq == inbox_identities.c.seq)
    .where(critical_lane.c.seq.is_(None))
    .distinct()
)
_INSIDE = (
    select(inbox_identities.c.identity)
    .join(critical_lane, critical_lane.c.seq == inbox_identities.c.seq)
    .where(inbox_identities.c.identity.in_(bindparam("of", expanding=True)))
    .distinct()
)
_OF = select(inbox_identities.c.identity).where(inbox_identities.c.seq.in_(bindparam("of", expanding=True))).distinct()
_DROP_TRIED = delete(critical_lane).where(critical_lane.c.seq == 0)
_FORGET_PLACES = delete(critical_lane).where(critical_lane.c.seq < bindparam("before"))
_FORGET_IDENTITIES = delete(inbox_identities).where(inbox_identities.c.seq < bindparam("before"))


def note(conn: Connection, seq: int, identities: Collection[str]) -> None:
    """Remember which alerts a row is about."""
    insert_missing(conn, inbox_identities, [{"identity": identity, "seq": seq} for identity in identities])


def enter(conn: Connection, seqs: Sequence[int]) -> None:
    """Give rows the next places, in this order."""
    if seqs:
        conn.execute(_INSERT, [{"seq": seq} for seq in seqs])


def newest(conn: Connection) -> int:
    """The last place given to a row that is still there; 0 if there is none."""
    return conn.execute(_NEWEST).scalar_one() or 0


def left_behind(conn: Connection, identities: Collection[str]) -> list[int]:
    """The rows outside the lane that must enter it before one about `identities` does, in order: those about the same
    alerts, and those about any alert of these."""
    found: set[int] = set()
    asked: set[str] = set()
    fresh = set(identities)
    while fresh:
        asked |= fresh
        rows = {seq for some in chunks(sorted(fresh), _PAGE) for seq in conn.execute(_OUTSIDE, {"of": some}).scalars()}
        new = sorted(rows - found)
        found |= rows
        fresh = {one for some in chunks(new, _PAGE) for one in conn.execute(_OF, {"of": some}).scalars()} - asked
    return sorted(found)


def inside(conn: Connection, identities: Collection[str]) -> set[str]:
    """Those of some alerts that a row in the lane is about."""
    return {one for some in chunks(sorted(identities), _PAGE) for one in conn.execute(_INSIDE, {"of": some}).scalars()}


def forget(conn: Connection, before: int) -> None:
    """Rows below a number are gone."""
    conn.execute(_FORGET_PLACES, {"before": before})
    conn.execute(_FORGET_IDENTITIES, {"before": before})


def begin_after(conn: Connection, place: int) -> bool:
    """Let the next place be `place` or a later one; whether that took doing."""
    # Tried with a number no row has. A place once given is never given again, even where its row is gone.
    conn.execute(_INSERT, {"seq": 0})
    tried = newest(conn)
    conn.execute(_DROP_TRIED)
    if tried >= place:
        return False
    conn.execute(_INSERT, {"place": place, "seq": 0})
    conn.execute(_DROP_TRIED)
    return True
