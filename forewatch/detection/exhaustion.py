"""When a filling thing will be full.

Three views, by how much there is to go by:

* days: with two days of history, the growth of each hour (`growth.py`), laid end to end until the limit is reached. The
  interval is that of two hundred futures drawn from what that left unexplained.
* hours: a line through the latest level with the median slope of the last hours (Theil and Sen). It answers where there
  are no two days yet, or where the last hour rose more than any hour before: something new is filling it.
* minutes (`quick_exhaustion`): the same of whatever there is, for a leak that leaves no hours. It looks for teeth
  first: what is collected again and again (garbage) fills nothing unless its low points rise.

One step is no trend in any of them (`level_steps.py`), and no interval is without width: even a line without noise is
known for as long only as it was seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forewatch.clock import micros, seconds
from forewatch.detection.grid import Vector
from forewatch.detection.growth import AT_LEAST, growth, usual_moves
from forewatch.detection.level_steps import without_steps
from forewatch.detection.quick import enough
from forewatch.detection.slopes import Slopes, theil_sen
from forewatch.detection.statistics import Samples, clean

_HOUR, _DAY = 3600.0, 86400.0
# Sums of what is larger run over; no metric is.
_LARGEST = 1e150
_LOOKED_AT = 14 * _DAY
_LONGEST_GAP = _DAY
"""A longer one is not bridged: what came before it is not looked at."""
_AT_LEAST = 1800.0
_RECENT = 3 * _HOUR
_FURTHEST = 90.0
"""Days ahead that are looked at; later is never."""
_FUTURES = 200
_LEAST_DOUBT = 0.05
"""Share of the time left that an interval reaches to either side, at least."""
_FEWEST_MOVES = 5
"""Hours in which it moved otherwise than every day. A step shows in two, and two steps are no trend either."""
_Z_80 = 1.28
_ROUNDING = 1e-9
"""Share of its size below which a movement is none."""
_QUICK_REACH = 60.0
"""Times the span it was seen over that a line is drawn on."""
_LATE_FEWEST = 10
_CLEAR_RISE = 6.0
"""Times the noise about the line that it must have risen."""
_TOOTH = 0.25
"""Share of the range that a fall must have to be one of a tooth."""
_FEWEST_TEETH = 5
"""Low points needed; and they must rise by the height of a tooth: noise has teeth as well."""


@dataclass(frozen=True)
class Exhaustion:
    """The moment a limit is reached, with an 80 % interval. Microseconds UTC."""

    at: int
    lower: int
    """Not before this."""
    upper: int | None
    """Not after this; None where it may as well never happen."""
    method: str
    """days | hours | minutes | full"""

    def left(self, now: int) -> float:
        """Seconds until it is full; 0 where it is."""
        return max(0.0, seconds(self.at - now))

    def span(self, now: int) -> str:
        """What is left as a person says it: `3.2 h, 80 % interval 2.5-4.1 h`."""
        left = self.left(now)
        size, unit = next((size, unit) for least, size, unit in _UNITS if left >= least)
        digits = 1 if unit in ("d", "h") else 0
        said = f"{left / size:.{digits}f} {unit}"
        first = max(0.0, seconds(self.lower - now)) / size
        if self.upper is None:
            return f"{said}, 80 % interval from {first:.{digits}f} {unit} to never"
        return (
            f"{said}, 80 % interval {first:.{digits}f}-{max(0.0, seconds(self.upper - now)) / size:.{digits}f} {unit}"
        )


_UNITS = ((2 * _DAY, _DAY, "d"), (_HOUR, _HOUR, "h"), (120.0, 60.0, "min"), (0.0, 1.0, "s"))
"""From how many seconds on, what is counted, and its sign."""


def exhaustion(samples: Samples, limit: float, now: int, *, falling: bool = False) -> Exhaustion | None:
    """When the series reaches `limit`, from above where `falling`.

    None where it does not move there, is too young, has been silent or lasts for another 90 days.
    """
    seen = _seen(samples, now, falling, _LOOKED_AT)
    if seen is None:
        return None
    limit = -limit if falling else limit
    if seen.level >= limit:
        return Exhaustion(now, now, now, "full")
    hourly = _hourly(seen)
    if len(hourly.values) <= AT_LEAST:
        return _by_hours(seen.since(_RECENT).without_steps(), limit, now)
    found = [_by_days(hourly, limit, now)]
    if _rises_as_never(seen):
        found.append(_by_hours(seen.since(_HOUR).without_steps(), limit, now))
    return min((one for one in found if one is not None), key=lambda one: one.at, default=None)


def quick_exhaustion(samples: Samples, limit: float, now: int, *, falling: bool = False) -> Exhaustion | None:
    """The same from minutes of data: at least 20 samples, or two minutes of at least 5.

    None where it cannot tell: too few samples, no steady growth, teeth whose low points do not rise, or a limit
    sixty times further away than what was seen is long.
    """
    seen = _seen(samples, now, falling, _DAY)
    if seen is None:
        return None
    limit = -limit if falling else limit
    if seen.level >= limit:
        return Exhaustion(now, now, now, "full")
    span = float(seen.at[-1] - seen.at[0])
    if not enough(len(seen.at), span):
        return None
    seen = seen.without_steps()
    lows, height = _low_points(seen)
    # What is collected at the top of each tooth must fit under the limit as well.
    slopes = _steady(seen if lows is None else lows)
    if slopes is None or (limit - seen.level) / slopes.middle > _QUICK_REACH * span:
        return None
    if lows is None:
        return _line(slopes, seen, limit, now, "minutes")
    if len(lows.at) < _FEWEST_TEETH or slopes.middle * span < height:
        return None
    return _line(slopes, _Seen(lows.at, lows.values), limit - height, now, "minutes")


@dataclass(frozen=True)
class _Seen:
    """Samples in order of time, seconds before now (negative), rising towards the limit, in units near 1."""

    at: Vector
    values: Vector

    @property
    def level(self) -> float:
        """The median of the last five samples, or of as many as the last five minutes have."""
        return float(np.median(self._last))

    @property
    def level_at(self) -> float:
        return float(np.median(self.at[-len(self._last) :]))

    @property
    def _last(self) -> Vector:
        recent = int(np.count_nonzero(self.at >= self.at[-1] - 300.0))
        return self.values[-max(1, min(5, recent)) :]

    def since(self, span: float) -> _Seen:
        kept = self.at > self.at[-1] - span
        return _Seen(self.at[kept], self.values[kept])

    def without_steps(self) -> _Seen:
        return _Seen(self.at, without_steps(self.values))


def _seen(samples: Samples, now: int, falling: bool, longest: float) -> _Seen | None:
    """None where there is nothing, or nothing of late: of the last quarter of an hour, or of three usual spacings."""
    earliest = now - micros(longest)
    known = [(at, value) for at, value in clean(samples) if earliest < at <= now and abs(value) < _LARGEST]
    if not known:
        return None
    at = np.array([seconds(moment - now) for moment, _ in known])
    values = np.array([value for _, value in known])
    usual = float(np.median(np.diff(at))) if len(at) > 1 else 0.0
    if -at[-1] > max(3 * usual, 900.0):
        return None
    breaks = np.flatnonzero(np.diff(at) > _LONGEST_GAP)
    if len(breaks):
        at, values = at[breaks[-1] + 1 :], values[breaks[-1] + 1 :]
    return _Seen(at, -values if falling else values)


@dataclass(frozen=True)
class _Hourly:
    values: Vector
    """Of every hour counted back from the newest sample the mean of its last quarter, gaps bridged.

    Means of whole hours would smear what is removed at once over two of them.
    """
    until: float
    """What moment the last one speaks of: the mean of its samples' times, seconds before now (negative)."""


