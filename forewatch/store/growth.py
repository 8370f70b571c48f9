"""How fast `metrics.db` grows, and by which metrics."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from forewatch.clock import micros
from forewatch.store.schema import points, series

BYTES_A_POINT = 27
"""Of the file, measured with a hundred series written a round at a time; roll-ups are few beside."""
_DAY = 86_400.0


@dataclass(frozen=True)
class Growth:
    series: int
    """That have had a value of late."""
    points: int
    """A day, at the pace of the span looked at."""
    by_metric: dict[str, int]
    """Points a day of each metric, the most first."""

    @property
    def bytes(self) -> int:
        """A day, before anything is deleted."""
        return self.points * BYTES_A_POINT


def measured(conn: Connection, now: int, span: float = 3600.0) -> Growth:
    """Of the last `span` seconds; of less where the first value is younger."""
    since = now - micros(span)
    of_each = (
        select(series.c.metric, func.count().label("values"), func.min(points.c.at).label("first"))
        .join(points, points.c.series_id == series.c.id)
        .where(points.c.at > since, points.c.at <= now)
        .group_by(series.c.id, series.c.metric)
    )
    rows = conn.execute(of_each).all()
    if not rows:
        return Growth(0, 0, {})
    seen = max(60.0, (now - min(row.first for row in rows)) / micros(1))
    by_metric: dict[str, int] = {}
    for metric, values, _ in rows:
        by_metric[metric] = by_metric.get(metric, 0) + values
    a_day = {metric: round(count * _DAY / seen) for metric, count in by_metric.items()}
    ordered = dict(sorted(a_day.items(), key=lambda one: (-one[1], one[0])))
    return Growth(len(rows), sum(ordered.values()), ordered)
