"""An anomaly as an episode: it begins with a rare score, goes on while the series is out of the usual, and ends.

    none --score of some level--> open --CALM steps in a row as usual--> over

The score speaks once, at a new record: a trouble that lasts is not more unusual by the minute. So the end goes by the
values: back in the band that was usual before it began, or, after an hour, in the band that has become usual meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from forewatch.clock import micros

if TYPE_CHECKING:
    from forewatch.detection.anomaly import Score

Kind = Literal["unusual", "shift", "flat", "silent"]
Level = Literal["high", "medium"]
Verdict = Literal["noise", "real"]

MEDIUM = 10.0
"""`medium` is so many times as often as the alarm budget, which is `high`."""

CALM = 3
"""Steps in a row as usual after which an anomaly is over."""
SETTLED = 3600.0
"""Seconds after which a level that stays is the new normal."""
STUCK = 86_400.0
"""Seconds after which a standstill, or silence, is the new normal."""


@dataclass(frozen=True)
class Episode:
    """Something unusual on one series. Instants in microseconds UTC, values in the metric's unit."""

    series_id: int
    start: int
    kind: Kind
    level: Level
    """How rare it is, by the alarm budget."""
    score: float
    """The highest, 0-1."""
    peak: int
    """When it was highest."""
    last: int
    """The start of the newest step that was not as usual."""
    value: float | None = None
    """At the highest score."""
    expected: float | None = None
    """When it began, as were `lower` and `upper`: what was usual before."""
    lower: float | None = None
    upper: float | None = None
    end: int | None = None
    """None: it goes on."""
    told: Literal["note", "alert"] = "note"
    reason: str = ""
    """Why it was or was not made an alert."""
    verdict: Verdict | None = None
    """What a person said of it."""
    verdict_by: str | None = None
    verdict_at: int | None = None
    id: int | None = None
    """None: not stored yet."""

    @property
    def name(self) -> str:
        """What people call it by: `AN-7`."""
        return f"AN-{self.id}"

    def counts(self) -> bool:
        """Whether anything may be made of it: a person may have called it noise."""
        return self.verdict != "noise"


def follow(
    episode: Episode | None,
    series_id: int,
    at: int,
    step: float,
    value: float,
    score: Score,
    level: Level | None,
) -> Episode | None:
    """The episode after one more step; None where there is none. `level` is that of the step's own score."""
    if episode is None:
        if level is None:
            return None
        return Episode(
            series_id, at, score.kind, level, score.score, at, at, value, score.expected, score.lower, score.upper
        )
    if level is not None and score.score > episode.score:
        worse: Level = "high" if "high" in (level, episode.level) else "medium"
        episode = replace(episode, score=score.score, peak=at, value=value, level=worse)
    if level is not None or not _as_usual(episode, at, value, score):
        return replace(episode, last=at)
    if at - episode.last >= CALM * micros(step):
        return replace(episode, end=episode.last + micros(step))
    return episode


def fall_silent(series_id: int, last_at: int) -> Episode:
    """No data any more. There is nothing to be less sure of, so the score is 1."""
    return Episode(series_id, last_at, "silent", "high", 1.0, last_at, last_at)


def _as_usual(episode: Episode, at: int, value: float, score: Score) -> bool:
    lasted = at - episode.start
    if episode.kind == "flat":
        return value != episode.value or lasted >= micros(STUCK)
    if _within(value, score.lower, score.upper) and lasted >= micros(SETTLED):
        return True
    if episode.lower is None:
        return lasted >= micros(SETTLED)
    return _within(value, episode.lower, episode.upper)


def _within(value: float, lower: float | None, upper: float | None) -> bool:
    return lower is not None and upper is not None and lower <= value <= upper
