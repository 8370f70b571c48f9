"""The stories of closed incidents that Prefect has not got yet: owed from the decision that closes one until published.

An incident that retention removes takes its row with it, so no more is owed than there are incidents.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, or_, select

from forewatch.store.schema import stories_owed
from forewatch.store.upsert import insert_missing

_C = stories_owed.c
_OWED = (
    select(_C.incident_id)
    # Dated ahead of now: the clock was set back since.
    .where(or_(_C.closed_at <= bindparam("before"), _C.closed_at > bindparam("now")))
    .order_by(_C.closed_at, _C.incident_id)
    .limit(bindparam("most"))
)


def owe(conn: Connection, incident_id: str, now: int) -> None:
    """Call it in the transaction that closes the incident."""
    insert_missing(conn, stories_owed, [{"incident_id": incident_id, "closed_at": now}])


def owed(conn: Connection, *, before: int, now: int, most: int) -> list[str]:
    """Incidents closed at `before` or earlier whose story is owed, the one closed first before others."""
    return list(conn.execute(_OWED, {"before": before, "now": now, "most": most}).scalars())


def settle(conn: Connection, incident_ids: Sequence[str]) -> None:
    """They are published, or never will be."""
    conn.execute(delete(stories_owed).where(_C.incident_id.in_(incident_ids)))
