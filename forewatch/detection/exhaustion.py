"""When a filling thing will be full.

Two views, the sooner of which counts:

* days: with two days of history, the median of the differences to the same time of the day before is the growth of a
  day, laid over the shape of the last day. Rotation, nightly backups and clean-ups repeat daily and cancel out. The
  interval follows the spread of those differences, which shrinks with the square root of the days looked at.
* hours: a line through the latest level with the median slope of the last hours (Theil and Sen). It answers where there
  are no two days yet, or where the last hour rose more than any hour before: something new is filling it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from forewatch.alerting.alert import Labels
from forewatch.clock import iso, micros, seconds
from forewatch.detection.band import NotYet
from forewatch.detection.grid import Vector, regularise
from forewatch.detection.quantity import show
from forewatch.detection.rules import HOST
from forewatch.detection.statistics import Samples
from forewatch.incidents.events import AlertCleared, AlertRaised

ALERT = "DiskFullSoon"
WARN_WITHIN = 24 * 3600.0
"""A disk that will be full within this many seconds is worth a warning."""
CLEAR_BEYOND = 36 * 3600.0
"""The warning ends once it will last longer than this: a day and a half, so that it does not flap around the day."""

_HOUR = 3600.0
_DAY = 86400.0
_AT_LEAST = 1800.0
_RECENT = 3 * _HOUR
_LOOKED_AT = 4
"""Days whose differences are looked at."""
_FURTHEST = 90.0
"""Days ahead that are looked at; later is never."""
_NORMAL_80 = 1.2816


@dataclass(frozen=True)
class Exhaustion:
    """The moment a limit is reached, with an 80 % interval. Microseconds UTC."""

    at: int
    lower: int
    """Not before this."""
    upper: int | None
    """Not after this; None where it may as well never happen."""
    method: str

    def left(self, now: int) -> float:
        """Seconds until it is full; 0 where it is."""
        return max(0.0, seconds(self.at - now))


def exhaustion(samples: Samples, limit: float, now: int) -> Exhaustion | None:
    """When the series reaches `limit`; None where it does not grow, is too young or lasts for another 90 days."""
    daily = regularise(samples, now, step=300.0, at_least=2 * _DAY, longest=(_LOOKED_AT + 1) * _DAY)
    recent = regularise(samples, now, step=60.0, at_least=_AT_LEAST, longest=_RECENT)
    if isinstance(recent, NotYet):
        return None
    # The median of the last five minutes, which is what it was two and a half minutes before their end.
    anchor = recent.end - micros(2.5 * recent.step)
    level = float(np.median(recent.values[-5:]))
    if level >= limit:
        return Exhaustion(now, now, now, "full")
    by_hours = None
    if isinstance(daily, NotYet):
        by_hours = _by_hours(recent.values, recent.step, limit - level, anchor)
    elif _rises_as_never(daily.values):
        by_hours = _by_hours(recent.values[-60:], recent.step, limit - level, anchor)
    by_days = None if isinstance(daily, NotYet) else _by_days(daily.values, daily.step, limit, now)
    found = [answer for answer in (by_hours, by_days) if answer is not None]
    return min(found, key=lambda answer: answer.at, default=None)


def disk_full_labels(series_labels: Labels, service: str = "") -> dict[str, str]:
    """What makes the warning of a disk the same one next time."""
    return {**series_labels, "alertname": ALERT, "service": service or HOST, "severity": "warning"}


def disk_full_alert(
    series_labels: Labels, service: str, expected: Exhaustion | None, value: float, firing: bool, now: int
) -> AlertRaised | AlertCleared | None:
    """The warning that a disk will be full within a day, its end once it lasts a day and a half, or nothing to say."""
    labels = disk_full_labels(series_labels, service)
    where = series_labels.get("mountpoint", "disk")
    values: dict[str, Any] = {"value": value}
    if expected is not None:
        values |= {"full_at": expected.at, "not_before": expected.lower, "not_after": expected.upper}
        values |= {"method": expected.method}
    if not firing and expected is not None and expected.left(now) <= WARN_WITHIN:
        return AlertRaised(labels, {"summary": _summary(where, expected, value, now)}, now, values)
    if firing and (expected is None or expected.left(now) > CLEAR_BEYOND):
        lasts = "it no longer grows" if expected is None else f"it lasts {_span(expected.left(now))}"
        return AlertCleared(labels, now, {**values, "reason": f"{where} is at {show(value, 'ratio')} and {lasts}"})
    return None


def _summary(where: str, expected: Exhaustion, value: float, now: int) -> str:
    used = f"now {show(value, 'ratio')} used"
    if expected.at <= now:
        return f"{where} is full: {used}"
    latest = _span(seconds(expected.upper - now)) if expected.upper is not None else "never"
    between = f"between {_span(max(0.0, seconds(expected.lower - now)))} and {latest}"
    return f"{where} full in {_span(expected.left(now))} ({between}, about {iso(expected.at)[:16]}Z): {used}"


def _span(span: float) -> str:
    for size, unit in ((_DAY, "d"), (_HOUR, "h")):
        if span >= 2 * size or (unit == "h" and span >= size):
            return f"{span / size:.1f} {unit}"
    return f"{span / 60:.0f} min"


def _by_days(values: Vector, step: float, limit: float, now: int) -> Exhaustion | None:
    day = round(_DAY / step)
    growths = values[day:] - values[:-day]
    growth = float(np.median(growths))
    spread = 1.4826 * float(np.median(np.abs(growths - growth)))
    error = _NORMAL_80 * spread / np.sqrt(max(1.0, len(growths) / day))
    shape = values[-day:]

    def reached(slope: float) -> int | None:
        missing = limit - shape
        if slope <= 0:
            return None
        # Day `k` repeats the last one, `k` growths higher: the first step of the first day that gets there.
        first = max(1, int(np.ceil(np.min(missing) / slope)))
        if first > _FURTHEST:
            return None
        at = int(np.argmax(missing <= first * slope + 1e-12))
        return now + micros(((first - 1) * day + at + 1) * step)

    at = reached(growth)
    if at is None:
        return None
    return Exhaustion(at, min(at, reached(growth + error) or at), reached(growth - error), "days")


def _by_hours(values: Vector, step: float, missing: float, anchor: int) -> Exhaustion | None:
    thin = max(1, len(values) // 60)
    kept = values[::-thin][::-1]
    early, late = np.triu_indices(len(kept), k=max(1, len(kept) // 4))
    slopes = (kept[late] - kept[early]) / ((late - early) * thin * step)
    slow, slope, fast = (float(part) for part in np.quantile(slopes, (0.1, 0.5, 0.9)))
    # A line is only drawn where nine of ten slopes go up: a saw-tooth or noise does not fill a disk.
    if slow <= 0 or missing / slope > _FURTHEST * _DAY:
        return None
    lower, at, upper = (anchor + micros(missing / part) for part in (fast, slope, slow))
    return Exhaustion(at, lower, upper, "hours")


def _rises_as_never(values: Vector) -> bool:
    """Whether the last hour rose more than any earlier hour of these days did."""
    hour = 12
    rises = values[hour:] - values[:-hour]
    return bool(rises[-1] > 1.5 * np.max(rises[:-hour], initial=0.0) and rises[-1] > 0)
