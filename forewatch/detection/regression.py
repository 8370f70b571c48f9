"""Whether a service has become slower: runs of one load test against the runs before.

The unit is the run. Times within a run lean on each other (one slow second holds many requests), and two runs of the
same service differ by more than their own noise says (another neighbour, a cold cache), so ten thousand requests are no
ten thousand pieces of evidence. Some newest runs are held against up to twenty before them:

* the test is Mann and Whitney's, exact, over whole runs, one-sided, with the price for looking at p50, p95, p99 and the
  share of errors at once paid (`ranks.higher`);
* the change, Hodges and Lehmann's shift of the logarithms, must be larger than `slower` and than twice the spread of
  the runs before: what runs of the same thing differ by anyway is no news;
* one noisy run never does: at least three runs must have come, more where there are few to hold them against, since
  fewer cannot reach the level. A run that stands out alone is suspect, and to be repeated soon.

Once slower, the runs before the change stay what is compared with, until the newest two together are well back below
what counted, or a person says that this is how it is now.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from forewatch.detection.ranks import Vector, higher, shift

State = Literal["young", "steady", "suspect", "slower", "unsure"]
"""`unsure`: of a run that did not measure the service, and so is not compared."""
Measure = Literal["p50", "p95", "p99", "errors"]
MEASURES: tuple[Measure, ...] = ("p50", "p95", "p99", "errors")

LEVEL = 0.005
"""How likely chance alone may be to look like this."""
LOOKED_BACK = 20
"""Runs that are compared with."""
FEWEST = 3
"""Runs that say so before it is believed."""
BACK = 2
"""Runs that must be back before it is over."""
_BACK_BELOW = 2 / 3
"""Of the change that counts: below it, so that what lies around it does not come and go."""
_FEWEST_BEFORE = 5
_SPREADS = 2.0
MORE_ERRORS = 0.01
"""A rise of the share of failed requests below this is no regression, however sure."""
_SHORTEST = 1e-6


@dataclass(frozen=True)
class Run:
    """What is compared of a run: seconds, and the share of requests that failed. None where nothing was timed."""

    at: int
    p50: float | None
    p95: float | None
    p99: float | None
    errors: float

    @property
    def timed(self) -> bool:
        return self.p50 is not None and self.p95 is not None and self.p99 is not None


@dataclass(frozen=True)
class Change:
    """How one measure changed. Of times `shift`, `lower` and `upper` are shares (0.3: 30 % slower), of errors plain
    differences; the interval holds the truth in about 95 % of all cases."""

    measure: Measure
    before: float
    """Median of the runs before."""
    now: float
    """Median of the newest."""
    shift: float
    lower: float
    upper: float
    p: float
    needed: float
    """A shift below this would not have counted."""

    @property
    def counts(self) -> bool:
        """Whether it is large enough to speak of, sure or not."""
        return self.shift >= self.needed


@dataclass(frozen=True)
class Judgement:
    """`changes` are those of all measures in `slower` and `steady`, those that stand out in `suspect`."""

    state: State
    reason: str
    """A clause for people."""
    before: int = 0
    """Runs compared with."""
    newest: int = 0
    since: int | None = None
    """When the first slow run began, microseconds UTC."""
    until: int | None = None
    """When the last run before it began."""
    changes: tuple[Change, ...] = ()

    @property
    def worst(self) -> Change | None:
        """The change that speaks loudest: sure ones first, then times before errors, then the largest."""
        found = [one for one in self.changes if one.counts]
        return min(found, key=lambda one: (one.p > LEVEL, one.measure == "errors", -one.shift), default=None)


def judge(runs: Sequence[Run], *, slower: float, since: int | None = None) -> Judgement:
    """What the runs, oldest first, say of the newest. `since`: they were called slower from then on, and are still."""
    if since is not None:
        return _still_slower(runs, slower, since)
    newest = fewest_newest(len(runs))
    if newest is None:
        return Judgement("young", f"{_fewest_in_all()} runs are needed to compare, there are {len(runs)}")
    before, last = runs[-newest - LOOKED_BACK : -newest], runs[-newest:]
    changes = _changes(before, last, slower)
    if any(one.counts and one.p <= LEVEL for one in changes):
        return Judgement(
            "slower",
            f"the last {newest} runs are slower than the {len(before)} before",
            len(before),
            newest,
            last[0].at,
            before[-1].at,
            changes,
        )
    alone = [one for one in _changes(runs[-1 - LOOKED_BACK : -1], runs[-1:], slower) if one.counts]
    if alone:
        names = ", ".join(one.measure for one in alone)
        return Judgement(
            "suspect",
            f"{names} {'stands' if len(alone) == 1 else 'stand'} out in the last run, which one run alone may",
            min(len(runs) - 1, LOOKED_BACK),
            1,
            changes=tuple(alone),
        )
    return Judgement("steady", f"as the {len(before)} runs before", len(before), newest, changes=changes)


def fewest_newest(count: int) -> int | None:
    """How many newest of so many runs can, at their clearest, reach the level; None where none can."""
    for newest in range(FEWEST, count - _FEWEST_BEFORE + 1):
        before = min(count - newest, LOOKED_BACK)
        if math.comb(before + newest, newest) >= 1 / LEVEL:
            return newest if newest <= before else None
    return None


def sentence(judgement: Judgement, *, after: str = "") -> str:
    """The evidence in one line; `after` is a change that was reported just before it began."""
    worst = judgement.worst
    if judgement.state != "slower" or worst is None:
        return judgement.reason
    if worst.measure == "errors":
        what = (
            f"{worst.now:.1%} of requests fail, it was {worst.before:.1%} (median of {judgement.before} runs): "
            f"{max(0.0, worst.lower) * 100:.1f}-{worst.upper * 100:.1f} points more"
        )
    else:
        what = (
            f"{worst.measure} {_time(worst.now)}, was {_time(worst.before)} (median of {judgement.before} runs): "
            f"{_percent(worst.lower)}-{_percent(worst.upper)} % slower"
        )
    return f"{what}, p = {worst.p:.2g}" + (f", first seen after {after}" if after else "")


def _still_slower(runs: Sequence[Run], slower: float, since: int) -> Judgement:
    before = [run for run in runs if run.at < since][-LOOKED_BACK:]
    last = [run for run in runs if run.at >= since][-FEWEST:]
    if len(before) < _FEWEST_BEFORE or not last:
        return Judgement("steady", "the runs it was compared with are no longer kept", len(before), len(last))
    back = last[-BACK:]
    if len(back) == BACK and all(one.shift < _BACK_BELOW * one.needed for one in _changes(before, back, slower)):
        return Judgement("steady", f"the last {BACK} runs are as before", len(before), BACK)
    changes = _changes(before, last, slower)
    reason = f"still slower than the {len(before)} runs before"
    return Judgement("slower", reason, len(before), len(last), since, before[-1].at, changes)


def _changes(before: Sequence[Run], last: Sequence[Run], slower: float) -> tuple[Change, ...]:
    """The change of every measure there is of these runs."""
    timed = [run for run in before if run.timed]
    names = MEASURES if len(timed) >= _FEWEST_BEFORE and all(run.timed for run in last) else MEASURES[-1:]
    old = timed if len(names) > 1 else before
    table, seen = _table(old, names), _table(last, names)
    chances = higher(table, seen) if len(last) > 1 else np.ones(len(names))
    return tuple(
        _change(name, table[:, place], seen[:, place], float(chances[place]), slower)
        for place, name in enumerate(names)
    )


def _table(runs: Sequence[Run], names: Sequence[Measure]) -> Vector:
    """A row a run; times as logarithms, so that a change is a share."""
    return np.array(
        [
            [run.errors if name == "errors" else math.log(max(getattr(run, name), _SHORTEST)) for name in names]
            for run in runs
        ]
    )


def _change(name: Measure, before: Vector, now: Vector, p: float, slower: float) -> Change:
    least = MORE_ERRORS if name == "errors" else math.log1p(slower)
    needed = max(least, _SPREADS * float(np.std(before, ddof=1)))
    old, new = float(np.median(before)), float(np.median(now))
    found = shift(before, now)
    if name == "errors":
        return Change(name, old, new, found.estimate, found.lower, found.upper, p, needed)
    estimate, lower, upper = (math.expm1(value) for value in (found.estimate, found.lower, found.upper))
    return Change(name, math.exp(old), math.exp(new), estimate, lower, upper, p, math.expm1(needed))


def _fewest_in_all() -> int:
    return next(count for count in range(1, 100) if fewest_newest(count) is not None)


def _time(value: float) -> str:
    if value < 1:
        return f"{value * 1000:.3g} ms"
    return f"{value:.3g} s"


def _percent(share: float) -> str:
    return f"{max(0.0, share) * 100:.0f}"
