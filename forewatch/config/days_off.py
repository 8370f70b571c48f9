"""The configured holidays as days, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date
from functools import cache
from zoneinfo import available_timezones

from forewatch.config.detection import Holidays
from forewatch.config.models import Config
from forewatch.config.problems import near
from forewatch.config.spots import Problem, Spot

_DATE = re.compile(r"(?:(\d{4})-)?(\d{2})-(\d{2})")
_LEAP_YEAR = 2024


def days_of(holidays: Holidays, years: Iterable[int]) -> set[date]:
    """The days of some years: the country's public holidays and the ones that are named.

    Raises:
        ValueError: a date cannot be read.
        NotImplementedError: the country or its region is not known to the package `holidays`.
    """
    wanted = list(years)
    found: set[date] = set()
    if holidays.country is not None:
        # Half a second and 20 MB, for those who name a country.
        from holidays import country_holidays

        found |= set(country_holidays(holidays.country, subdiv=holidays.region, years=wanted))
    for text in holidays.dates:
        year, month, day = _read(text)
        for each in wanted if year is None else [year]:
            if (month, day) != (2, 29) or _is_leap(each):
                found.add(date(each, month, day))
    return found


def check_holidays(config: Config, top: Spot) -> Iterator[Problem]:
    """What is wrong with `holidays`, each at its place."""
    holidays, spot = config.holidays, top.at("holidays")
    for index, text in enumerate(holidays.dates):
        try:
            _read(text)
        except ValueError:
            place = spot.at("dates", index)
            yield place.problem(f"{place.quote()} is no day; write 2026-12-24, or 12-24 for every year")
    if holidays.zone not in _zones():
        place = spot.at("zone")
        yield place.problem(f"there is no time zone {place.quote()}{near(holidays.zone, _zones())}")
    if holidays.country is None:
        if holidays.region is not None:
            yield spot.at("region").problem("a region needs its country as well: country: DE")
        return
    from holidays import list_supported_countries

    known = list_supported_countries()
    if holidays.country not in known:
        place = spot.at("country")
        yield place.problem(f"the holidays of {place.quote()} are not known; write two letters, such as DE")
    elif holidays.region is not None and holidays.region not in known[holidays.country]:
        place = spot.at("region")
        regions = ", ".join(known[holidays.country]) or "none"
        yield place.problem(f"{holidays.country} has no region {place.quote()} (there are: {regions})")


@cache
def _zones() -> set[str]:
    """Hundreds of files are looked at for them."""
    return available_timezones()


def _read(text: str) -> tuple[int | None, int, int]:
    """`2026-12-24` or `12-24` as (year or None, month, day). Raises ValueError for anything else."""
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no day")
    year, month, day = match.groups()
    date(int(year or _LEAP_YEAR), int(month), int(day))
    return (int(year) if year else None), int(month), int(day)


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
