"""Forecasts as they were made, and how well each came true.

Of every series and horizon there are kept: the newest forecast, those whose span is not over (of the reaches beyond an
hour only the one that is to be scored), and the scores of the last forecasts, without their values. Forecasts that are
scored do not overlap: one bad hour is to count once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from forewatch.clock import micros
from forewatch.store.schema import forecasts

Horizon = Literal["hour", "day", "week", "month"]

SCORES_KEPT = 30
"""Scored forecasts kept of each series and horizon."""

_CHUNK = 500


@dataclass(frozen=True)
class Forecast:
    """A series' expected course: value `i` is for `start + i * step`; all lists have the same length."""

    series_id: int
    made_at: int
    horizon: Horizon
    """How far it reaches."""
    start: int
    step: float
    """Seconds."""
    model: str
    mean: Sequence[float]
    """Of a counter its growth per second. Once scored, this and the bounds are empty."""
    lower: Sequence[float]
    """Of the 95 % band."""
    upper: Sequence[float]
    exhausted_at: int | None = None
    """When the thing runs out, if it does within reach."""
    id: int | None = None
    coverage: float | None = None
    """Share of what came that lay inside the band, once scored."""
    error: float | None = None
    """Mean absolute error, once scored."""
    scored_at: int | None = None

    @property
    def until(self) -> int:
        """The instant of the last step."""
        return self.start + micros(self.step * (len(self.mean) - 1))

    @property
    def end(self) -> int:
        """When its span is over."""
        return self.start + micros(self.step) * len(self.mean)


def add(conn: Connection, forecast: Forecast) -> int:
    """Store a forecast; returns its id. Raises ValueError where the lists are empty or differ in length."""
    return int(conn.execute(insert(forecasts).values(_row(forecast)).returning(forecasts.c.id)).scalar_one())


def add_many(conn: Connection, made: Sequence[Forecast]) -> None:
    """Store forecasts; of those beyond the hour, what they supersede goes. Raises as `add`."""
    if not made:
        return
    conn.execute(insert(forecasts), [_row(one) for one in made])
    _drop_superseded(conn, [one for one in made if one.horizon != "hour"])


def newest(
    conn: Connection, series_id: int, *, horizon: Horizon = "hour", before: int | None = None
) -> Forecast | None:
    """The forecast made last whose values are still kept; with `before`, the last one made before that instant."""
    c = forecasts.c
    query = select(forecasts).where(c.series_id == series_id, c.horizon == horizon, c.scored_at.is_(None))
    if before is not None:
        query = query.where(c.made_at < before)
    row = conn.execute(query.order_by(c.made_at.desc(), c.id.desc()).limit(1)).one_or_none()
    return _forecast(row) if row is not None else None


def newest_many(conn: Connection, series_ids: Iterable[int]) -> dict[tuple[int, str], Forecast]:
    """`newest` of many series and of every horizon: (series, horizon) -> forecast."""
    c = forecasts.c
    found: dict[tuple[int, str], Forecast] = {}
    for chunk in _chunks(series_ids):
        last = select(func.max(c.id)).where(c.series_id.in_(chunk), c.scored_at.is_(None))
        query = select(forecasts).where(c.id.in_(last.group_by(c.series_id, c.horizon)))
        found |= {(row.series_id, row.horizon): _forecast(row) for row in conn.execute(query)}
    return found


def made_between(
    conn: Connection, series_id: int, start: int, end: int, *, horizon: Horizon = "hour"
) -> list[Forecast]:
    """Those made in `start <= t <= end`, oldest first."""
    query = select(forecasts).where(forecasts.c.series_id == series_id, forecasts.c.horizon == horizon)
    query = query.where(forecasts.c.made_at.between(start, end)).order_by(forecasts.c.made_at, forecasts.c.id)
    return [_forecast(row) for row in conn.execute(query)]


def unscored_due(conn: Connection, now: int, *, limit: int = 500) -> list[Forecast]:
    """Forecasts whose last step has passed and that nobody has scored yet, oldest first."""
    query = select(forecasts).where(forecasts.c.scored_at.is_(None), forecasts.c.until <= now)
    return [_forecast(row) for row in conn.execute(query.order_by(forecasts.c.until, forecasts.c.id).limit(limit))]


