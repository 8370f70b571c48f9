"""Numbers that stand for many: medians and percentiles of trials. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypedDict


class Summary(TypedDict):
    """In the unit of the values it was made of."""

    n: int
    median: float
    p95: float
    min: float
    max: float


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0-1) of them lie, interpolated between neighbours. Raises ValueError for none."""
    if not values:
        raise ValueError("no values: a percentile of nothing is nothing")
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def summary(values: Iterable[float]) -> Summary | None:
    """None where there are no values."""
    kept = list(values)
    if not kept:
        return None
    return {
        "n": len(kept),
        "median": percentile(kept, 0.5),
        "p95": percentile(kept, 0.95),
        "min": min(kept),
        "max": max(kept),
    }


HEAD = f"{'n':>4}{'median':>9}{'p95':>9}{'min':>9}{'max':>9}"


def line(found: Summary | None, digits: int = 2) -> str:
    """One row of a table under `HEAD`."""
    if found is None:
        return f"{0:>4}{'-':>9}{'-':>9}{'-':>9}{'-':>9}"
    values = (found["median"], found["p95"], found["min"], found["max"])
    return f"{found['n']:>4}" + "".join(f"{value:>9.{digits}f}" for value in values)


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Growth per unit of x from the first point to the last. Raises ValueError where they span nothing."""
    if len(points) < 2 or points[-1][0] <= points[0][0]:
        raise ValueError("growth needs two moments")
    return (points[-1][1] - points[0][1]) / (points[-1][0] - points[0][0])
