"""Where a series is heading over weeks, since when, and which change that began with.

What is looked at are the medians of days, since the values of one day lean on each other and follow its rhythm; the
weekdays' own level is taken off once three weeks are there. Five courses are held against each other, each with every
day it could begin on: level; a line all along; a line that begins; a step; a step and a line. The penalty is that of
BIC, with as many days as there are independent ones (autocorrelation), and a place costs as much as two sizes. A line
must also pass Mann and Kendall's test. Where nothing of that holds, nothing is said.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np

from forewatch.clock import micros, seconds, to_datetime
from forewatch.detection.grid import LARGEST, Vector
from forewatch.detection.quantity import Unit, show
from forewatch.detection.slopes import theil_sen
from forewatch.detection.statistics import Sample, Samples, clean
from forewatch.incidents.events import ChangeReported

Kind = Literal["line", "step"]

AT_LEAST = 10
"""Days needed."""
LONGEST = 56
"""Days looked at: eight weeks."""

_DAY = 86400.0
_AFTER = 5
"""Days a course must have lasted to be told."""
_WEEKDAYS_FROM = 21
_PENALTY = 2.0
"""Times log(n) for each size; a place costs two."""
_Z = 2.81
"""Of Mann and Kendall: one in two hundred by chance."""
_LEAST = 0.01
"""A share a week, or of a step, below which nothing is said, however sure."""


@dataclass(frozen=True)
class Trend:
    """A line or a step that goes on until now."""

    kind: Kind
    since: int | None
    """The day it began, microseconds UTC; None: it goes back to the beginning of what was looked at."""
    days: int
    """How many there are since."""
    change: float
    """A share: a week's change of a line, the whole one of a step. Of the level before."""
    before: float
    """The level it began at."""
    now: float
    """The level it is at."""

    def sentence(self, what: str, unit: Unit, changes: Iterable[ChangeReported] = ()) -> str:
        """`p95 has risen 12 % a week since the deploy of 3 Nov`; `changes` are those of its service."""
        since = self._since(changes)
        levels = f"{show(self.before, unit)} to {show(self.now, unit)}"
        share = f"{abs(self.change) * 100:.0f} %" if abs(self.change) < 10 else f"{abs(self.change):.0f}-fold"
        if self.kind == "line":
            moved = "risen" if self.change > 0 else "fallen"
            return f"{what} has {moved} {share} a week {since} ({levels})"
        return f"{what} is {share} {'higher' if self.change > 0 else 'lower'} {since} ({levels})"

    def _since(self, changes: Iterable[ChangeReported]) -> str:
        if self.since is None:
            return f"over the last {self.days} days"
        begun = self.since
        near = [one for one in changes if -1.5 * _DAY <= seconds(one.at - begun) < _DAY]
        if not near:
            return f"since {_day(begun)}"
        mark = min(near, key=lambda one: abs(one.at - begun))
        noun = "deploy" if "deploy" in mark.summary.lower() else "change"
        return f"since the {noun} of {_day(mark.at)} ({mark.summary})"


