"""The configured holidays as the calendar that forecasts go by."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from forewatch.clock import from_datetime, to_datetime
from forewatch.config.days_off import days_of
from forewatch.config.detection import Holidays
from forewatch.detection.seasons import Calendar


def calendar_of(holidays: Holidays, now: int) -> Calendar | None:
    """The days off of the years that a forecast can see, the last one to the next; None where none are configured.

    Days begin and end in the zone of the holidays. Raises what `days_of` does; a checked configuration gives no cause.
    """
    zone = ZoneInfo(holidays.zone)
    year = to_datetime(now).astimezone(zone).year
    days = days_of(holidays, range(year - 1, year + 2))
    if not days:
        return None

    def begin(day: datetime) -> int:
        return from_datetime(day.replace(tzinfo=zone))

    midnights = [datetime(day.year, day.month, day.day) for day in days]
    return Calendar(frozenset((begin(day), begin(day + timedelta(days=1))) for day in midnights))
