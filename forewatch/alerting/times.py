"""Named times: nights, weekends, maintenance windows. Is it one now, and when does that change?

Ranges are Alertmanager's (`timeinterval/timeinterval.go`), read on the wall clock of their zone. Beyond it, a range of
times may go past midnight, and then belongs to the day it began on: `22:00-06:00` of a friday ends on saturday; and
ranges of weekdays and months may go round (`saturday:sunday`, `november:february`).
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from forewatch.alerting.compiled import Compiled
from forewatch.clock import MICROSECONDS, from_datetime, micros, to_datetime
from forewatch.config.models import TimeRange, Times

FARTHEST = 366
"""Days `next_change` looks ahead."""

_DAY = timedelta(days=1)
_LAST = from_datetime(datetime(9999, 12, 25, tzinfo=UTC))
"""As far as a calendar goes, with a few days to spare."""
_MINUTES = 24 * 60
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_TIMES = re.compile(r"([01]\d|2[0-3]):([0-5]\d)\s*-\s*(?:([01]\d|2[0-3]):([0-5]\d)|24:00)", re.ASCII)

Span = tuple[int, int]
Problem = tuple[tuple[str | int, ...], str]
"""The way to what is wrong, and a sentence."""


@dataclass(frozen=True)
class _Range:
    """A `TimeRange`, read. Both ends of a span are in it, except for times: there the end is not."""

    times: tuple[Span, ...]
    """Minutes since midnight; the end is the smaller one where it goes past midnight."""
    weekdays: tuple[Span, ...]
    days: tuple[Span, ...]
    months: tuple[Span, ...]
    years: tuple[Span, ...]

    def holds(self, wall: datetime) -> bool:
        if not self.times:
            return self.on(wall.date())
        minute = wall.hour * 60 + wall.minute
        for begin, end in self.times:
            if begin < end:
                if begin <= minute < end and self.on(wall.date()):
                    return True
            elif (minute >= begin and self.on(wall.date())) or (minute < end and self.on(wall.date() - _DAY)):
                return True
        return False

    def on(self, day: date) -> bool:
        return (
            _in(self.weekdays, day.weekday())
            and (not self.days or any(_in_month(span, day) for span in self.days))
            and _in(self.months, day.month)
            and (not self.years or any(begin <= day.year <= end for begin, end in self.years))
        )


@dataclass(frozen=True)
class _Calendar:
    zone: tzinfo
    ranges: tuple[_Range, ...]
    edges: tuple[int, ...]
    """Minutes of a day at which something may change."""

    def holds(self, at: int) -> bool:
        wall = to_datetime(at).astimezone(self.zone)
        return any(each.holds(wall) for each in self.ranges)

    def never_holds(self, start: int, end: int) -> bool:
        """Whether no date from one instant to another is one of its own: cheap, since most of a year is not."""
        first, last = (to_datetime(at).astimezone(self.zone).date() for at in (start, end))
        days = [first - _DAY + timedelta(days=i) for i in range((last - first).days + 2)]
        return not any(each.on(day) for each in self.ranges for day in days)


def within(times: Times, now: int) -> bool:
    """Whether any of the ranges holds. Raises ValueError where `problems` has something to say."""
    return _calendar(times).holds(now)


def next_change(times: Times, now: int) -> int | None:
    """The next instant at which `within` is not what it is now; None: not in the coming 366 days."""
    calendar = _calendar(times)
    held = calendar.holds(now)
    last = min(now + FARTHEST * micros(86_400), _LAST)
    start = now
    while start < last:
        end = start + micros(86_400)
        moments = set() if not held and calendar.never_holds(start, end) else _moments(calendar, start, end)
        for at in sorted(moments):
            if calendar.holds(at) is not held:
                return at if at <= last else None
        start = end
    return None


def held(times: Times, start: int, end: int) -> Iterator[Span]:
    """Each span of `start <= t < end` in which any of the ranges holds, in order. Raises ValueError as `within`."""
    at, holds = start, within(times, start)
    while at < end:
        change = next_change(times, at)
        until = end if change is None else min(change, end)
        if holds:
            yield at, until
        at, holds = until, not holds


def problems(times: Times) -> Iterator[Problem]:
    """Everything that cannot be read, each with the way to it."""
    try:
        _zone(times.zone)
    except ValueError as error:
        yield ("zone",), str(error)
    for position, each in enumerate(times.ranges):
        wrong = False
        for name, read in _READERS.items():
            for i, text in enumerate(getattr(each, name)):
                try:
                    read(text)
                except ValueError as error:
                    wrong = True
                    yield ("ranges", position, name, i), str(error)
        if not wrong and not any(getattr(each, name) for name in _READERS):
            yield ("ranges", position), f"says nothing, so it would hold always; say one of {', '.join(_READERS)}"


@Compiled
def _calendar(times: Times) -> _Calendar:
    ranges = tuple(_read(each) for each in times.ranges)
    edges = {0, *(minute for each in ranges for span in each.times for minute in span if minute < _MINUTES)}
    return _Calendar(_zone(times.zone), ranges, tuple(sorted(edges)))


def _moments(calendar: _Calendar, start: int, end: int) -> set[int]:
    """The instants after `start`, up to `end`, at which the wall clock passes an edge or is set."""
    zone = calendar.zone
    first, last = (to_datetime(at).astimezone(zone) for at in (start, end))
    days = ((first.date() - _DAY) + timedelta(days=i) for i in range((last.date() - first.date()).days + 3))
    walls = [datetime(d.year, d.month, d.day, edge // 60, edge % 60) for d in days for edge in calendar.edges]
    found = {from_datetime(wall.replace(tzinfo=zone, fold=fold)) for wall in walls for fold in (0, 1)}
    if first.utcoffset() != last.utcoffset():
        found.add(_clock_set(zone, start, end))
    return {at for at in found if start < at <= end}


def _clock_set(zone: tzinfo, start: int, end: int) -> int:
    """The instant between two, to the second, at which the zone's distance from UTC becomes what it is at `end`."""
    after = to_datetime(end).astimezone(zone).utcoffset()
    low, high = start // MICROSECONDS, end // MICROSECONDS + 1
    while high - low > 1:
        middle = (low + high) // 2
        if to_datetime(middle * MICROSECONDS).astimezone(zone).utcoffset() == after:
            high = middle
        else:
            low = middle
    return high * MICROSECONDS


