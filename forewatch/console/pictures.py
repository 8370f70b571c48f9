"""Pictures of series with what is forecast of them and what was unusual, drawn when asked for."""

from __future__ import annotations

from textwrap import shorten

from fastapi import APIRouter, HTTPException, Response

from forewatch.clock import micros
from forewatch.console.described import NOT_FOUND, Svg
from forewatch.detection.band import Forecast
from forewatch.detection.counters import to_rates
from forewatch.detection.forecast_svg import forecast_svg
from forewatch.detection.horizons import BY_NAME, Reach
from forewatch.detection.quantity import unit_of
from forewatch.runtime import Runtime
from forewatch.store import anomalies, forecasts, points, series

_HOUR = 3600.0
_DAY = 86400.0

PAST: dict[Reach, tuple[float, float]] = {
    "hour": (6 * _HOUR, 60.0),
    "day": (2 * _DAY, 300.0),
    "week": (14 * _DAY, _HOUR),
    "month": (60 * _DAY, _HOUR),
}
"""Seconds of history beside a forecast, and of a step of it."""
_TITLE = 76
"""Characters that fit above a picture."""


def router(runtime: Runtime) -> APIRouter:
    routes = APIRouter()

    def draw(series_id: int, reach: Reach) -> str | None:
        now = runtime.clock.now()
        past, step = PAST[reach]
        start = now - micros(past)
        with runtime.store.read_metrics() as conn:
            found = series.get(conn, series_id)
            if found is None:
                return None
            samples = points.read(conn, series_id, start, now + 1, step)
            newest = forecasts.newest(conn, series_id, horizon=reach)
            episodes = anomalies.of_series(conn, series_id, start, now)
        rate = found.counts
        band = (
            Forecast(
                newest.start, newest.step, tuple(newest.mean), tuple(newest.lower), tuple(newest.upper), newest.model
            )
            if newest is not None
            else None
        )
        labels = " ".join(f"{name}={value}" for name, value in sorted(found.labels.items()))
        # To the end of its step: what is unusual for a minute is to be seen in an hour's mean.
        anomalous = [(one.start - micros(step), (one.end or now) + 1) for one in episodes]
        title = " ".join(part for part in (found.metric, "per second" if rate else "", labels) if part)
        return forecast_svg(
            shorten(title, _TITLE, placeholder=" ..."),
            to_rates(samples) if rate else samples,
            band,
            unit_of(found.metric),
            anomalous,
        )

    @routes.get("/pictures/forecast/{series_id}.svg", response_class=Svg, responses=NOT_FOUND)
    async def forecast_picture(series_id: int, horizon: str = "hour") -> Response:
        if horizon not in BY_NAME:
            raise HTTPException(404, f"there is no horizon {horizon}; there are {', '.join(BY_NAME)}")
        drawn = await runtime.store.run(draw, series_id, BY_NAME[horizon].name)
        if drawn is None:
            raise HTTPException(404, f"there is no series {series_id}")
        return Svg(drawn, headers={"Cache-Control": "no-cache"})

    return routes
