"""The labelled series as tasks of forecasting: histories, and the day that came after each."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forewatch.clock import from_datetime
from forewatch.detection.forecast import prepare
from forewatch.detection.grid import Grid
from forewatch.detection.statistics import Sample

DAY = 86400.0
ORIGINS = 4
_FIRST = 0.4
"""Of a series is history at least; so are four days."""


@dataclass(frozen=True)
class Task:
    """A day to be forecast."""

    series: str
    origin: int
    history: Grid
    """What a forecast is made from: the newest 28 days at the step that the product chooses."""
    came: NDArray[np.float64]
    """The day after the origin, step by step; NaN where nothing was measured."""
    scale: float
    """The mean error within the history of saying that a day is as the day before: MASE divides by it."""


def tasks(folder: Path, origins: int = ORIGINS) -> Iterator[Task]:
    """Up to so many a series, evenly spread; none of one too short, or without any change from day to day."""
    for path in sorted(folder.glob("*/*.csv")):
        rows = _read(path)
        begin, end = rows[0][0], rows[-1][0]
        first = max(begin + 4 * int(DAY * 1e6), begin + int((end - begin) * _FIRST))
        last = end - int(DAY * 1e6)
        if last < first:
            continue
        for moment in np.linspace(first, last, origins).astype(np.int64):
            task = _task(f"{path.parent.name}/{path.stem}", rows, int(moment))
            if task is not None:
                yield task


def _task(name: str, rows: list[Sample], origin: int) -> Task | None:
    past = [row for row in rows if row[0] <= origin]
    history = prepare(past, past[-1][0] + 1, horizon=DAY)
    if not isinstance(history, Grid):
        return None
    width, a_day = int(history.step * 1e6), round(DAY / history.step)
    bucket = np.array([(at - history.end) // width for at, _ in rows])
    ahead = (bucket >= 0) & (bucket < a_day)
    count = np.bincount(bucket[ahead], minlength=a_day)
    total = np.bincount(bucket[ahead], weights=np.array([value for _, value in rows])[ahead], minlength=a_day)
    came = np.divide(total, count, out=np.full(a_day, np.nan), where=count > 0)
    if len(history.values) < 2 * a_day or np.mean(count > 0) < 0.3:
        return None
    scale = float(np.mean(np.abs(history.values[a_day:] - history.values[:-a_day])))
    return Task(name, origin, history, came, scale) if scale > 1e-12 else None


def _read(path: Path) -> list[Sample]:
    with path.open() as file:
        return [
            (from_datetime(datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC)), float(row["value"]))
            for row in csv.DictReader(file)
        ]
