"""What is stored of a series, and what it cannot tell: points, and roll-ups where points are gone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select

from forewatch.clock import iso, micros, seconds
from forewatch.config.models import Rule
from forewatch.detection.counters import to_rates
from forewatch.detection.grid import Vector
from forewatch.detection.statistics import Sample
from forewatch.store import alerts, incidents, points, rollups
from forewatch.store.points import RESOLUTIONS
from forewatch.store.schema import points as point_rows
from forewatch.store.schema import rollups as rollup_rows
from forewatch.store.series import Series
from forewatch.trials.backtest.anomaly_replay import WARM_UP
from forewatch.trials.backtest.verdict import Known
from forewatch.units import format_duration

_FINE, _COARSE = RESOLUTIONS
_OF_BUCKETS = {"mean": "mean", "max": "max", "min": "min", "last": "last"}
"""Statistics that can be told from buckets, and what of a bucket stands for it."""
_STEPS = (60.0, 300.0, 600.0, 900.0, 1800.0, 3600.0)
_SLACK = micros(3600.0)


@dataclass(frozen=True)
class Stored:
    """A series as a rule sees it."""

    samples: list[Sample]
    coarse: frozenset[int]
    """Widths in seconds of the roll-ups among them."""
    fine_from: int | None
    """Since when there are points; None where there are none."""
    older: str = ""
    """Why what is older than the points cannot be judged, where something is."""


@dataclass(frozen=True)
class Even:
    """A series as the detector sees it: means over even steps."""

    at: NDArray[np.int64]
    values: Vector
    step: float
    from_points: bool


def for_rule(conn: Connection, rule: Rule, one: Series, since: int, until: int) -> Stored:
    """Points, after roll-ups where those reach further back and can stand for them. A bucket is known when it ends."""
    begin = since - micros(rule.window)
    fine = points.between(conn, one.id, begin, until)
    samples = list(fine)
    used: list[int] = []
    for width in RESOLUTIONS:
        first = samples[0][0] if samples else until
        buckets = rollups.between(conn, one.id, width, begin, first - micros(width))
        if not buckets:
            continue
        if why := _cannot_stand(rule, width):
            return Stored(samples, frozenset(used), fine[0][0] if fine else None, why)
        name = _OF_BUCKETS[rule.statistic]
        samples = [(bucket.at + micros(width), getattr(bucket, name)) for bucket in buckets] + samples
        used.append(width)
    return Stored(samples, frozenset(used), fine[0][0] if fine else None)


def _cannot_stand(rule: Rule, width: int) -> str:
    shown = format_duration(width)
    if rule.per is not None or rule.statistic not in _OF_BUCKETS:
        return f"{rule.statistic} cannot be judged from roll-ups of {shown}"
    if rule.window < width:
        return f"a window of {format_duration(rule.window)} cannot be judged from roll-ups of {shown}"
    return ""


def per_of(
    conn: Connection, rule: Rule, others: Collection[Series], one: Series, since: int, until: int
) -> list[Sample]:
    """The points a ratio divides by: those of the series with the same labels."""
    other = next((each for each in others if each.labels == one.labels), None)
    return points.between(conn, other.id, since - micros(rule.window), until) if other is not None else []


def for_detector(conn: Connection, one: Series, since: int, until: int) -> Even:
    """Even means from before `since`, so that what is usual is known by then, at the finest step that reaches there.

    Of counters it is the growth per second.
    """
    begin = since - micros(WARM_UP + 86_400.0)
    firsts = [(0, _first(conn, one, None, begin)), *((width, _first(conn, one, width, begin)) for width in RESOLUTIONS)]
    known = [(width, first) for width, first in firsts if first is not None]
    if not known:
        return Even(np.zeros(0, np.int64), np.zeros(0), _STEPS[0], True)
    wanted = max(since, min(first for _, first in known)) + _SLACK
    width, _ = next(pair for pair in known if pair[1] <= wanted)
    spacing = _spacing(points.newest(conn, one.id, 200)) if not width else 0.0
    step = next((step for step in _STEPS if step >= max(spacing * 0.99, float(width), _STEPS[0])), _STEPS[-1])
    samples = points.read(conn, one.id, begin, until, step)
    if one.counts:
        samples = to_rates(samples)
    at = np.array([moment for moment, _ in samples], np.int64)
    return Even(at, np.array([value for _, value in samples]), step, not width)


def _first(conn: Connection, one: Series, width: int | None, since: int) -> int | None:
    table = point_rows if width is None else rollup_rows
    query = select(func.min(table.c.at)).where(table.c.series_id == one.id, table.c.at >= since)
    if width is not None:
        query = query.where(rollup_rows.c.resolution == width)
    found: int | None = conn.execute(query).scalar_one()
    return found


def _spacing(newest: list[Sample]) -> float:
    at = sorted(moment for moment, _ in newest)
    return seconds(int(np.median(np.diff(at)))) if len(at) > 1 else 0.0


def known_incidents(
    conn: Connection, services: Collection[str], alertname: str | None, since: int, until: int
) -> list[Known]:
    """The incidents of services that overlap a time, oldest first."""
    found = []
    for incident in incidents.between(conn, since, until):
        members = alerts.of_incident(conn, incident.id)
        of = frozenset({incident.service, *(alert.service for alert in members)})
        if of.isdisjoint(services):
            continue
        own = bool(members) and all(alert.labels.get("alertname") == alertname for alert in members)
        found.append(Known(incident.id, incident.title, of, incident.opened_at, incident.resolved_at, own))
    return found


def honest(metric: str, stored: Stored, since: int) -> list[str]:
    """What the history of a series cannot tell, a sentence each."""
    said = []
    oldest = stored.samples[0][0]
    if stored.older:
        said.append(f"{metric}: judged from {iso(oldest)[:16]}Z on; older is no data: {stored.older}")
    elif oldest > since + _SLACK:
        said.append(f"{metric}: stored from {iso(oldest)[:16]}Z on; no data before that, which is not zero alerts")
    if stored.coarse:
        widths = " and ".join(format_duration(width) for width in sorted(stored.coarse))
        points_from = "" if stored.fine_from is None else f" before {iso(stored.fine_from)[:16]}Z"
        said.append(
            f"{metric}: judged on roll-ups of {widths}{points_from}: what lasted less may be missed, "
            "and alerts may be as much early or late"
        )
    return said
