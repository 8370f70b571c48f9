"""One series that is looked at, and what it is given: means over its steps, of counters the growth per second."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from sqlalchemy import Connection

from forewatch.clock import micros, seconds
from forewatch.detection.anomaly import Detector
from forewatch.detection.episode import Episode, Level
from forewatch.series.step_means import finished, step_for
from forewatch.store import detectors, points
from forewatch.store.points import Mean
from forewatch.store.series import Series

WARM_UP = 2 * 86_400.0
"""Seconds a series is learned from before anything is said of it: two rounds of its day."""
FEWEST = 100
"""Values learned from at least."""
KNOWN_AFTER = 10
"""Points after which the spacing of a series is known."""

_TOO_SLOW = 1.5
"""Steps that its points are apart from which on they do not fit any more: less is a gap or two."""
_SLOWER = 0.1
"""The weight of the newest gap in the usual spacing."""


@dataclass(eq=False)
class Watched:
    """A series with its detector. Instants in microseconds UTC, spans in seconds."""

    series: Series
    opens: Level
    """From which level on something is an anomaly."""
    detector: Detector
    next: int
    """Start of the step to be read next."""
    last_at: int
    """Of the newest point."""
    spacing: float
    """Between two points, as is usual."""
    heard: int
    """When the newest verdict it has taken in was given; at first, when it began. What was measured before that is
    history: learned from, not told of."""
    open: Episode | None = None
    saved_at: float = -math.inf
    """On the monotonic clock."""
    unsaved: bool = False

    @property
    def step(self) -> float:
        """Seconds one value stands for."""
        return self.detector.step

    @property
    def learned(self) -> bool:
        """Whether it knows enough to speak."""
        return self.detector.seen >= self.detector.warmup

    @property
    def ready_at(self) -> int:
        """When it will, if its points go on to come as they do."""
        return self.next + micros(max(0, self.detector.warmup - self.detector.seen) * self.step)

    @property
    def slowed_down(self) -> bool:
        """Its points come so much more rarely than they did that its steps do not fit them any more."""
        return step_for(self.spacing / _TOO_SLOW) > self.step

    def noticed(self, mean: Mean) -> None:
        """Keep in mind how its points come."""
        gap = seconds(mean.newest - self.last_at) / mean.number
        if gap > 0:
            # One long gap is an outage and no new habit.
            self.spacing += _SLOWER * (min(gap, 2 * self.spacing) - self.spacing)
        self.last_at = max(self.last_at, mean.newest)

    def as_row(self) -> detectors.Detector:
        """For the store."""
        return detectors.Detector(
            self.series.id,
            self.step,
            self.next - micros(self.step),
            self.last_at,
            self.spacing,
            self.heard,
            self.ready_at,
            self.detector.dump(),
        )


def restored(series: Series, opens: Level, row: detectors.Detector) -> Watched:
    """Go on from what is stored. Raises ValueError where its state is of another version."""
    detector = Detector.load(row.state)
    return Watched(series, opens, detector, row.at + micros(row.step), row.last_at, row.spacing, row.heard)


def begun(conn: Connection, series: Series, opens: Level, now: int, history: float) -> Watched | None:
    """Begin with a series that was not looked at before, `history` seconds ago; None while it has too few points."""
    newest = points.newest(conn, series.id, 50)
    if len(newest) < KNOWN_AFTER:
        return None
    gaps = sorted(later - earlier for (earlier, _), (later, _) in itertools.pairwise(newest))
    spacing = seconds(gaps[len(gaps) // 2])
    step = step_for(spacing)
    detector = Detector(step, warmup=max(FEWEST, round(WARM_UP / step)), compact=True)
    oldest = max(points.oldest(conn, series.id) or now, now - micros(history))
    start = min(oldest - oldest % micros(step), finished(now, step))
    return Watched(series, opens, detector, start, newest[0][0], spacing, heard=now)
