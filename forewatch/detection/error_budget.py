"""How much of an error budget is left, and until when it lasts.

The budget is time: `1 - target` of the whole window, whatever part of it was watched. What nobody saw is not spent. The
window rolls: what went wrong comes back to the budget a window later, so a pace the window bears never uses it up.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from forewatch.clock import micros, seconds, to_datetime
from forewatch.config.detection import Objective
from forewatch.detection.objectives import Tally
from forewatch.units import format_duration

HOURS = 6
"""Hours of the last day with answers from which on its pace means something."""

_NORMAL_80 = 1.2816
_SOON = 2 * 86400.0


@dataclass(frozen=True)
class Budget:
    """An error budget in seconds of the window."""

    allowed: float
    spent: float

    @property
    def left(self) -> float:
        """Share that is left: 1 untouched, 0 used up, below 0 overspent."""
        return 1.0 - self.spent / self.allowed

    @property
    def left_time(self) -> float:
        """Seconds of full outage that may still come; below 0 those that were too many."""
        return self.allowed - self.spent


@dataclass(frozen=True)
class Pace:
    """Seconds spent a second, by the hours of the last day; `low` to `high` hold 80 % by how much these differ."""

    low: float
    mean: float
    high: float


@dataclass(frozen=True)
class UsedUp:
    """When the budget will be used up. Microseconds UTC."""

    at: int
    lower: int
    """Not before this (80 % interval)."""
    upper: int | None
    """Not after this; None where it may as well last."""


def budget(answers: Tally, covered: float, objective: Objective) -> Budget | None:
    """The budget at the end of the window; `covered` seconds of it were watched. None without answers."""
    allowed = (1.0 - objective.target) * objective.window
    return None if answers.bad_share is None else Budget(allowed, answers.bad_share * covered)


def pace(hours: Sequence[Tally]) -> Pace | None:
    """The pace of some hours; None where fewer than six of them have answers."""
    shares = [hour.bad / hour.total for hour in hours if hour.total]
    if len(shares) < HOURS:
        return None
    mean = statistics.fmean(shares)
    error = _NORMAL_80 * statistics.stdev(shares, mean) / math.sqrt(len(shares))
    return Pace(max(0.0, mean - error), mean, mean + error)


def used_up(now_left: Budget, past: Sequence[float], at_pace: Pace, window: float, now: int) -> UsedUp | None:
    """When nothing is left at this pace; None where it lasts for a whole further window, and so for ever.

    `past` is the seconds spent in each of equal parts of the window that ends at `now`, oldest first: they come back
    in that order.
    """
    low, mean, high = (_reached(now_left, past, rate, window) for rate in (at_pace.low, at_pace.mean, at_pace.high))
    if mean is None:
        return None
    soonest = mean if high is None else high
    return UsedUp(now + micros(mean), now + micros(soonest), None if low is None else now + micros(low))


def outlook(now_left: Budget | None, found: UsedUp | None, at_pace: Pace | None, now: int) -> str:
    """What is to be expected of the budget, in words."""
    if now_left is None:
        return "no answers"
    if now_left.left <= 0:
        return f"used up, {format_duration(-now_left.left_time)} too much" if now_left.left < 0 else "used up"
    if at_pace is None:
        return f"needs {HOURS} hours of the last day"
    if at_pace.mean <= 0:
        return "nothing spent in the last day"
    if found is None:
        return "lasts at the pace of the last day"
    latest = _moment(found.upper, now) if found.upper is not None else "never"
    at = _moment(found.at, now)
    return (
        f"at the pace of the last day used up {at if at.startswith('in ') else f'on {at}'} "
        f"(80% interval: {_moment(found.lower, now)} to {latest})"
    )


def _reached(now_left: Budget, past: Sequence[float], rate: float, window: float) -> float | None:
    """Seconds until nothing is left, if `rate` seconds are spent a second from now on."""
    left = now_left.left_time
    if left <= 0:
        return 0.0
    step = window / len(past)
    for number, returns in enumerate(past):
        after = left - rate * step + returns
        if after <= 0:
            return (number + left / (left - after)) * step
        left = after
    return None


def _moment(at: int, now: int) -> str:
    """`in 7h 10m` where it is near, else the day: `14 Jan`."""
    ahead = seconds(at - now)
    return f"in {format_duration(ahead)}" if ahead < _SOON else f"{to_datetime(at):%-d %b}"
