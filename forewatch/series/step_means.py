"""What anomalies are looked for in: means over even steps, of counters the growth per second."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from forewatch.clock import micros
from forewatch.detection.counters import to_rates
from forewatch.store import points
from forewatch.store.points import Mean
from forewatch.store.series import Series

GRACE = 10.0
"""Seconds after its end that a step is waited for: what is measured is stored in batches."""

_STEPS = (60.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 10_800.0, 21_600.0, 43_200.0, 86_400.0)


def step_for(spacing: float) -> float:
    """How long a step must be so that every one has a point: a minute, or the points' own spacing."""
    return next((step for step in _STEPS if step >= spacing * 0.99), _STEPS[-1])


def finished(now: int, step: float) -> int:
    """The end of the last step that nothing is expected to be added to."""
    end = now - micros(GRACE)
    return end - end % micros(step)


def read(conn: Connection, many: Sequence[Series], start: int, end: int, step: float) -> dict[int, list[Mean]]:
    """The steps of some series with `start <= at < end`, oldest first; those without points are left out."""
    counters = [one.id for one in many if one.counts]
    known = set(counters)
    found = points.means(conn, [one.id for one in many if one.id not in known], start, end, step)
    # The growth of the first step is counted from the last point before it.
    for number, samples in points.window(conn, counters, start - micros(3 * step), end - 1).items():
        steps: dict[int, list[tuple[int, float]]] = {}
        for at, rate in to_rates(samples):
            if at >= start:
                steps.setdefault(at - at % micros(step), []).append((at, rate))
        found[number] = [
            Mean(at, sum(rate for _, rate in rates) / len(rates), len(rates), rates[-1][0])
            for at, rates in steps.items()
        ]
    return found
