"""What is usual of each series: the state of its detector, and how its points come."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, delete, select

from forewatch.store.schema import detectors, series
from forewatch.store.series import chunks
from forewatch.store.upsert import insert_for

VERSION = 1
"""Of the rows; the state has a version of its own."""

_CHUNK = 100  # rows a query: each is some kilobytes


@dataclass(frozen=True, slots=True)
class Detector:
    """Instants in microseconds UTC, spans in seconds."""

    series_id: int
    step: float
    """What one value it is given stands for."""
    at: int
    """Start of the newest step it has been given."""
    last_at: int
    """Of the newest point."""
    spacing: float
    """Between two points, as is usual."""
    heard: int
    """When the newest verdict it has taken in was given."""
    ready_at: int
    """When it has learned enough to speak, if its points go on to come as they do."""
    state: bytes
    version: int = VERSION


def put_many(conn: Connection, rows: Sequence[Detector]) -> None:
    """Store states. One that is behind what is stored is left out: a watch that was relieved may write late."""
    if not rows:
        return
    statement = insert_for(conn, detectors)
    fresh = {name: statement.excluded[name] for name in detectors.columns.keys() if name != "series_id"}  # noqa: SIM118
    newer = statement.excluded["at"] >= detectors.c.at
    upsert = statement.on_conflict_do_update(index_elements=["series_id"], set_=fresh, where=newer)
    conn.execute(upsert, [asdict(row) for row in rows])


def get_many(conn: Connection, series_ids: Collection[int]) -> Iterator[Detector]:
    """Those of some series that this version can read."""
    for chunk in chunks(sorted(series_ids), _CHUNK):
        found = select(detectors).where(detectors.c.series_id.in_(chunk), detectors.c.version == VERSION)
        for row in conn.execute(found):
            yield Detector(**row._mapping)


def readiness(conn: Connection) -> dict[int, int]:
    """When each series has learned enough, by its number."""
    query = select(detectors.c.series_id, detectors.c.ready_at).where(detectors.c.version == VERSION)
    return {row.series_id: row.ready_at for row in conn.execute(query)}


def forget_removed(conn: Connection) -> int:
    """Delete those of series that are no more; returns how many."""
    return conn.execute(delete(detectors).where(detectors.c.series_id.not_in(select(series.c.id)))).rowcount


def remove(conn: Connection, series_ids: Collection[int]) -> None:
    """Begin anew with these series."""
    for chunk in chunks(sorted(series_ids), 500):
        conn.execute(delete(detectors).where(detectors.c.series_id.in_(chunk)))
