"""What the page of the flow `forecast` is made of, read from the store."""

from __future__ import annotations

from collections.abc import Sequence

from forewatch.clock import micros
from forewatch.detection.counters import to_rates
from forewatch.detection.quantity import unit_of
from forewatch.detection.trend import LONGEST, trend
from forewatch.reports.forecasts import SeriesForecast, series_forecasts
from forewatch.store import changes, points, series
from forewatch.store.engine import Store

TRENDS = 20
"""Series whose past weeks are looked at: those that the next weeks move most."""

_HOUR = 3600.0
_DAY = 86400.0


def gathered(store: Store, now: int) -> list[SeriesForecast]:
    """Every series with what is forecast of it."""
    with store.read_metrics() as conn:
        return series_forecasts(conn, series.all_series(conn), now)


def trends(store: Store, every: Sequence[SeriesForecast], now: int) -> list[str]:
    """How the series that are about to move most have moved so far, a sentence each."""
    moving = sorted((one for one in every if _moves(one) > 0), key=_moves, reverse=True)[:TRENDS]
    since = now - micros(LONGEST * _DAY)
    with store.read() as conn:
        known = changes.between(conn, since, now)
    with store.read_metrics() as conn:
        read = points.read_many(conn, [one.series.id for one in moving], since, now, _HOUR)
    said = []
    for one in moving:
        samples = read.get(one.series.id, [])
        found = trend(to_rates(samples) if one.series.counts else samples, now)
        if found is not None:
            of_service = [change for change in known if change.service in (None, one.series.service)]
            said.append(found.sentence(one.name, unit_of(one.series.metric), of_service))
    return said


def _moves(one: SeriesForecast) -> float:
    """How far the next month, or week, leads away from now, in half widths of its band."""
    made = one.made.get("month") or one.made.get("week")
    if made is None:
        return 0.0
    # Whole days, so that their rhythm is not taken for a move.
    day = min(len(made.mean), round(_DAY / made.step))
    first, last = sum(made.mean[:day]) / day, sum(made.mean[-day:]) / day
    half = (made.upper[-1] - made.lower[-1]) / 2
    return abs(last - first) / half if half > 0 else 0.0
