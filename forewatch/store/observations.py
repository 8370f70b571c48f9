"""Observations: every event that was processed, in one global order, so that decisions can be replayed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, insert, select

from forewatch import __version__
from forewatch.incidents.events import Event, from_json
from forewatch.store.schema import observations

_INSERT = insert(observations).returning(observations.c.seq)


@dataclass(frozen=True)
class Observation:
    """`seq` is the order things were decided in; `at` is only what the clock said."""

    seq: int
    at: int
    source: str
    event: dict[str, Any]
    config_version: int
    code_version: str
    facts: dict[str, Any] = field(default_factory=dict)
    """What else the decision saw (`store.facts`)."""

    def decoded(self) -> Event:
        """Raises KeyError for an event this version does not know."""
        return from_json(self.event)


def add(
    conn: Connection, event: Event, *, config_version: int, now: int, facts: Mapping[str, Any] | None = None
) -> int:
    """Returns its sequence number."""
    values = {
        "at": now,
        "source": event.source,
        "event": event.as_json(),
        "config_version": config_version,
        "code_version": __version__,
        "facts": dict(facts or {}),
    }
    return int(conn.execute(_INSERT, values).scalar_one())


def get(conn: Connection, seq: int) -> Observation | None:
    row = conn.execute(select(observations).where(observations.c.seq == seq)).one_or_none()
    return Observation(**row._mapping) if row is not None else None


def since(conn: Connection, seq: int, limit: int = 1000) -> list[Observation]:
    """Those after `seq`, in order."""
    found = select(observations).where(observations.c.seq > seq).order_by(observations.c.seq).limit(limit)
    return [Observation(**row._mapping) for row in conn.execute(found)]
