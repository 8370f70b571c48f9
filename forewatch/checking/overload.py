"""Checks that this machine is too busy to hold: late, not failing, and worth one alert of their own. Pure.

A check is late once it has had no verdict for three rounds, at least a minute: it was not started in time, or it ran
out of time while our own loop stood still. Time in which nothing of ours ran at all (a suspended machine) is nobody's.
"""

from __future__ import annotations

from collections.abc import Iterable

from forewatch.checking.results import CheckKey
from forewatch.config.models import Check
from forewatch.incidents.events import AlertCleared, AlertRaised
from forewatch.units import format_duration

NAME = "ForewatchOverloaded"
LABELS = {"alertname": NAME, "service": "forewatch", "severity": "critical"}

ROUNDS = 3
AT_LEAST = 60.0
"""Seconds."""
CALM = 60.0
"""Seconds without a late check after which it is over."""
LONGEST_GAP = 20.0
"""Seconds between two looks beyond which we were not late but away."""
NAMED = 5


def late_after(check: Check) -> float:
    """Seconds without a verdict after which a check is late; a slow target may take all its tries' time meanwhile."""
    return max(AT_LEAST, ROUNDS * check.every) + check.timeout * (check.retries + 1)


class Overload:
    """Looks at when each check had its last verdict, about once a second, and says when the alert begins and ends.

    `firing`: the watch before has raised it. Instants are seconds on a monotonic clock.
    """

    def __init__(self, now: float, *, firing: bool = False) -> None:
        self._firing = firing
        self._looked_at = now
        self._late_at = now
        self._away = 0.0

    def clock(self, now: float) -> float:
        """Seconds of watching: `now` without the time we were away. Verdicts are dated by it."""
        return now - self._away

    def look(
        self, verdicts: Iterable[tuple[CheckKey, float, float]], now: float, at: int
    ) -> AlertRaised | AlertCleared | None:
        """The event that is due, if any. `verdicts`: each check, when its last one was by `clock`, and `late_after`.

        `at` is the wall time, in microseconds. An event that is not taken is due again at the next look: see `taken`.
        """
        gap, self._looked_at = now - self._looked_at, now
        self._away += max(0.0, gap - LONGEST_GAP)
        watched, checks = self.clock(now), 0
        late: list[tuple[float, CheckKey]] = []
        for key, verdict_at, allowed in verdicts:
            checks += 1
            if watched - verdict_at > allowed:
                late.append((watched - verdict_at, key))
        if late:
            self._late_at = watched
            return None if self._firing else _raised(late, checks, at)
        if self._firing and watched - self._late_at >= CALM:
            return AlertCleared(dict(LABELS), at, {"reason": f"every check has had its verdict in time for {CALM:g} s"})
        return None

    def taken(self, event: AlertRaised | AlertCleared) -> None:
        """The event has been decided."""
        self._firing = isinstance(event, AlertRaised)


def _raised(late: list[tuple[float, CheckKey]], checks: int, at: int) -> AlertRaised:
    worst = sorted(late, reverse=True)
    named = [f"{key.service}/{key.check}" for _, key in worst[:NAMED]]
    more = f" and {len(late) - NAMED:,} more" if len(late) > NAMED else ""
    longest = format_duration(round(worst[0][0]))
    summary = f"Forewatch cannot keep up: {len(late):,} of {checks:,} checks are late, the longest for {longest}"
    description = (
        f"Late, not failing: {', '.join(named)}{more}. This machine is too busy to run them on time; what they watch "
        "may be down without anybody knowing. Free CPU, or check less often."
    )
    values = {"late": len(late), "checks": checks, "longest": worst[0][0], "worst": named}
    return AlertRaised(dict(LABELS), {"summary": summary, "description": description}, at, values)
