"""When a cron expression comes round next, in its own time zone.

Expressions are read as Debian's cron reads them: five fields (or six, with seconds first), names of months and days,
`L` and `#`. The arithmetic is done on the zone's wall clock and then turned to UTC: a time that a change of the clocks
leaves out is taken at the change, and one that comes twice is taken the first time. Pure.
"""

from __future__ import annotations

import difflib
import functools
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from forewatch.clock import from_datetime, to_datetime

_SOME_DAY = 1_767_225_600_000_000


@functools.cache
def zone_of(name: str) -> ZoneInfo:
    """A time zone by its IANA name. Raises ValueError naming what is near."""
    if name not in available_timezones():
        near = difflib.get_close_matches(name, available_timezones(), n=1)
        raise ValueError(f"{name} is not a time zone (try {near[0] if near else 'Europe/Berlin'})")
    return ZoneInfo(name)


def validate(expression: str) -> None:
    """Raises ValueError for what is no cron expression, or one that never comes."""
    next_after(expression, "UTC", _SOME_DAY)


def next_after(expression: str, zone: str, at: int) -> int:
    """The first moment after `at` that fits, both in microseconds UTC. Raises ValueError where there is none."""
    local = to_datetime(at).astimezone(zone_of(zone))
    try:
        moments = CronSim(expression, local)
        # In the hour that comes twice the library reckons from its first pass, which may lie before `at`.
        while True:
            found = from_datetime(next(moments))
            if found > at:
                return found
    except CronSimError as error:
        said = str(error)
        what = said[0].lower() + said[1:]
        raise ValueError(f'"{expression}" is not a cron expression: {what} (try "0 3 * * *")') from error
    except StopIteration:
        raise ValueError(f'"{expression}" never comes (try "0 3 * * *")') from None


def last_before(expression: str, zone: str, at: int) -> int | None:
    """The last moment before `at` that fits, both in microseconds UTC; None where there was none."""
    moments = CronSim(expression, to_datetime(at).astimezone(zone_of(zone)), reverse=True)
    return next((found for found in map(from_datetime, moments) if found < at), None)
