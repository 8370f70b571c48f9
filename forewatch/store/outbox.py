"""The outbox: notifications on their way to people. None is ever lost; one may be sent twice, with the same id.

    held ──(released, or past not_before and nobody decided)──┐   held ──> merged: it went out in another one
    due ──────────────────────────────────────────────────────┼─> claimed(term, until) ─> sent
    failed ──(not_before passed)──────────────────────────────┘        │  └─> failed ─> ... ─> dead
                                                                       └─(30 s, or a later term)─> claimed again

A later term has begun because the sender handed over or died: what it left under way is taken at once, not after 30 s.

Times are wall-clock times, and a wall clock can be set back: then `created_at` lies in the future, or `not_before` and
`claimed_until` further ahead than anything may wait. Such rows are taken at once: early is harmless, an hour late is
not. Set forward, it makes waiting rows due early. Giving up goes by the number of attempts, so no jump of the clock can
make a page dead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Integer,
    and_,
    bindparam,
    case,
    func,
    insert,
    or_,
    select,
    update,
)

from forewatch.alerting.notification import Notification, NotificationState
from forewatch.clock import micros
from forewatch.store.schema import outbox

CLAIM = 30.0
"""Seconds a sender has before another may take its notification."""

CLOCK_SLACK = 5.0
"""Seconds a row may be dated ahead of now before we say that the clock was set back."""

DECIDED_WITHIN = 5.0
"""Seconds after the end of a hold after which a page leaves though nobody has decided so."""

LONGEST_BACK_OFF = 300.0
"""Seconds; the waits are 1, 2, 4, ... up to this."""

MOST_ATTEMPTS = 9 + round((86400 - 511) / LONGEST_BACK_OFF)
"""After this many the notification is dead: a day, the first nine waits (511 s) and then one every 300 s."""

_BY_ID = select(outbox).where(outbox.c.id == bindparam("of"))
_OF_INCIDENT = select(outbox).where(outbox.c.incident_id == bindparam("of")).order_by(outbox.c.created_at, outbox.c.id)
_HELD_IN = _OF_INCIDENT.where(outbox.c.state == "held")
_RELEASE = (
    update(outbox)
    .where(outbox.c.id == bindparam("of"), outbox.c.state == "held")
    .values({name: bindparam(f"new_{name}") for name in ("kind", "state", "not_before", "content")})
)
_INSERT = insert(outbox)
_WAITING = ("due", "failed")

_NOW: BindParameter[int] = bindparam("now", type_=outbox.c.created_at.type)
_TERM: BindParameter[int] = bindparam("term", type_=outbox.c.claimed_term.type)
# May go out now: its time has come, its claim ran out, or its times are impossible (see above).
_READY = or_(
    outbox.c.state.in_(_WAITING) & ((outbox.c.not_before <= _NOW) | (outbox.c.created_at > _NOW + micros(CLOCK_SLACK))),
    (outbox.c.state == "held")
    & ((outbox.c.not_before <= _NOW - micros(DECIDED_WITHIN)) | (outbox.c.created_at > _NOW + micros(CLOCK_SLACK))),
    (outbox.c.state == "failed") & (outbox.c.not_before > _NOW + micros(LONGEST_BACK_OFF + CLOCK_SLACK)),
    (outbox.c.state == "claimed")
    & ((outbox.c.claimed_until <= _NOW) | (outbox.c.claimed_until > _NOW + micros(CLAIM + CLOCK_SLACK))),
)
_OVERDUE = (
    select(outbox.c.incident_id)
    .where(outbox.c.state == "held", outbox.c.not_before <= _NOW - micros(DECIDED_WITHIN))
    .distinct()
    .order_by(outbox.c.incident_id)
)
_SINCE = case((outbox.c.state == "claimed", outbox.c.claimed_until), else_=outbox.c.not_before)
_OLDEST = select(func.min(_SINCE)).where(_READY)
_RANK = case({"critical": 0, "warning": 1}, value=outbox.c.severity, else_=2)
_LEFT_BEHIND = (outbox.c.state == "claimed") & (outbox.c.claimed_term < _TERM)
_NEXT = (
    select(outbox)
    .where(or_(_READY, _LEFT_BEHIND))
    .order_by(_RANK, outbox.c.not_before, outbox.c.id)
    .limit(bindparam("limit", type_=Integer))
)
_NEXT_IDS = _NEXT.with_only_columns(outbox.c.id)


def back_off(attempts: int) -> float:
    """Seconds from the failure of attempt number `attempts` (from 1) to the next."""
    return min(2.0 ** min(attempts - 1, 30), LONGEST_BACK_OFF)


def add(conn: Connection, notification: Notification) -> None:
    conn.execute(_INSERT, vars(notification))


def get(conn: Connection, notification_id: str) -> Notification | None:
    row = conn.execute(_BY_ID, {"of": notification_id}).one_or_none()
    return Notification(**row._mapping) if row is not None else None


def of_incident(conn: Connection, incident_id: str) -> list[Notification]:
    """Oldest first."""
    return [Notification(**row._mapping) for row in conn.execute(_OF_INCIDENT, {"of": incident_id})]


def claim(conn: Connection, *, now: int, term: int, limit: int) -> list[Notification]:
    """Take up to `limit` that may go out now or that an earlier term left under way, the most severe first, for 30 s;
    each claim is an attempt.

    Whoever claims must answer with `mark_sent` or `mark_failed` under the same `term`.
    """
    ids = conn.execute(_NEXT_IDS, {"now": now, "term": term, "limit": limit}).scalars().all()
    if not ids:
        return []
    taken = conn.execute(
        update(outbox)
        .where(outbox.c.id.in_(ids))
        .values(
            state="claimed",
            claimed_term=term,
            claimed_until=now + micros(CLAIM),
            attempts=outbox.c.attempts + 1,
        )
        .returning(*outbox.c)
    )
    claimed = {row.id: Notification(**row._mapping) for row in taken}
    return [claimed[id] for id in ids]


def claimable(conn: Connection, *, now: int, term: int, limit: int) -> list[Notification]:
    """What `claim` would take, left as it is: all a sender has to go by while the store takes no writes."""
    return [Notification(**row._mapping) for row in conn.execute(_NEXT, {"now": now, "term": term, "limit": limit})]


def mark_sent(conn: Connection, notification_id: str, term: int, now: int, receipt: dict[str, Any] | None) -> bool:
    """The receiver took it. False if the claim is not this term's any more: another sender has it now."""
    return bool(
        conn.execute(
            update(outbox)
            .where(_claimed_by(notification_id, term))
            .values(state="sent", sent_at=now, receipt=receipt, claimed_until=None, last_error=None)
        ).rowcount
    )


