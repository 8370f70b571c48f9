"""What the store measured of services, as matrices for the ranking of causes: see `measured`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from sqlalchemy import Connection

from forewatch.clock import micros
from forewatch.incidents.causes.telemetry import Floats, Telemetry
from forewatch.store import buckets, series

CHECK_UP, CHECK_DURATION = "check.up", "check.duration"
DURATION = "http.server.request.duration"
COUNT, FAILED = "http.server.request.count", "http.server.request.failed"


def measured(conn: Connection, services: Sequence[str], start: int, end: int, width: float) -> Telemetry:
    """Per service and bucket of `width` seconds what was measured in `start <= t < end` (microseconds).

    A service that reports its requests itself is taken at its word: `http.server.request.duration` (mean seconds),
    `http.server.request.count` and `http.server.request.failed` (requests since the sample before). Of others it is
    the share of checks that passed and how long these took; then nothing counts their requests.
    """
    step = micros(width)
    first = start - start % step
    shape = (len(services), max(0, -(-(end - first) // step)))
    totals, counts = {}, {}
    for metric in (CHECK_UP, CHECK_DURATION, DURATION, COUNT, FAILED):
        totals[metric], counts[metric] = _summed(conn, metric, services, shape, (first, end), width)
    requests = np.where(counts[COUNT] > 0, totals[COUNT], np.nan)
    reported = _mean(totals[DURATION], counts[DURATION])
    failed = _mean(totals[FAILED], requests)
    return Telemetry(
        tuple(services),
        first + step * np.arange(shape[1], dtype=np.int64),
        width,
        requests,
        _preferred(reported, _mean(totals[CHECK_DURATION], counts[CHECK_DURATION])),
        _preferred(np.where(counts[FAILED] > 0, 1.0 - failed, np.nan), _mean(totals[CHECK_UP], counts[CHECK_UP])),
    )


def _summed(
    conn: Connection,
    metric: str,
    services: Sequence[str],
    shape: tuple[int, int],
    span: tuple[int, int],
    width: float,
) -> tuple[Floats, Floats]:
    """Sums and counts of a metric's series, those of one service together."""
    sums, counts = np.zeros(shape), np.zeros(shape)
    row_of = _rows(conn, metric, services)
    for one in buckets.sums(conn, list(row_of), *span, width):
        row, column = row_of[one.series_id], (one.at - span[0]) // micros(width)
        sums[row, column] += one.sum
        counts[row, column] += one.count
    return sums, counts


def _rows(conn: Connection, metric: str, services: Iterable[str]) -> Mapping[int, int]:
    place = {name: number for number, name in enumerate(services)}
    return {one.id: place[one.service] for one in series.find(conn, metric) if one.service in place}


def _mean(sums: Floats, counts: Floats) -> Floats:
    """NaN where nothing was counted."""
    some = counts > 0
    return np.asarray(np.where(some, sums / np.where(some, counts, 1.0), np.nan))


def _preferred(first: Floats, second: Floats) -> Floats:
    """For each service the first where it has any of it: its two measures are not to be mixed."""
    return np.where(np.isfinite(first).any(axis=1, keepdims=True), first, second)
