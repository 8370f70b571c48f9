"""The history as it can be replayed: the observations since the last gap, and what was decided on each.

Retention deletes old observations, but keeps those of incidents that are still open: what lies before the last gap is
no history any more, only remains of one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, exists, func, select

from forewatch.store import decision_log, observations, schema
from forewatch.store.decision_log import DecisionRecord
from forewatch.store.engine import Store
from forewatch.store.observations import Observation

BATCH = 500


@dataclass(frozen=True)
class Extent:
    """From observation `first`, made at `begins`, up to `last`. `whole`: nothing was ever before it."""

    first: int
    last: int
    begins: int
    whole: bool


def extent(conn: Connection) -> Extent | None:
    """How far back the observations go without a gap; None where there are none."""
    o = schema.observations.c
    before = schema.observations.alias("before").c
    first, last = conn.execute(
        select(
            select(func.max(o.seq)).where(~exists().where(before.seq == o.seq - 1)).scalar_subquery(), func.max(o.seq)
        )
    ).one()
    if last is None:
        return None
    begins = conn.execute(select(o.at).where(o.seq == first)).scalar_one()
    return Extent(first, last, begins, whole=first == 1)


def each(store: Store, known: Extent) -> Iterator[Observation]:
    """Its observations in order. Each batch is its own transaction, so that nobody waits for a long one to end."""
    seq = known.first - 1
    while seq < known.last:
        with store.read() as conn:
            batch = observations.since(conn, seq, BATCH)
        for observation in batch:
            if observation.seq > known.last:
                return
            yield observation
        if not batch:
            return
        seq = batch[-1].seq


def records(store: Store, known: Extent) -> Iterator[DecisionRecord]:
    """What was decided on them, in the same order."""
    seq = known.first - 1
    while seq < known.last:
        with store.read() as conn:
            batch = decision_log.upon(conn, seq, known.last, BATCH)
        if not batch:
            return
        yield from batch
        seq = batch[-1].seq
