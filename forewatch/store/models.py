"""What each series is forecast with, or why there is nothing yet, and whether its bands are trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from forewatch.detection.trust import Trust, judge
from forewatch.store import forecasts
from forewatch.store.forecasts import Horizon
from forewatch.store.schema import models, series
from forewatch.store.upsert import upsert


@dataclass(frozen=True, slots=True)
class Model:
    """`state` is the model as bytes, None where there is none yet: `reason` says why."""

    series_id: int
    horizon: Horizon
    tried_at: int
    """When a forecast was last made or refused."""
    made_at: int | None = None
    """When it was fitted."""
    refit_at: int | None = None
    """From when it is to be fitted anew."""
    state: bytes | None = None
    """Its first byte is the version of its form."""
    reason: str = ""
    unknown: str = ""
    """What it cannot tell yet: `daily rhythm: known after two days`."""
    demoted_at: int | None = None
    """Since when its bands count as failed."""


def put_many(conn: Connection, rows: Sequence[Model]) -> None:
    upsert(conn, models, [asdict(row) for row in rows])


def get_all(
    conn: Connection, *, horizon: Horizon | None = None, series_id: int | None = None
) -> dict[tuple[int, str], Model]:
    """The rows of a horizon, of a series, or all: (series, horizon) -> row."""
    query = select(models)
    if horizon is not None:
        query = query.where(models.c.horizon == horizon)
    if series_id is not None:
        query = query.where(models.c.series_id == series_id)
    return {(row.series_id, row.horizon): _model(row) for row in conn.execute(query)}


def demoted(conn: Connection, horizon: Horizon = "hour") -> dict[int, Trust]:
    """The series whose bands of this horizon fail, with what their forecasts came to."""
    c = models.c
    found = list(conn.scalars(select(c.series_id).where(c.horizon == horizon, c.demoted_at.is_not(None))))
    if not found:
        return {}
    known = forecasts.coverages(conn, series_ids=found, horizon=horizon)
    return {number: judge(known.get((number, horizon), ()), demoted=True) for number in found}


def set_demoted(conn: Connection, series_id: int, horizon: Horizon, at: int | None) -> None:
    """Note since when the bands fail; None: they hold again."""
    c = models.c
    conn.execute(update(models).where(c.series_id == series_id, c.horizon == horizon).values(demoted_at=at))


def forget_removed(conn: Connection) -> int:
    """Delete rows of series that are no more; returns how many."""
    return conn.execute(delete(models).where(models.c.series_id.not_in(select(series.c.id)))).rowcount


def _model(row: Row[Any]) -> Model:
    return Model(**row._mapping)
