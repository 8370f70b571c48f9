"""Alerts that would have been raised, held against the incidents that are known."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from forewatch.clock import micros, seconds

_WEEK = 7 * 86_400.0
SHORTEST = 86_400.0
"""Seconds of history below which noise a week is not told: what came once in an hour may not come again."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One that would have been raised. Instants in microseconds UTC."""

    series: str
    service: str
    start: int
    """When it would have been told of."""
    end: int | None
    """None: it goes on."""
    value: float | None
    """That raised it, in the metric's unit."""


@dataclass(frozen=True, slots=True)
class Known:
    """An incident that was. Instants in microseconds UTC."""

    id: str
    title: str
    services: frozenset[str]
    start: int
    end: int | None
    """None: it goes on."""
    own: bool
    """Whether nothing but this very rule ever told of it."""


@dataclass(frozen=True)
class Verdict:
    """How the alerts compare with the incidents."""

    matches: tuple[str | None, ...]
    """The incident each alert lies in; None for noise."""
    missed: tuple[str, ...]
    """Incidents without an alert."""
    delays: tuple[float, ...]
    """Seconds from the start of each incident found to its first alert; below zero: the alert was earlier."""
    looked_at: float
    """Seconds of history."""

    @property
    def alerts(self) -> int:
        return len(self.matches)

    @property
    def right(self) -> int:
        """Alerts in an incident."""
        return sum(one is not None for one in self.matches)

    @property
    def wrong(self) -> int:
        """Alerts in no incident."""
        return self.alerts - self.right

    @property
    def found(self) -> int:
        """Incidents with an alert."""
        return len(self.delays)

    @property
    def incidents(self) -> int:
        return self.found + len(self.missed)

    @property
    def precision(self) -> float | None:
        """Share of alerts that lie in an incident; None where there is no alert or no incident to lie in."""
        return self.right / self.alerts if self.alerts and self.incidents else None

    @property
    def recall(self) -> float | None:
        """Share of incidents that were found; None where none is known."""
        return self.found / self.incidents if self.incidents else None

    @property
    def delay(self) -> float | None:
        """The median, in seconds."""
        return statistics.median(self.delays) if self.delays else None

    @property
    def noise(self) -> float | None:
        """Alerts in no incident, a week; None where less than `SHORTEST` was looked at."""
        return self.wrong * _WEEK / self.looked_at if self.looked_at >= SHORTEST else None


def hold_against(alerts: Sequence[Alert], known: Sequence[Known], *, tolerance: float, looked_at: float) -> Verdict:
    """An alert lies in an incident of its service that it overlaps, or misses by at most `tolerance` seconds.

    `looked_at`: seconds of history. Of several incidents the one that began last before the alert's end counts.
    """
    room = micros(tolerance)
    matches: list[str | None] = []
    first: dict[str, int] = {}
    for alert in alerts:
        inside = [one for one in known if alert.service in one.services and _overlap(alert, one, room)]
        matches.append(max(inside, key=lambda one: (one.start, one.id)).id if inside else None)
        for one in inside:
            first[one.id] = min(first.get(one.id, alert.start), alert.start)
    return Verdict(
        tuple(matches),
        tuple(one.id for one in known if one.id not in first),
        tuple(seconds(first[one.id] - one.start) for one in known if one.id in first),
        looked_at,
    )


def best(verdicts: Sequence[Verdict]) -> int | None:
    """Which one to choose, of one history: of those that find the most incidents the most precise, then the calmest.

    None where none finds any, for then none is better than silence.
    """
    if not any(one.found for one in verdicts):
        return None
    return max(
        range(len(verdicts)),
        key=lambda place: (
            verdicts[place].recall or 0.0,
            verdicts[place].precision or 0.0,
            -verdicts[place].wrong,
            -(verdicts[place].delay or 0.0),
        ),
    )


def _overlap(alert: Alert, one: Known, room: int) -> bool:
    begins_in_time = one.end is None or alert.start <= one.end + room
    return begins_in_time and (alert.end is None or alert.end >= one.start - room)