def _in(spans: tuple[Span, ...], value: int) -> bool:
    """Whether a value is in one of the spans, which may go round; in none at all, everything is."""
    if not spans:
        return True
    return any(begin <= value <= end if begin <= end else value >= begin or value <= end for begin, end in spans)


def _in_month(span: Span, day: date) -> bool:
    length = monthrange(day.year, day.month)[1]
    begin, end = (length + edge + 1 if edge < 0 else edge for edge in span)
    return begin <= day.day <= end


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # no such file, a way out of the folder, a folder
        raise ValueError(f"{name} is not a time zone (try UTC, or one such as Europe/Berlin)") from None


def _read(written: TimeRange) -> _Range:
    return _Range(
        tuple(map(_read_times, written.times)),
        tuple(map(_read_weekdays, written.weekdays)),
        tuple(map(_read_days, written.days_of_month)),
        tuple(map(_read_months, written.months)),
        tuple(map(_read_years, written.years)),
    )


def _read_times(text: str) -> Span:
    found = _TIMES.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text} is not a range of times (try 22:00-06:00; 24:00 is the end of the day)")
    begin = int(found[1]) * 60 + int(found[2])
    end = int(found[3]) * 60 + int(found[4]) if found[3] else _MINUTES
    if begin == end:
        raise ValueError(f"{text} ends when it begins (the whole day is 00:00-24:00)")
    return begin, end


def _read_weekdays(text: str) -> Span:
    return _span(text, "weekdays (try monday:friday)", _name_of(_WEEKDAYS))


def _read_months(text: str) -> Span:
    return _span(text, "months (try january:march, or 1:3)", _name_of(_MONTHS, first=1, numbers=True))


def _read_days(text: str) -> Span:
    begin, end = _span(text, "days of a month (try 1:5, or -3:-1 for its last three)", int)
    for day in (begin, end):
        if not 1 <= abs(day) <= 31:
            raise ValueError(f"{text}: {day} is no day of a month (1 to 31, or -31 to -1 from its end)")
    if begin < 0 < end:
        raise ValueError(f"{text}: what begins from the end of a month ends from its end too (-1 is its last day)")
    if begin > (end if begin < 0 or end > 0 else 32 + end):
        raise ValueError(f"{text} ends before it begins")
    return begin, end


def _read_years(text: str) -> Span:
    begin, end = _span(text, "years (try 2026, or 2026:2028)", int)
    if begin > end:
        raise ValueError(f"{text} ends before it begins")
    return begin, end


_READERS: dict[str, Callable[[str], Span]] = {
    "times": _read_times,
    "weekdays": _read_weekdays,
    "days_of_month": _read_days,
    "months": _read_months,
    "years": _read_years,
}


def _span(text: str, what: str, member: Callable[[str], int]) -> Span:
    first, colon, last = (part.strip().lower() for part in text.partition(":"))
    try:
        begin = member(first)
        return begin, member(last) if colon else begin
    except ValueError:
        raise ValueError(f"{text} is not a range of {what}") from None


def _name_of(names: tuple[str, ...], *, first: int = 0, numbers: bool = False) -> Callable[[str], int]:
    def member(text: str) -> int:
        if numbers and text.isdecimal() and first <= int(text) < first + len(names):
            return int(text)
        return names.index(text) + first

    return member
