"""What a filling thing grows by, hour for hour: its rhythm, what comes and goes at once, and when the growth changed.

From hourly means. Their increments are taken apart, in this order:

* rhythm: the median increment of each hour of the day. A daily backup or rotation is part of it.
* jumps: increments far from their hour's rhythm and from their neighbours. Those that come again every two to seven
  days go on coming; the others happened once and say nothing of tomorrow, unless they are so many that they belong to
  the growth itself (a log that rotates by size), and then there is no rhythm to be had.
* weekend: two days of the week, wherever they lie, on which it grows otherwise.
* change: the moment of the last eight days from which it grows otherwise.

The last two are chosen together, by least squares over all moments there are, where they are worth it (BIC). A rhythm
that only grows is multiplied by them, another has them added. What is left over, a day at a time, is how uncertain it
all is: `courses` draws futures from it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from forewatch.detection.grid import Vector
from forewatch.detection.jumps import Recurring, jumps, spreads

DAY = 24
AT_LEAST = 2 * DAY
"""Hours needed."""

_WEEK, _WEEKEND = 168, 48
_WEEKENDS_FROM = 10 * DAY
_CHANGES_LOOKED_AT = 8 * DAY
_SHORTEST_CHANGE = 3
_TERM = 4.0
"""Times log(n) in BIC for each term: besides its size it has a place, chosen among hundreds."""
_DOUBT = 1.8
"""The error of the growth is taken this much larger than the residuals say: the model was chosen by the same data."""

Hours = NDArray[np.int64]


@dataclass(frozen=True)
class Growth:
    """What is expected from the last hour on, in the unit of the values."""

    usual: Vector
    """Increments of the 24 hours of a day, the next hour first."""
    at_weekend: Vector
    weekend: int | None
    """Hours from now to the beginning of one, modulo a week; None where they are as other days."""
    recurring: tuple[Recurring, ...]
    changed: int | None
    """For how many hours it has grown as it does now, where that is not all along."""
    residuals: Vector
    """Days of what is unexplained, shape (days, 24), the next hour first."""
    error: float
    """Standard error of an hour's growth."""

    @property
    def per_day(self) -> float:
        """Of an average day."""
        return float(np.sum(self.expected(_WEEK))) / 7

    @property
    def sure(self) -> bool:
        """Whether it grows at all, as far as 19 of 20 such errors go."""
        return self.per_day > 1.64 * DAY * self.error

    def expected(self, hours: int) -> Vector:
        """The increment of each hour ahead."""
        ahead = np.arange(hours)
        grown = self.usual[ahead % DAY]
        if self.weekend is not None:
            grown = np.where((ahead - self.weekend) % _WEEK < _WEEKEND, self.at_weekend[ahead % DAY], grown)
        for back, period, size in self.recurring:
            grown[(period - back) % period :: period] += size
        return grown

    def courses(self, hours: int, count: int) -> Vector:
        """`count` equally likely futures, shape (count, hours), as growth from now; the same ones each time."""
        random = np.random.default_rng(0)
        days = -(-hours // DAY)
        drawn = self.residuals[random.integers(len(self.residuals), size=(count, days))].reshape(count, days * DAY)
        doubt = _DOUBT * self.error * random.standard_normal((count, 1))
        return np.asarray(np.cumsum(self.expected(hours) + drawn[:, :hours] + doubt, axis=1))


class _Terms(NamedTuple):
    weekend: int | None
    change: int | None
    """Index of the first increment after it."""


class _Shape(NamedTuple):
    """Increments are `offset + scale * level`, the level being what weekend and change move."""

    offset: Vector
    scale: Vector
    adds: bool
    """A rhythm that also falls: levels are added to it. Else they multiply it, and `offset` is nothing."""


class _Levels(NamedTuple):
    before: float
    """The change."""
    now: float
    added: float
    """At weekends, where levels add."""
    share: float
    """Of a weekend, where they multiply."""

    def of(self, count: int, terms: _Terms) -> Vector:
        weekend, changed = _masks(count, terms)
        level = np.where(changed, self.now, self.before)
        return np.asarray(np.where(weekend, level * self.share + self.added, level))


def growth(values: Vector) -> Growth | None:
    """Of hourly values, oldest first; None below two days, or where they never changed."""
    increments = np.diff(values)
    if len(increments) < AT_LEAST or not np.any(increments):
        return None
    count = len(increments)
    hour = (np.arange(count) - count) % DAY
    rhythm = _by_hour(increments, hour)
    found = jumps(increments, rhythm, hour)
    calm = increments - found.sizes
    # What falls at odd hours is part of the growth, and must not be forgotten by a median.
    rhythm = np.full(DAY, np.mean(calm)) if found.many else rhythm
    weight = 1 / spreads(calm, hour)[hour]

    shape = _shape(rhythm)
    terms = _terms(calm, shape, hour, weight, found.many)
    levels = _levels(calm, shape, hour, weight, terms)
    if not found.many:
        # The rhythm once more, as a mean, from increments on which weekend and change no longer show.
        shape = _shape(_again(calm, shape, hour, levels.of(count, terms)))
        levels = _levels(calm, shape, hour, weight, terms)
    left = calm - shape.offset[hour] - shape.scale[hour] * levels.of(count, terms)
    return _grown(left, shape, terms, levels, found.recurring)


def usual_moves(values: Vector) -> Vector:
    """What each hourly value differs from the one before by, as a rule: the median of its hour of the day.

    Of an even number of days the smaller of the two in the middle: half of what happened once is no rule.
    """
    increments = np.diff(values)
    hour = (np.arange(len(increments)) - len(increments)) % DAY
    return np.asarray(np.array([_smaller_median(increments[hour == h]) for h in range(DAY)])[hour])


def _smaller_median(values: Vector) -> float:
    if not len(values):
        return 0.0
    ordered = np.sort(values)
    middle = ordered[[(len(ordered) - 1) // 2, len(ordered) // 2]]
    return float(middle[np.argmin(np.abs(middle))])


def _by_hour(increments: Vector, hour: Hours) -> Vector:
    return np.array([np.median(increments[hour == h]) for h in range(DAY)])


def _shape(rhythm: Vector) -> _Shape:
    mean = float(np.mean(rhythm))
    if mean > 0 and np.min(rhythm) >= 0:
        return _Shape(np.zeros(DAY), rhythm, adds=False)
    # As many units a row as the growth has, so that the levels are near 1 either way.
    unit = abs(mean) or float(np.max(np.abs(rhythm))) or 1.0
    return _Shape(rhythm - mean, np.full(DAY, unit), adds=True)


def _again(calm: Vector, shape: _Shape, hour: Hours, level: Vector) -> Vector:
    left = calm - shape.offset[hour] - shape.scale[hour] * level
    fence = 5 * spreads(left, hour)
    rhythm = np.empty(DAY)
    for h in range(DAY):
        at = hour == h
        part = np.clip(left[at], -fence[h], fence[h])
        weight = np.ones(np.count_nonzero(at)) if shape.adds else level[at]
        rhythm[h] = float(np.sum(part * weight) / max(np.sum(weight * weight), 1e-12))
    return np.asarray(rhythm + (shape.offset + shape.scale * np.mean(level) if shape.adds else shape.scale))


def _terms(calm: Vector, shape: _Shape, hour: Hours, weight: Vector, many: bool) -> _Terms:
    """Weekend and change, both, one or none, as BIC has it."""
    count = len(calm)
    base = (shape.scale[hour] * weight)[None, :]
    wanted = (calm - shape.offset[hour]) * weight
    # Where it falls at odd hours, a change is told from a late fall only after days.
    last = count - (3 * DAY if many else _SHORTEST_CHANGE) + 1
    changes = np.arange(max(_SHORTEST_CHANGE, count - _CHANGES_LOOKED_AT), max(_SHORTEST_CHANGE, last))
    steps = base * (np.arange(count) >= changes[:, None])
    starts = np.arange(_WEEK if count >= _WEEKENDS_FROM and not many else 0)
    weekends = base * (((np.arange(count) - count - starts[:, None]) % _WEEK) < _WEEKEND)

    tried: list[tuple[list[Vector], int | None, int | None]] = [([], None, None)]
    if len(changes):
        step = _best(base, steps, wanted)
        tried.append(([steps[step]], None, step))
    if len(starts):
        weekend = _best(base, weekends, wanted)
        tried.append(([weekends[weekend]], weekend, None))
        if len(changes):
            after = _best(np.vstack([base, weekends[weekend]]), steps, wanted)
            tried.append(([weekends[weekend], steps[after]], weekend, after))
            after = _best(np.vstack([base, steps[step]]), weekends, wanted)
            tried.append(([weekends[after], steps[step]], after, step))

    def cost(rows: list[Vector]) -> float:
        left = _left(np.vstack([base, *rows]), wanted)
        return count * math.log(max(float(left @ left), 1e-300)) + len(rows) * _TERM * math.log(count)

    _, chosen_weekend, chosen = min(tried, key=lambda one: cost(one[0]))
    return _Terms(chosen_weekend, None if chosen is None else int(changes[chosen]))


def _left(rows: Vector, wanted: Vector) -> Vector:
    """What the rows do not explain."""
    basis = np.linalg.qr(rows.T)[0]
    return np.asarray(wanted - basis @ (basis.T @ wanted))


def _best(rows: Vector, candidates: Vector, wanted: Vector) -> int:
    """The candidate that explains most beside the rows."""
    basis = np.linalg.qr(rows.T)[0]
    left = wanted - basis @ (basis.T @ wanted)
    fresh = candidates - (candidates @ basis) @ basis.T
    size, own = np.sum(fresh**2, axis=1), np.sum(candidates**2, axis=1)
    gain = np.where(size > 1e-3 * own, (fresh @ left) ** 2 / np.maximum(size, 1e-300), 0.0)
    return int(np.argmax(gain))


def _levels(calm: Vector, shape: _Shape, hour: Hours, weight: Vector, terms: _Terms) -> _Levels:
    """By weighted least squares. Where levels multiply, a weekend has its share of whatever the growth is."""
    weekend, changed = _masks(len(calm), terms)
    scale, wanted = shape.scale[hour] * weight, (calm - shape.offset[hour]) * weight
    if shape.adds:
        columns = np.vstack([np.ones(len(calm)), weekend, changed]) * scale
        before, added, more = (float(part) for part in np.linalg.lstsq(columns.T, wanted, rcond=None)[0])
        return _Levels(before, before + more, added, 1.0)
    share, before, now = 1.0, 1.0, 1.0
    for _ in range(4 if terms.weekend is not None else 1):
        part = scale * np.where(weekend, share, 1.0)
        before = _fitted(part[~changed], wanted[~changed])
        now = _fitted(part[changed], wanted[changed]) if terms.change is not None else before
        part = scale * np.where(changed, now, before)
        share = max(0.0, _fitted(part[weekend], wanted[weekend])) if np.any(weekend) else 1.0
    return _Levels(before, now, 0.0, share)


def _fitted(part: Vector, wanted: Vector) -> float:
    return float(part @ wanted) / max(float(part @ part), 1e-300)


def _masks(count: int, terms: _Terms) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which increments are of a weekend, and which come after the change."""
    places = np.arange(count)
    none = np.zeros(count, dtype=np.bool_)
    weekend = none if terms.weekend is None else (places - count - terms.weekend) % _WEEK < _WEEKEND
    return weekend, none if terms.change is None else places >= terms.change


def _grown(left: Vector, shape: _Shape, terms: _Terms, levels: _Levels, recurring: tuple[Recurring, ...]) -> Growth:
    count, since = len(left), terms.change or 0
    if since and not shape.adds and levels.before > 0:
        # What grows faster also varies more.
        left = np.concatenate([left[:since] * min(max(levels.now / levels.before, 0.2), 5.0), left[since:]])
    kept = left[since:] if count - since >= 2 * DAY else left
    days = kept[len(kept) % DAY :].reshape(-1, DAY)
    days = days - np.mean(days)
    # Hours that follow one another are alike, so days are what is counted.
    error = float(np.std(np.sum(days, axis=1))) / DAY / math.sqrt((count - since) / DAY)
    return Growth(
        shape.offset + shape.scale * levels.now,
        shape.offset + shape.scale * (levels.now * levels.share + levels.added),
        terms.weekend,
        recurring,
        count - since if since else None,
        days,
        error,
    )