def scored_until(conn: Connection, series_ids: Iterable[int]) -> dict[tuple[int, str], int]:
    """The last instant that was scored of each series and horizon."""
    c = forecasts.c
    found: dict[tuple[int, str], int] = {}
    for chunk in _chunks(series_ids):
        query = select(c.series_id, c.horizon, func.max(c.until)).where(
            c.series_id.in_(chunk), c.scored_at.is_not(None)
        )
        found |= {(row[0], row[1]): row[2] for row in conn.execute(query.group_by(c.series_id, c.horizon))}
    return found


def score(conn: Connection, forecast_id: int, *, coverage: float | None, error: float | None, now: int) -> None:
    """Note how well a forecast came true, and let its values go; both None where nothing was measured in its time."""
    c = forecasts.c
    scored: dict[str, Any] = {
        "coverage": coverage,
        "error": error,
        "scored_at": now,
        "mean": [],
        "lower": [],
        "upper": [],
    }
    row = conn.execute(
        update(forecasts).where(c.id == forecast_id).values(scored).returning(c.series_id, c.horizon)
    ).one_or_none()
    if row is not None:
        of_series = select(c.id).where(c.series_id == row[0], c.horizon == row[1], c.scored_at.is_not(None))
        too_old = of_series.order_by(c.until.desc()).offset(SCORES_KEPT).limit(1000)
        conn.execute(delete(forecasts).where(c.id.in_(too_old.scalar_subquery())))


def remove(conn: Connection, forecast_ids: Collection[int]) -> None:
    """Forget forecasts that overlap one that was scored."""
    for chunk in _chunks(forecast_ids):
        conn.execute(delete(forecasts).where(forecasts.c.id.in_(chunk)))


def coverages(
    conn: Connection, *, series_ids: Collection[int] | None = None, horizon: Horizon | None = None
) -> dict[tuple[int, str], list[float]]:
    """The coverage of the last scored forecasts of each series and horizon, the newest first."""
    c = forecasts.c
    query = select(c.series_id, c.horizon, c.coverage).where(c.coverage.is_not(None))
    if horizon is not None:
        query = query.where(c.horizon == horizon)
    found: dict[tuple[int, str], list[float]] = {}
    for part in [query] if series_ids is None else [query.where(c.series_id.in_(ids)) for ids in _chunks(series_ids)]:
        for series_id, reach, coverage in conn.execute(part.order_by(c.until.desc())):
            found.setdefault((series_id, reach), []).append(coverage)
    return found


def _drop_superseded(conn: Connection, made: Sequence[Forecast]) -> None:
    """Of what is not scored yet there stay the newest, and the oldest: that one is scored when its time has come."""
    c = forecasts.c
    for one in made:
        mine = select(c.id).where(c.series_id == one.series_id, c.horizon == one.horizon, c.scored_at.is_(None))
        oldest = conn.execute(mine.order_by(c.until, c.id).limit(1)).scalar()
        conn.execute(
            delete(forecasts).where(
                c.series_id == one.series_id, c.horizon == one.horizon, c.scored_at.is_(None),
                c.made_at < one.made_at, c.id != oldest,
            )
        )  # fmt: skip


def _row(forecast: Forecast) -> dict[str, Any]:
    if not forecast.mean or not len(forecast.mean) == len(forecast.lower) == len(forecast.upper):
        raise ValueError(
            f"forecast of series {forecast.series_id}: mean, lower and upper need the same length, 1 or more"
        )
    return {
        "series_id": forecast.series_id, "made_at": forecast.made_at,
        "horizon": forecast.horizon, "start": forecast.start, "step": forecast.step,
        "until": forecast.until, "model": forecast.model, "exhausted_at": forecast.exhausted_at,
        "mean": _plain(forecast.mean), "lower": _plain(forecast.lower), "upper": _plain(forecast.upper),
    }  # fmt: skip


def _plain(values: Sequence[float]) -> list[float]:
    return [float(value) for value in values]


def _chunks(numbers: Iterable[int]) -> Iterable[Sequence[int]]:
    every = list(numbers)
    return (every[first : first + _CHUNK] for first in range(0, len(every), _CHUNK))


def _forecast(row: Row[Any]) -> Forecast:
    values = {name: value for name, value in row._mapping.items() if name != "until"}
    return Forecast(**values)