def _hourly(seen: _Seen) -> _Hourly:
    quarter = ((seen.at[-1] - seen.at) // (_HOUR / 4)).astype(np.int64)
    count = np.bincount(quarter)
    known = np.flatnonzero(count)
    means = np.bincount(quarter, seen.values)[known] / count[known]
    values = np.interp(np.arange(0, len(count), 4), known, means)[::-1]
    return _Hourly(values, float(np.mean(seen.at[quarter == 0])))


def _by_days(hourly: _Hourly, limit: float, now: int) -> Exhaustion | None:
    last = float(hourly.values[-1])
    usual = usual_moves(hourly.values)
    values = without_steps(hourly.values, usual, over=2)
    scale = float(np.max(np.abs(values - last)))
    size = float(np.max(np.abs(hourly.values)))
    if scale <= _ROUNDING * size:
        return None
    # In units of its own growth: neither squares of bytes nor of billionths run over.
    model = growth((values - last) / scale)
    moves = int(np.count_nonzero(np.abs(np.diff(values) - usual) > _ROUNDING * size))
    if model is None or not model.sure or 0 < moves < _FEWEST_MOVES:
        return None
    missing = max(0.0, (limit - last) / scale)
    if missing / model.per_day > 2 * _FURTHEST:
        return None
    hours = round(_FURTHEST) * 24
    at = float(_reached(np.cumsum(model.expected(hours))[None, :], missing)[0])
    if not np.isfinite(at):
        return None
    ahead = min(hours, round(3 * at) + 48)
    futures = np.sort(_reached(model.courses(ahead, _FUTURES), missing))
    tenth = _FUTURES // 10
    lower, upper = float(futures[tenth]), float(futures[-tenth - 1])

    def moment(hour: float) -> int:
        return now + micros(hourly.until + hour * _HOUR)

    doubt = _Z_80 / np.sqrt(moves) if 0 < moves < len(values) / 4 else 0.0
    return _between(moment(at), moment(lower), moment(upper) if np.isfinite(upper) else None, now, "days", float(doubt))


def _reached(courses: Vector, missing: float) -> Vector:
    """After how many hours each course, growth from now, has made up what is missing; infinite where it does not."""
    hit = courses >= missing
    hour = np.argmax(hit, axis=1)
    rows = np.arange(len(courses))
    before = np.where(hour > 0, courses[rows, np.maximum(hour - 1, 0)], 0.0)
    within = (missing - before) / np.maximum(courses[rows, hour] - before, 1e-300)
    return np.where(np.any(hit, axis=1), hour + np.clip(within, 0.0, 1.0), np.inf)


def _by_hours(seen: _Seen, limit: float, now: int) -> Exhaustion | None:
    if seen.at[-1] - seen.at[0] < _AT_LEAST:
        return None
    slopes = theil_sen(seen.at, seen.values)
    # A line is only drawn where nine of ten slopes go up: a saw-tooth or noise does not fill a disk.
    return _line(slopes, seen, limit, now, "hours") if slopes is not None and slopes.low > 0 else None


def _line(slopes: Slopes, seen: _Seen, limit: float, now: int, method: str) -> Exhaustion | None:
    missing = max(0.0, limit - seen.level)
    if missing / slopes.middle > _FURTHEST * _DAY:
        return None
    soonest, at, latest = (
        now + micros(min(seen.level_at + missing / slope, 2 * _FURTHEST * _DAY))
        for slope in (slopes.high, slopes.middle, slopes.low)
    )
    return _between(at, soonest, latest if missing / slopes.low <= _FURTHEST * _DAY else None, now, method)


def _between(at: int, lower: int, upper: int | None, now: int, method: str, share: float = _LEAST_DOUBT) -> Exhaustion:
    """Nothing is over before now, and nothing is known to the second. `share` of the time left is in doubt."""
    at = max(now, at)
    doubt = max(micros(max(share, _LEAST_DOUBT) * seconds(at - now)), micros(1.0))
    return Exhaustion(at, max(now, min(lower, at - doubt)), None if upper is None else max(upper, at + doubt), method)


def _rises_as_never(seen: _Seen) -> bool:
    """Whether the last hour rose more than any hour of the days before, the last four hours left aside.

    Longer than that, and the growth of the days has seen it too.
    """
    if np.median(np.diff(seen.at)) > 600.0:
        return False
    step = 300.0
    even = np.arange(max(seen.at[0], seen.at[-1] - 5 * _DAY), seen.at[-1], step)
    values = np.interp(even, seen.at, seen.values)
    hour = round(_HOUR / step)
    rises = values[hour:] - values[:-hour]
    return bool(rises[-1] > 0 and rises[-1] > 1.5 * np.max(rises[: -5 * hour], initial=0.0))


def _low_points(seen: _Seen) -> tuple[_Seen | None, float]:
    """The low points of teeth and how high a tooth stands above them; None where there are no teeth."""
    values = seen.values
    fall = max(_TOOTH * float(np.ptp(values)), 1e-12 * float(np.max(np.abs(values))))
    lows: list[int] = []
    top = low = 0
    falling = False
    height = 0.0
    for place in range(1, len(values)):
        if falling:
            low = place if values[place] <= values[low] else low
            if values[place] - values[low] > fall / 2:
                lows.append(low)
                height, falling, top = max(height, float(values[top] - values[low])), False, place
        else:
            top = place if values[place] >= values[top] else top
            if values[top] - values[place] > fall:
                falling, low = True, place
    if falling:
        lows.append(low)
        height = max(height, float(values[top] - values[low]))
    return (_Seen(seen.at[lows], values[lows]), height) if lows else (None, 0.0)


def _steady(seen: _Seen) -> Slopes | None:
    """The slopes where it grows steadily, those of its last third or half where it slows down or speeds up."""
    slopes = theil_sen(seen.at, seen.values)
    if slopes is None:
        return None
    span = float(seen.at[-1] - seen.at[0])
    newest = seen.since(span / 3 if len(seen.at) > 3 * _LATE_FEWEST else span / 2)
    late = theil_sen(newest.at, newest.values) if len(newest.at) >= _LATE_FEWEST else None
    if late is not None and (late.middle < slopes.middle / 2 or late.low > slopes.middle):
        seen, slopes = newest, late
    about = seen.values - slopes.middle * seen.at
    noise = 1.4826 * float(np.median(np.abs(about - np.median(about))))
    rise = slopes.middle * float(seen.at[-1] - seen.at[0])
    return slopes if slopes.low > 0 and rise > _CLEAR_RISE * noise else None
