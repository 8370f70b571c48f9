"""Telemetry small enough to check by hand: services as constants, in buckets of five minutes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from forewatch.clock import micros
from forewatch.incidents.causes.ranking import Alarm, Kind
from forewatch.incidents.causes.telemetry import Telemetry

WIDTH = 300.0
STEP = micros(WIDTH)
NOON = micros(1_767_268_800)
ALARM_AT = NOON + STEP + STEP // 2
"""In the second bucket of the incident."""

Cells = tuple[float, Sequence[float] | float, Sequence[float] | float]
"""Requests a bucket, seconds a request, share that succeeds; one number stands for all buckets."""


def telemetry(services: Mapping[str, Cells], buckets: int, start: int = NOON) -> Telemetry:
    def rows(column: int) -> np.ndarray:
        values = [np.broadcast_to(np.asarray(cells[column], dtype=float), buckets) for cells in services.values()]
        return np.array(values).reshape(len(services), buckets)

    starts = start + STEP * np.arange(buckets, dtype=np.int64)
    return Telemetry(tuple(services), starts, WIDTH, rows(0), rows(1), rows(2))


def normal(services: Mapping[str, Cells], buckets: int = 24) -> Telemetry:
    """The same for two hours, with a latency that swings by a hundredth."""
    quiet = telemetry(services, buckets, NOON - 10 * buckets * STEP)
    swing = 1 + 0.01 * np.sin(np.arange(buckets))
    return Telemetry(quiet.services, quiet.starts, WIDTH, quiet.requests, quiet.latency * swing, quiet.success)


def alarm(service: str, kind: Kind = "latency", at: int = ALARM_AT) -> Alarm:
    return Alarm(service, kind, at)
