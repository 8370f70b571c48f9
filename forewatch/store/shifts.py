"""Who stands which watch: one row a shift, terms as fences, hand-over by compare-and-set.

A holder is named by a string that says which process it is. A shift's writes check the term in the same transaction, so
a holder that was thought dead and comes back can change nothing any more.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, insert, select, update

from forewatch.errors import Fenced
from forewatch.store.schema import shifts

_ROW = select(shifts).where(shifts.c.shift == bindparam("of"))
_TERM = select(shifts.c.term).where(shifts.c.shift == bindparam("of"))
_BEAT = (
    update(shifts)
    .where(shifts.c.shift == bindparam("of"), shifts.c.term == bindparam("in_term"))
    .values(beat=shifts.c.beat + 1, beat_at=bindparam("now"))
)


@dataclass(frozen=True)
class Fence:
    """The right to write for a shift: valid while no later term has begun."""

    shift: str
    term: int


@dataclass(frozen=True)
class Inherited(Fence):
    """The term of a holder that has died, gone on with while the store takes no writes; see `enter`."""

    of: str


@dataclass(frozen=True)
class ShiftRow:
    shift: str
    term: int
    holder: str
    scheduled_for: int
    beat: int
    beat_at: int
    successor: str | None
    successor_scheduled_for: int | None
    flow_run_id: str | None


def get(conn: Connection, shift: str) -> ShiftRow | None:
    row = conn.execute(_ROW, {"of": shift}).one_or_none()
    return ShiftRow(**row._mapping) if row is not None else None


def listing(conn: Connection) -> list[ShiftRow]:
    return [ShiftRow(**row._mapping) for row in conn.execute(select(shifts).order_by(shifts.c.shift))]


def last_beat(conn: Connection) -> int | None:
    """When anybody last stood watch, by what this file knows; None where nobody ever did."""
    last: int | None = conn.execute(select(func.max(shifts.c.beat_at))).scalar_one()
    return last


def check_fence(conn: Connection, fence: Fence) -> None:
    """Raises Fenced unless `fence.term` is still the shift's term. Call it inside the writing transaction."""
    term = conn.execute(_TERM, {"of": fence.shift}).scalar_one_or_none()
    if term != fence.term:
        raise Fenced(f"{fence.shift}: term {fence.term} is over, term {term} has begun")


def take(
    conn: Connection, shift: str, holder: str, *, expected_term: int | None, scheduled_for: int, now: int,
    flow_run_id: str | None = None,
) -> Fence | None:  # fmt: skip
    """Begin the next term without the holder's consent (first start, stand-in). None if another was faster.

    `expected_term` is the term last seen, None where the shift had no row. `scheduled_for` of a stand-in is its
    predecessor's, so that the next scheduled run relieves it.
    """
    fresh = {
        "holder": holder, "scheduled_for": scheduled_for, "beat": 0, "beat_at": now,
        "successor": None, "successor_scheduled_for": None, "flow_run_id": flow_run_id,
    }  # fmt: skip
    if expected_term is None:
        if get(conn, shift) is not None:
            return None
        conn.execute(insert(shifts).values(shift=shift, term=1, **fresh))
        return Fence(shift, 1)
    changed = conn.execute(
        update(shifts)
        .where(shifts.c.shift == shift, shifts.c.term == expected_term)
        .values(term=expected_term + 1, **fresh)
    ).rowcount
    return Fence(shift, expected_term + 1) if changed else None


def enter(conn: Connection, fence: Inherited, holder: str) -> None:
    """Be the holder of an inherited term; harmless for one that is already. Raises Fenced where another has begun a
    later one, or has inherited it."""
    changed = conn.execute(
        update(shifts)
        .where(shifts.c.shift == fence.shift, shifts.c.term == fence.term, shifts.c.holder.in_((fence.of, holder)))
        .values(holder=holder, flow_run_id=None)
    ).rowcount
    if not changed:
        check_fence(conn, fence)
        raise Fenced(f"{fence.shift}: another has inherited term {fence.term}")


def apply_as_successor(conn: Connection, shift: str, holder: str, scheduled_for: int) -> bool:
    """Ask the present holder for the watch. False if a run scheduled no earlier holds it or waits for it already."""
    return bool(
        conn.execute(
            update(shifts)
            .where(
                shifts.c.shift == shift,
                shifts.c.scheduled_for < scheduled_for,
                (shifts.c.successor.is_(None)) | (shifts.c.successor_scheduled_for < scheduled_for),
            )
            .values(successor=holder, successor_scheduled_for=scheduled_for)
        ).rowcount
    )


def hand_over(conn: Connection, fence: Fence, *, successor: str, now: int) -> bool:
    """End one's own term in favour of the successor, in one compare-and-set. False if either has changed meanwhile."""
    return bool(
        conn.execute(
            update(shifts)
            .where(shifts.c.shift == fence.shift, shifts.c.term == fence.term, shifts.c.successor == successor)
            .values(
                term=fence.term + 1, holder=successor, scheduled_for=shifts.c.successor_scheduled_for,
                beat=0, beat_at=now, successor=None, successor_scheduled_for=None, flow_run_id=None,
            )
        ).rowcount
    )  # fmt: skip


def beat(conn: Connection, fence: Fence, now: int) -> ShiftRow:
    """Show life and see whether anybody wants the watch. Raises Fenced if the term is over."""
    if not conn.execute(_BEAT, {"of": fence.shift, "in_term": fence.term, "now": now}).rowcount:
        check_fence(conn, fence)
    row = get(conn, fence.shift)
    if row is None:
        raise Fenced(f"{fence.shift}: its row is gone")
    return row


def set_flow_run(conn: Connection, fence: Fence, flow_run_id: str) -> None:
    """Note which flow run stands this watch, for the links on our pages."""
    conn.execute(
        update(shifts).where(shifts.c.shift == fence.shift, shifts.c.term == fence.term).values(flow_run_id=flow_run_id)
    )
