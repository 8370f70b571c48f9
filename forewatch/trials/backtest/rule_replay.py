"""A rule replayed on one series: looked at whenever there was something new to see, as the watch does.

Where a window holds no sample beyond the bound, no mean, extreme or quantile of it can be: such windows are passed
over, which changes nothing and makes months a matter of seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from forewatch.clock import micros
from forewatch.config.models import Rule
from forewatch.detection.band import Forecast
from forewatch.detection.episode import Episode
from forewatch.detection.grid import Vector
from forewatch.detection.quantity import show, unit_of_statistic
from forewatch.detection.rules import RuleState, evaluate
from forewatch.detection.statistics import Samples
from forewatch.units import format_duration

Expected = Callable[[int, int | None], Forecast | None]
"""(now, pending since) -> the forecast that would have been held against."""
Raised = tuple[int, int | None, float | None]
"""When an alert is raised, when it ends (None: it goes on), and the value that raised it."""

_WITHIN_EXTREMES = frozenset({"mean", "max", "min", "p50", "p95", "p99", "last"})
_GONE_AFTER = micros(86_400.0)
_LOOKS = 256  # between two questions whether there is time left


class OutOfTime(Exception):
    """The caller's time is over before the series is."""


def raised_by(
    rule: Rule,
    samples: Samples,
    per: Samples,
    since: int,
    *,
    expected: Expected | None = None,
    episodes: Sequence[Episode] = (),
    over: Callable[[], bool] = lambda: False,
) -> list[Raised]:
    """The alerts of a rule on clean samples, from `since` on; samples before it fill the first windows.

    `episodes` are those of a rule on anomalies, oldest first. Raises OutOfTime once `over` says so.
    """
    at = np.array([moment for moment, _ in samples], np.int64)
    values = np.array([value for _, value in samples])
    per_at = np.array([moment for moment, _ in per], np.int64)
    window = micros(rule.window)
    begins, per_begins = np.searchsorted(at, at - window, "right"), np.searchsorted(per_at, at - window, "right")
    per_ends = np.searchsorted(per_at, at, "right")
    worth = np.flatnonzero(_worth_a_look(rule, at, values, episodes) & (at >= since))
    found: list[Raised] = []
    state, look, looks = RuleState(), int(np.searchsorted(at, since)), 0
    while look < len(at):
        if state.pending_since is None and not state.firing:
            ahead = int(np.searchsorted(worth, look))
            if ahead == len(worth):
                break
            look = int(worth[ahead])
        now = int(at[look])
        if state.firing and now - state.at > _GONE_AFTER:
            # A series that is silent for a day counts as gone.
            found[-1] = (found[-1][0], state.at + _GONE_AFTER, found[-1][2])
            state = RuleState()
            continue
        judgement = evaluate(
            rule,
            samples[begins[look] : look + 1],
            per[per_begins[look] : per_ends[look]],
            expected(now, state.pending_since) if expected is not None else None,
            state,
            now,
            episode=_going_on(episodes, now),
        )
        state = judgement.state
        if judgement.transition == "raised":
            found.append((now, None, state.value))
        elif judgement.transition == "cleared":
            found[-1] = (found[-1][0], now, found[-1][2])
        look += 1
        looks += 1
        if looks % _LOOKS == 0 and over():
            raise OutOfTime
    return found


def _worth_a_look(rule: Rule, at: NDArray[np.int64], values: Vector, episodes: Sequence[Episode]) -> NDArray[np.bool_]:
    """Where a rule that is quiet may become anything else."""
    if rule.anomaly is not None:
        inside = np.zeros(len(at), bool)
        for one in episodes:
            inside |= (at >= one.start) & (at < one.end) if one.end is not None else at >= one.start
        return inside
    if rule.statistic not in _WITHIN_EXTREMES or not (isinstance(rule.above, float) or isinstance(rule.below, float)):
        return np.ones(len(at), bool)
    # A mean of equal numbers may differ from them in the last digit.
    if isinstance(rule.above, float):
        suspicious = values >= rule.above - 1e-9 * abs(rule.above)
    else:
        suspicious = values <= float(rule.below or 0.0) + 1e-9 * abs(float(rule.below or 0.0))
    # As if long before: never in the window of the first look.
    newest = np.maximum.accumulate(np.where(suspicious, at, -micros(rule.window) * 2))
    return np.asarray(at - newest < micros(rule.window))


def _going_on(episodes: Sequence[Episode], now: int) -> Episode | None:
    return next((one for one in episodes if one.start <= now and (one.end is None or now < one.end)), None)


def variants(rule: Rule) -> Iterator[tuple[str, Rule]]:
    """The rule as it is, then what one would try instead, each with how it differs."""
    unit, suffix = unit_of_statistic(rule.metric, rule.statistic)
    yield "as it is", rule
    bound = "above" if isinstance(rule.above, float) else "below" if isinstance(rule.below, float) else None
    if bound is not None:
        now = float(getattr(rule, bound))
        for other in _around(now, ratio=unit == "ratio"):
            moved = None if rule.clear is None else rule.clear + other - now
            yield f"{bound} {show(other, unit)}{suffix}", rule.model_copy(update={bound: other, "clear": moved})
    if rule.exhausted_within is not None:
        for factor in (0.25, 0.5, 2.0, 4.0):
            within = rule.exhausted_within * factor
            yield f"exhausted within {format_duration(within)}", rule.model_copy(update={"exhausted_within": within})
    for patience in (0.0, 300.0, 900.0, 3600.0):
        if patience != rule.for_:
            yield (
                f"for {format_duration(patience)}" if patience else "at once",
                rule.model_copy(update={"for_": patience}),
            )


def _around(bound: float, *, ratio: bool) -> list[float]:
    """Bounds on both sides: by halves and doubles, near 100 % by what is left of it."""
    if ratio and 0.5 <= bound < 1:
        return [round(1 - (1 - bound) * part, 6) for part in (3.0, 2.0, 1.5, 0.75, 0.5, 0.25) if (1 - bound) * part < 1]
    return [float(f"{bound * part:.6g}") for part in (0.5, 0.75, 0.9, 1.1, 1.25, 1.5, 2.0)] if bound else []
