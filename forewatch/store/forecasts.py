"""Forecasts as they were made, and how well each came true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Row, insert, select, update

from forewatch.clock import micros
from forewatch.store.schema import forecasts

Horizon = Literal["hour", "day", "week", "month"]


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


def add(conn: Connection, forecast: Forecast) -> int:
    """Store a forecast; returns its id. Raises ValueError where the lists are empty or differ in length."""
    if not forecast.mean or not len(forecast.mean) == len(forecast.lower) == len(forecast.upper):
        raise ValueError(
            f"forecast of series {forecast.series_id}: mean, lower and upper need the same length, 1 or more"
        )
    values = {
        "series_id": forecast.series_id, "made_at": forecast.made_at,
        "horizon": forecast.horizon, "start": forecast.start, "step": forecast.step,
        "until": forecast.until, "model": forecast.model, "exhausted_at": forecast.exhausted_at,
        "mean": _plain(forecast.mean), "lower": _plain(forecast.lower), "upper": _plain(forecast.upper),
    }  # fmt: skip
    return int(conn.execute(insert(forecasts).values(values).returning(forecasts.c.id)).scalar_one())


def newest(
    conn: Connection, series_id: int, *, horizon: Horizon = "hour", before: int | None = None
) -> Forecast | None:
    """The forecast made last; with `before`, the last one made before that instant."""
    query = select(forecasts).where(forecasts.c.series_id == series_id, forecasts.c.horizon == horizon)
    if before is not None:
        query = query.where(forecasts.c.made_at < before)
    row = conn.execute(query.order_by(forecasts.c.made_at.desc(), forecasts.c.id.desc()).limit(1)).one_or_none()
    return _forecast(row) if row is not None else None


def unscored_due(conn: Connection, now: int, *, limit: int = 500) -> list[Forecast]:
    """Forecasts whose last step has passed and that nobody has scored yet, oldest first."""
    query = select(forecasts).where(forecasts.c.scored_at.is_(None), forecasts.c.until <= now)
    return [_forecast(row) for row in conn.execute(query.order_by(forecasts.c.until).limit(limit))]


def score(conn: Connection, forecast_id: int, *, coverage: float | None, error: float | None, now: int) -> None:
    """Note how well a forecast came true; both None where nothing was measured in its time."""
    scored = {"coverage": coverage, "error": error, "scored_at": now}
    conn.execute(update(forecasts).where(forecasts.c.id == forecast_id).values(scored))


def _plain(values: Sequence[float]) -> list[float]:
    return [float(value) for value in values]


def _forecast(row: Row[Any]) -> Forecast:
    values = {name: value for name, value in row._mapping.items() if name != "until"}
    return Forecast(**values)