def trend(samples: Samples, now: int) -> Trend | None:
    """What the last eight weeks of a series come to; None where it is young, or nothing is more than chance."""
    found = daily(samples, now, np.median)
    if len(found) < AT_LEAST:
        return None
    days = np.array([at // micros(_DAY) for at, _ in found], dtype=float)
    values = np.array([value for _, value in found])
    scale = float(np.max(np.abs(values)))
    if not scale or np.ptp(values) <= 1e-9 * scale:
        return None
    values = _without_weekdays(days, values / scale)
    course = _chosen(days, values)
    if course is None:
        return None
    told = _told(course, days, values)
    if told is None or abs(told.change) < _LEAST:
        return None
    return replace(told, before=told.before * scale, now=told.now * scale)


def daily(samples: Samples, now: int, of: Callable[[list[float]], Any]) -> list[Sample]:
    """What `of` makes of each day (UTC) of the last eight weeks that is over and has data, at its beginning."""
    width = micros(_DAY)
    first = now // width - LONGEST
    by_day: dict[int, list[float]] = {}
    for at, value in clean(samples):
        if first <= at // width < now // width and abs(value) < LARGEST:
            by_day.setdefault(at // width, []).append(value)
    return [(day * width, float(of(found))) for day, found in sorted(by_day.items())]


class _Course(NamedTuple):
    place: int
    """Index of its first day; 0: all along."""
    step: bool
    line: bool


def _without_weekdays(days: Vector, values: Vector) -> Vector:
    """Less each weekday's own level, against the week around it."""
    if len(days) < _WEEKDAYS_FROM:
        return values
    around = np.array([np.median(values[max(0, k - 3) : k + 4]) for k in range(len(values))])
    weekday = days.astype(np.int64) % 7
    own = np.array([np.median((values - around)[weekday == k]) if np.any(weekday == k) else 0.0 for k in range(7)])
    return np.asarray(values - (own - np.mean(own))[weekday])


def _courses(count: int) -> Iterator[_Course]:
    yield _Course(0, step=False, line=False)
    yield _Course(0, step=False, line=True)
    for place in range(_AFTER, count - _AFTER + 1):
        yield from (_Course(place, step=step, line=line) for step, line in ((True, False), (False, True), (True, True)))


def _chosen(days: Vector, values: Vector) -> _Course | None:
    """The course that is worth its penalty; None for a level."""
    courses = list(_courses(len(days)))
    left = [_left(course, days, values) for course in courses]
    best = min(left, key=lambda one: float(one @ one))
    count = len(days) * _independent(best)
    # What is as exact as arithmetic gets is not infinitely sure.
    floor = 1e-12 * float(values @ values)

    def cost(course: _Course, rest: Vector) -> float:
        sizes = course.step + course.line + (2 if course.place else 0)
        return count * math.log(max(float(rest @ rest), floor)) + sizes * _PENALTY * math.log(len(days))

    chosen = min(zip(courses, left, strict=True), key=lambda one: cost(*one))[0]
    return chosen if chosen.step or chosen.line else None


def _left(course: _Course, days: Vector, values: Vector) -> Vector:
    """What a course does not explain, by least squares."""
    columns = [np.ones(len(days))]
    begun = days >= days[course.place]
    if course.step:
        columns.append(begun.astype(float))
    if course.line:
        columns.append(np.maximum(0.0, days - days[course.place]) / len(days))
    basis = np.linalg.qr(np.array(columns).T)[0]
    return np.asarray(values - basis @ (basis.T @ values))


def _independent(left: Vector) -> float:
    """Share of the days that are independent, by the correlation of neighbours."""
    whole = float(left @ left)
    alike = float(left[1:] @ left[:-1]) / whole if whole else 0.0
    # Short series show less of it than there is.
    alike = min(max(alike + (1 + 4 * max(alike, 0.0)) / len(left), 0.0), 0.9)
    return (1 - alike) / (1 + alike)


def _told(course: _Course, days: Vector, values: Vector) -> Trend | None:
    at, after = days[course.place :], values[course.place :]
    before = float(np.median(values[: course.place])) if course.place else 0.0
    since = micros(float(days[course.place]) * _DAY) if course.place else None
    lasted = len(at)
    if course.line:
        slopes = theil_sen(at, after)
        if slopes is None or not _rises_or_falls(after, course, days, values):
            return None
        middle = float(np.median(after - slopes.middle * at))
        begun, ended = middle + slopes.middle * float(at[0]), middle + slopes.middle * float(at[-1])
        level = abs(begun)
        return Trend("line", since, lasted, 7 * slopes.middle / level, begun, ended) if level > 1e-9 else None
    level = float(np.median(after))
    return Trend("step", since, lasted, (level - before) / abs(before), before, level) if abs(before) > 1e-9 else None


def _rises_or_falls(after: Vector, course: _Course, days: Vector, values: Vector) -> bool:
    """Mann and Kendall's test, with fewer days than there are where neighbours are alike."""
    count = len(after)
    signs = float(np.sum(np.sign(after[None, :] - after[:, None])[np.triu_indices(count, 1)]))
    variance = count * (count - 1) * (2 * count + 5) / 18 / _independent(_left(course, days, values))
    return abs(signs) / math.sqrt(variance) > _Z


def _day(at: int) -> str:
    moment = to_datetime(at)
    return f"{moment.day} {moment:%b}"