def mark_failed(
    conn: Connection,
    notification_id: str,
    term: int,
    now: int,
    error: str,
    permanent: bool,
    retry_after: float = 0.0,
) -> NotificationState | None:
    """It could not be handed over: `failed` (again after a back-off) or `dead` (permanent, or a day of attempts).

    `retry_after` lengthens the back-off to what the receiver asked for, in seconds; never beyond the longest.

    Where the claim is not this term's any more nothing changes and the present state is returned; None for an unknown
    id.
    """
    attempts = conn.execute(select(outbox.c.attempts).where(_claimed_by(notification_id, term))).scalar_one_or_none()
    if attempts is None:
        state: NotificationState | None = conn.execute(
            select(outbox.c.state).where(outbox.c.id == notification_id)
        ).scalar_one_or_none()
        return state
    state = "dead" if permanent or attempts >= MOST_ATTEMPTS else "failed"
    wait = min(max(back_off(attempts), retry_after), LONGEST_BACK_OFF)
    conn.execute(
        update(outbox)
        .where(_claimed_by(notification_id, term))
        .values(state=state, not_before=now + micros(wait), claimed_until=None, last_error=error)
    )
    return state


def held_in(conn: Connection, incident_id: str) -> list[Notification]:
    """What is held for a remedy on an incident, oldest first."""
    return [Notification(**row._mapping) for row in conn.execute(_HELD_IN, {"of": incident_id})]


def overdue(conn: Connection, now: int) -> list[str]:
    """The incidents of what is still held and would leave by itself."""
    return [str(one) for one in conn.execute(_OVERDUE, {"now": now}).scalars() if one is not None]


def release(conn: Connection, notification_id: str, kind: str, content: dict[str, Any], now: int) -> bool:
    """A held notification is due now, with this content. False where it is not held any more."""
    released = {"kind": kind, "state": "due", "not_before": now, "content": content}
    return bool(
        conn.execute(_RELEASE, {"of": notification_id, **{f"new_{k}": v for k, v in released.items()}}).rowcount
    )


def merge(conn: Connection, notification_ids: Sequence[str]) -> None:
    """Held notifications go out in another one."""
    conn.execute(
        update(outbox).where(outbox.c.id.in_(notification_ids), outbox.c.state == "held").values(state="merged")
    )


def move(conn: Connection, incident_id: str, into: str) -> None:
    """What was or will be sent of one incident counts as sent of another."""
    conn.execute(update(outbox).where(outbox.c.incident_id == incident_id).values(incident_id=into))


def oldest_due(conn: Connection, now: int) -> int | None:
    """Since when the longest waiting notification that could go out has been due; None if none is.

    Asked in a read transaction it costs no lock: a sender that polls asks this before it claims.
    """
    oldest: int | None = conn.execute(_OLDEST, {"now": now}).scalar_one()
    return oldest if oldest is None else min(oldest, now)


def _claimed_by(notification_id: str, term: int) -> ColumnElement[bool]:
    return and_(outbox.c.id == notification_id, outbox.c.state == "claimed", outbox.c.claimed_term == term)
