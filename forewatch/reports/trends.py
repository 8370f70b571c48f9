"""How a series moved: week by week, and from the days before a deployment to the days after.

What is compared are days: the median of each, since the values of one day lean on each other and follow its rhythm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import pairwise

import numpy as np
from sqlalchemy import Connection

from forewatch.clock import micros
from forewatch.detection.quantity import Unit, show, unit_of
from forewatch.detection.ranks import Vector, holm, possible, shift
from forewatch.detection.trend import trend
from forewatch.incidents.events import ChangeReported
from forewatch.store import points, series
from forewatch.store.series import Series

USUAL = ("benchmark.duration", "benchmark.errors.ratio", "check.duration", "check.up", "http.server.request.duration")
"""Metrics looked at unless others are named: answer times and errors."""
_DAY = 86_400.0
_STEP = 300.0
_FEWEST_DAYS = 4
"""On each side, before a change is called more than chance."""


@dataclass(frozen=True)
class Part:
    """The days of one side of a comparison."""

    at: int
    """Where they begin, microseconds UTC."""
    days: int
    median: float
    p95: float


@dataclass(frozen=True)
class Step:
    """A comparison of days; `change` is a share of what was before (None where that was zero)."""

    at: int
    what: str
    before: Part
    after: Part
    change: float | None
    p: float | None
    """None where there are too few days to say; once adjusted, all comparisons of a table are paid for."""


@dataclass(frozen=True)
class Line:
    """One line of a table: the median and p95 of a week, or the medians before and after a deployment."""

    at: int
    what: str
    left: str
    right: str
    change: str
    chance: str


@dataclass(frozen=True)
class Trend:
    """A series, week by week (oldest first) and at each deployment of its service."""

    metric: str
    name: str
    weeks: tuple[Part, ...]
    by_week: tuple[Step, ...]
    by_deployment: tuple[Step, ...]
    heading: str | None = None
    """Where it goes and since when, as a sentence; None where that is nowhere."""

    def shown_weeks(self) -> list[Line]:
        unit, steps = unit_of(self.metric), {one.at: one for one in self.by_week}
        return [
            Line(week.at, "", show(week.median, unit), show(week.p95, unit), *_told(steps.get(week.at), unit))
            for week in self.weeks
        ]

    def shown_steps(self) -> list[Line]:
        unit = unit_of(self.metric)
        return [
            Line(one.at, one.what, show(one.before.median, unit), show(one.after.median, unit), *_told(one, unit))
            for one in self.by_deployment
        ]


def chosen(conn: Connection, service: str | None, metric: str | None) -> list[Series]:
    """The series of a service and a metric, by name; of benchmarks the median and the p95 unless a metric is named."""
    found = []
    for one in series.all_series(conn):
        named = fnmatchcase(one.metric, metric) if metric is not None else one.metric in USUAL
        usual = metric is not None or one.labels.get("quantile", "p95") in ("p50", "p95")
        if named and usual and service in (None, one.service):
            found.append(one)
    return sorted(found, key=_name)


def trend_of(conn: Connection, one: Series, markers: Sequence[ChangeReported], now: int, weeks: int) -> Trend:
    """The trend of a series over some weeks that end now, from means of five minutes."""
    week, day = micros(7 * _DAY), micros(_DAY)
    start = now - weeks * week
    samples = points.read(conn, one.id, start, now, _STEP)
    at = np.array([moment for moment, _ in samples], dtype=np.int64)
    values = np.array([value for _, value in samples], dtype=float)
    days = _Days(at, values)
    parts = [part for k in range(weeks) if (part := days.part([start + k * week + d * day for d in range(7)]))]
    by_week = []
    for before, after in pairwise(parts):
        if after.at - before.at <= week + day:
            old, new = ([part.at + d * day for d in range(7)] for part in (before, after))
            by_week.append(days.step(after.at, "", old, new))
    own = sorted(
        {mark.at: mark for mark in markers if mark.service == one.service and mark.at > start}.values(),
        key=lambda mark: mark.at,
    )
    steps = []
    for number, mark in enumerate(own):
        earlier = own[number - 1].at if number else start
        later = own[number + 1].at if number + 1 < len(own) else now
        steps.append(_around(days, mark, earlier, later))
    return Trend(
        one.metric,
        _name(one),
        tuple(parts),
        tuple(step for step in by_week if step is not None),
        tuple(step for step in steps if step is not None),
        course.sentence(_name(one), unit_of(one.metric), own) if (course := trend(samples, now)) is not None else None,
    )


def adjusted(trends: Sequence[Trend]) -> list[Trend]:
    """The same with every `p` raised for how many comparisons there are, of weeks and of deployments each."""
    weeks = iter(holm([step.p for one in trends for step in one.by_week]))
    steps = iter(holm([step.p for one in trends for step in one.by_deployment]))
    return [
        replace(
            one,
            by_week=tuple(replace(step, p=next(weeks)) for step in one.by_week),
            by_deployment=tuple(replace(step, p=next(steps)) for step in one.by_deployment),
        )
        for one in trends
    ]


class _Days:
    """The values of a series, asked for by day; `at` sorted."""

    def __init__(self, at: np.ndarray[tuple[int], np.dtype[np.int64]], values: Vector) -> None:
        self._at, self._values = at, values

    def part(self, starts: Sequence[int]) -> Part | None:
        """What these days were like together; None where nothing was measured."""
        found = [values for start in starts if len(values := self._of(start))]
        if not found:
            return None
        together = np.concatenate(found)
        return Part(starts[0], len(found), float(np.median(together)), float(np.quantile(together, 0.95)))

    def step(self, at: int, what: str, before: Sequence[int], after: Sequence[int]) -> Step | None:
        """From some days to others, by the medians of each."""
        old, new = self.part(before), self.part(after)
        if old is None or new is None:
            return None
        medians, later = self._medians(before), self._medians(after)
        change = new.median / old.median - 1 if old.median else None
        enough = min(len(medians), len(later)) >= _FEWEST_DAYS and possible(len(medians), len(later))
        return Step(at, what, old, new, change, shift(medians, later).p if enough else None)

    def _medians(self, starts: Sequence[int]) -> Vector:
        return np.array([float(np.median(values)) for start in starts if len(values := self._of(start))])

    def _of(self, start: int) -> Vector:
        first, last = np.searchsorted(self._at, [start, start + micros(_DAY)])
        return self._values[first:last]


def _around(days: _Days, mark: ChangeReported, earlier: int, later: int) -> Step | None:
    """The week after a change against the same weekdays before it, as far as no other change comes between."""
    day = micros(_DAY)
    after = [mark.at + k * day for k in range(7) if mark.at + (k + 1) * day <= later]
    if not after:
        return None
    # Two weeks before where that is not too much to compare: the fewer days after, the more it helps.
    back = (7, 14) if len(after) < 7 else (7,)
    before = [start for k in back for one in after if (start := one - k * day) >= earlier]
    return days.step(mark.at, mark.summary, sorted(before), after) if before else None


def _told(step: Step | None, unit: Unit) -> tuple[str, str]:
    if step is None:
        return "", ""
    if unit == "ratio":
        change = f"{(step.after.median - step.before.median) * 100:+.2g} points"
    else:
        change = "from nothing" if step.change is None else f"{step.change:+.1%}"
    if step.p is None:
        return change, f"needs {_FEWEST_DAYS} days on each side, has {min(step.before.days, step.after.days)}"
    return change, f"{step.p:.2g}"


def _name(one: Series) -> str:
    labels = ", ".join(f"{name}={value}" for name, value in sorted(one.labels.items()))
    return f"{one.metric} {{{labels}}}"
