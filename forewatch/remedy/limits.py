"""Limits: how often a remedy may act on a service, counted from stored runs.

The wall clock may jump. A run dated in the future therefore always counts: a clock set back must not give a remedy a
fresh allowance.
"""

from __future__ import annotations

from collections.abc import Sequence

from forewatch.clock import micros, seconds
from forewatch.config.models import Limits
from forewatch.remedy.run import UNDER_WAY, Run
from forewatch.remedy.verdict import Refused
from forewatch.units import format_duration

HOUR = 3600.0


def acted_or_may(run: Run) -> int | None:
    """The instant a run counts from: when it acted or started, else when it was asked for while it still may start.

    The later of the two, should the clock have been set back between them. None for a run that neither acted nor will.
    One that started and failed counts: it may have acted.
    """
    begun = [at for at in (run.started_at, run.acted_at) if at is not None]
    if begun:
        return max(begun)
    return run.created_at if run.state in UNDER_WAY else None


def counted_since(limits: Limits, now: int) -> int:
    """From which instant on runs must be looked at to know whether the limits hold."""
    return now - micros(max(HOUR, limits.cooldown))


def exceeded(limits: Limits, runs: Sequence[Run], now: int) -> Refused | None:
    """The limit that one more run would break; None while there is room."""
    instants = [at for run in runs if (at := acted_or_may(run)) is not None]
    within_hour = sum(at > now - micros(HOUR) for at in instants)
    if within_hour >= limits.per_hour:
        times = "once" if within_hour == 1 else f"{within_hour} times"
        reason = f"it acted {times} within the last hour, its limit is {limits.per_hour}"
        # There is room again once fewer than the limit lie within an hour.
        return Refused("limit-per-hour", reason, again_at=sorted(instants)[-limits.per_hour] + micros(HOUR))
    latest = max(instants, default=None)
    if latest is not None and latest > now - micros(limits.cooldown):
        ago = seconds(now - latest)
        when = f"{format_duration(ago)} ago" if ago >= 0 else f"{format_duration(-ago)} ahead of the clock"
        reason = f"it acted {when} and rests for {format_duration(limits.cooldown)} between two runs"
        return Refused("cooldown", reason, again_at=latest + micros(limits.cooldown))
    return None
