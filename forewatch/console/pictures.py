"""Pictures of forecasts, drawn when asked for."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Response

from forewatch.clock import micros
from forewatch.detection.band import Forecast
from forewatch.detection.picture import forecast_svg
from forewatch.detection.quantity import unit_of
from forewatch.runtime import Runtime
from forewatch.store import forecasts, points, series

PAST = 6 * 3600.0
"""Seconds of history beside the forecast."""
STEP = 60.0


def router(runtime: Runtime) -> APIRouter:
    routes = APIRouter()

    def draw(series_id: int) -> str | None:
        now = runtime.clock.now()
        with runtime.store.read_metrics() as conn:
            found = series.get(conn, series_id)
            if found is None:
                return None
            samples = points.read(conn, series_id, now - micros(PAST), now + 1, STEP)
            newest = forecasts.newest(conn, series_id)
        labels = " ".join(f"{name}={value}" for name, value in sorted(found.labels.items()))
        band = (
            Forecast(
                newest.start, newest.step, tuple(newest.mean), tuple(newest.lower), tuple(newest.upper), newest.model
            )
            if newest is not None
            else None
        )
        return forecast_svg(f"{found.metric} {labels}".strip(), samples, band, unit_of(found.metric))

    @routes.get("/pictures/forecast/{series_id}.svg")
    async def forecast_picture(series_id: int) -> Response:
        drawn = await runtime.store.run(draw, series_id)
        if drawn is None:
            raise HTTPException(404, f"there is no series {series_id}")
        return Response(drawn, media_type="image/svg+xml", headers={"Cache-Control": "no-cache"})

    return routes
