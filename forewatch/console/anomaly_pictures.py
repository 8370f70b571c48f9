"""Pictures of anomalies, drawn when asked for: the series, what was expected of it, and the unusual part in red."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fastapi import APIRouter, HTTPException, Response

from forewatch.clock import micros
from forewatch.console.described import NOT_FOUND, Svg
from forewatch.detection.band import Forecast
from forewatch.detection.forecast_svg import forecast_svg
from forewatch.detection.quantity import unit_of
from forewatch.detection.series_anomaly import Anomaly
from forewatch.reports.anomalies import anomalies_of
from forewatch.runtime import Runtime
from forewatch.series.step_means import finished, read, step_for
from forewatch.store import anomalies, detectors, series
from forewatch.store.points import Mean

BEFORE, AFTER = 6 * 3600.0, 3600.0
"""Seconds shown before it began and after its end."""
LEARNED = 4 * 86_400.0
"""Seconds that what was expected is worked out from."""


@dataclass(frozen=True)
class _Found:
    anomaly: Anomaly
    spans: list[tuple[int, int]]
    means: list[Mean]
    step: float
    begin: int


def router(runtime: Runtime) -> APIRouter:
    """`/pictures/anomaly/<number>.svg`."""
    routes = APIRouter()

    def find(number: int) -> _Found | None:
        now = runtime.clock.now()
        with runtime.store.read_metrics() as conn:
            episode = anomalies.get(conn, number)
            known = series.get(conn, episode.series_id) if episode is not None else None
            if episode is None or known is None:
                return None
            row = next(detectors.get_many(conn, [known.id]), None)
            step = row.step if row is not None else step_for(60.0)
            until = min(finished(now, step), (episode.end or now) + micros(AFTER))
            begin = episode.start - micros(BEFORE)
            means = read(conn, [known], begin - micros(LEARNED), until, step).get(known.id, [])
            spans = [
                (one.start, one.end or now)
                for one in anomalies.of_series(conn, known.id, begin, until)
                if one.kind != "silent"
            ]
        return _Found(anomalies_of([episode], {known.id: known})[0], spans, means, step, begin)

    @routes.get("/pictures/anomaly/{number}.svg", response_class=Svg, responses=NOT_FOUND)
    async def anomaly_picture(number: int) -> Response:
        found = await runtime.store.run(find, number)
        if found is None:
            raise HTTPException(404, f"there is no anomaly AN-{number}")
        drawn = await runtime.store.run(_drawn, found)
        return Svg(drawn, headers={"Cache-Control": "no-cache"})

    return routes


def _drawn(found: _Found) -> str:
    seen = [(mean.at, mean.value) for mean in found.means if mean.at >= found.begin]
    title = f"{found.anomaly.episode.name} {found.anomaly.service}: {found.anomaly.series}"
    return forecast_svg(title, seen, _expected(found), unit_of(found.anomaly.metric), found.spans)


def _expected(found: _Found) -> Forecast | None:
    """What a detector that has seen these days expected of each step, before it saw it."""
    # Loads numpy, which nothing else in this process needs.
    import numpy as np

    from forewatch.detection.anomaly import Detector

    values = {mean.at: mean.value for mean in found.means if math.isfinite(mean.value)}
    if not values:
        return None
    detector = Detector(found.step, warmup=len(values))
    scores = detector.update_many(np.array(list(values), np.int64), np.array(list(values.values())))
    known = {
        at: (float(scores.expected[index]), float(scores.lower[index]), float(scores.upper[index]))
        for index, at in enumerate(values)
        if at >= found.begin and np.isfinite(scores.lower[index]) and np.isfinite(scores.upper[index])
    }
    if not known:
        return None
    first, last, width = min(known), max(known), micros(found.step)
    even: list[tuple[float, float, float]] = []
    for at in range(first, last + 1, width):
        # Where nothing was measured nothing was expected either: the band goes on as it was.
        even.append(known.get(at, even[-1] if even else known[first]))
    mean, lower, upper = zip(*even, strict=True)
    return Forecast(first, found.step, mean, lower, upper, "detector")
