"""The anomaly detector replayed on one series, with the thresholds it would have had at the time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from forewatch.clock import micros
from forewatch.detection.anomaly import Detector, Scores
from forewatch.detection.episode import CALM, Episode, follow
from forewatch.detection.grid import Vector
from forewatch.trials.backtest.rule_replay import OutOfTime

WARM_UP = 2 * 86_400.0
"""Seconds a series is learned from before anything is said of it."""
_FEWEST = 100
_BLOCK = 86_400.0
"""Seconds after which the threshold is asked for again: it follows from what was seen before."""


def warmup_rows(step: float) -> int:
    """How many values are learned from first."""
    return max(_FEWEST, round(WARM_UP / step))


def episodes_of(
    series_id: int,
    at: NDArray[np.int64],
    values: Vector,
    step: float,
    budgets: Sequence[float],
    over: Callable[[], bool] = lambda: False,
) -> dict[float, list[Episode]]:
    """What would have been told of at each alarm budget (false alarms a month), oldest first.

    Values are those of even steps of `step` seconds, `at` their starts. Raises OutOfTime once `over` says so.
    """
    detector = Detector(step, warmup=warmup_rows(step), compact=True)
    found: dict[float, list[Episode]] = {budget: [] for budget in budgets}
    size = max(64, round(_BLOCK / step))
    for begin in range(0, len(at), size):
        if over():
            raise OutOfTime
        block = slice(begin, begin + size)
        # Before the block is learned: what comes must not choose the threshold it is held against.
        thresholds = {budget: detector.threshold(budget) for budget in budgets}
        scores = detector.update_many(at[block], values[block])
        for budget, threshold in thresholds.items():
            _follow(found[budget], series_id, at[block], values[block], step, scores, threshold)
    return found


def _follow(
    found: list[Episode],
    series_id: int,
    at: NDArray[np.int64],
    values: Vector,
    step: float,
    scores: Scores,
    threshold: float,
) -> None:
    high = np.flatnonzero((scores.score >= threshold) & (scores.score > 0))
    episode = found.pop() if found and found[-1].end is None else None
    place = 0
    while place < len(at):
        if episode is None:
            ahead = int(np.searchsorted(high, place))
            if ahead == len(high):
                return
            place = int(high[ahead])
        rare = bool(scores.score[place] >= threshold)
        episode = follow(
            episode,
            series_id,
            int(at[place]),
            step,
            float(values[place]),
            scores[place],
            "high" if rare and scores.score[place] > 0 else None,
        )
        if episode is not None and episode.end is not None:
            found.append(episode)
            episode = None
        place += 1
    if episode is not None:
        found.append(episode)


def as_heard(episode: Episode, step: float) -> Episode:
    """From when it was known to when its end was: what a rule that looks in between has of it."""
    end = None if episode.end is None else episode.end + CALM * micros(step)
    return replace(episode, start=told_at(episode, step), end=end)


def told_at(episode: Episode, step: float) -> int:
    """When a person would have heard: a step is known once it has ended."""
    return episode.start + micros(step)
