"""Silences, and what each has hidden over its life."""

from __future__ import annotations

import secrets
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from forewatch.alerting.alert import Labels
from forewatch.alerting.silence import Silence, SilenceIndex, silence_as_json, silence_from_json
from forewatch.clock import micros
from forewatch.store import ids
from forewatch.store.schema import alerts, silenced, silences
from forewatch.store.upsert import insert_missing, upsert

MARK = "silences"
"""A mark that every change of a silence replaces: what is kept in memory is good while it stands."""
KEPT = 5 * 86_400.0
"""Seconds an expired silence stays to be looked at and renewed, as in Alertmanager."""

_BY_ID = select(silences).where(silences.c.id == bindparam("of"))
_LIVE = select(silences).where(silences.c.ends_at >= bindparam("now")).order_by(silences.c.starts_at, silences.c.id)
_HIDDEN = (
    select(silenced.c.incident_id)
    .where(silenced.c.silence_id == bindparam("of"), silenced.c.incident_id.is_not(None))
    .distinct()
)

_ALL_HIDDEN = (
    select(silenced.c.silence_id, silenced.c.incident_id, alerts.c.classification, func.count())
    .outerjoin(alerts, alerts.c.id == silenced.c.alert_id)
    .group_by(silenced.c.silence_id, silenced.c.incident_id, alerts.c.classification)
    .order_by(func.min(silenced.c.at), silenced.c.incident_id)
)

_index: dict[str, tuple[int, int, SilenceIndex]] = {}
"""Per database: (mark, read at, the silences not over by then)."""


class Hidden(NamedTuple):
    """How many alerts of an incident and a classification a silence has hidden; None: gone with their retention."""

    incident_id: str | None
    classification: str | None
    alerts: int


def put(conn: Connection, silence: Silence) -> None:
    """Store a new silence or replace the one of the same id."""
    upsert(conn, silences, [silence_as_json(silence)])
    # Random, not counted: a number a transaction took and rolled back must not come again.
    ids.put_mark(conn, MARK, secrets.randbits(62))


def get(conn: Connection, silence_id: str) -> Silence | None:
    row = conn.execute(_BY_ID, {"of": silence_id}).one_or_none()
    return silence_from_json(dict(row._mapping)) if row is not None else None


def listing(conn: Connection, *, ended_after: int | None = None) -> list[Silence]:
    """All of them, or those that end later; the first to end first."""
    found = select(silences).order_by(silences.c.ends_at, silences.c.id)
    if ended_after is not None:
        found = found.where(silences.c.ends_at >= ended_after)
    return [silence_from_json(dict(row._mapping)) for row in conn.execute(found)]


def matching(conn: Connection, labels: Labels, now: int) -> list[Silence]:
    """Silences active at `now` that match."""
    return current(conn, now).matching(labels, now)


def hid(conn: Connection, silence_ids: list[str], alert_id: str, incident_id: str | None, at: int) -> None:
    """Remember that silences hid an alert."""
    rows = [{"silence_id": one, "alert_id": alert_id, "incident_id": incident_id, "at": at} for one in silence_ids]
    insert_missing(conn, silenced, rows)


def hidden_incidents(conn: Connection, silence_id: str) -> list[str]:
    return sorted(conn.execute(_HIDDEN, {"of": silence_id}).scalars())


def hidden(conn: Connection) -> dict[str, list[Hidden]]:
    """What each silence has hidden over its life."""
    found: dict[str, list[Hidden]] = {}
    for silence_id, *rest in conn.execute(_ALL_HIDDEN):
        found.setdefault(silence_id, []).append(Hidden(*rest))
    return found


def current(conn: Connection, now: int) -> SilenceIndex:
    """The silences that are not over at `now`, and perhaps some that are."""
    mark = ids.mark(conn, MARK)
    database = str(conn.engine.url)
    known = _index.get(database)
    # A clock set back may bring silences to life again that had ended when these were read.
    if known is not None and known[0] == mark and known[1] <= now < known[1] + micros(3600):
        return known[2]
    index = SilenceIndex([silence_from_json(dict(row._mapping)) for row in conn.execute(_LIVE, {"now": now})])
    _index[database] = (mark, now, index)
    return index
