"""Holidays: which days they are, where those begin, and what is wrong with a configuration of them."""

from __future__ import annotations

from datetime import date

import pytest

from forewatch.clock import from_datetime, to_datetime
from forewatch.config.days_off import days_of
from forewatch.config.detection import Holidays
from forewatch.detection.holidays import calendar_of

pytestmark = pytest.mark.unit


def test_a_country_brings_its_public_holidays_and_a_region_its_own():
    germany = days_of(Holidays(country="DE"), [2026])
    bavaria = days_of(Holidays(country="DE", region="BY"), [2026])
    assert date(2026, 10, 3) in germany
    assert date(2026, 1, 6) in bavaria - germany


def test_days_are_named_with_a_year_or_for_every_year():
    named = Holidays(dates=["2026-12-24", "12-31", "02-29"])
    assert days_of(named, [2026, 2028]) == {
        date(2026, 12, 24), date(2026, 12, 31), date(2028, 12, 31), date(2028, 2, 29),
    }  # fmt: skip


def test_days_begin_and_end_where_people_live():
    now = from_datetime(to_datetime(0).replace(year=2026, month=6))
    calendar = calendar_of(Holidays(dates=["2026-03-29"], zone="Europe/Berlin"), now)
    assert calendar is not None
    [(start, end)] = calendar.days
    assert to_datetime(start).isoformat() == "2026-03-28T23:00:00+00:00"
    # The clocks went forward that night: it was a day of 23 hours.
    assert to_datetime(end).isoformat() == "2026-03-29T22:00:00+00:00"


def test_without_holidays_there_is_no_calendar():
    assert calendar_of(Holidays(), 0) is None


def test_what_is_wrong_is_said_at_its_place(problems):
    text = 'holidays: {country: Germany, dates: [12-24, "24.12."], zone: Europe/Berln}\n'
    assert [line.removeprefix("forewatch.yaml:") for line in problems(text)] == [
        "1:12: holidays.country: the holidays of Germany are not known; write two letters, such as DE",
        "1:45: holidays.dates[1]: 24.12. is no day; write 2026-12-24, or 12-24 for every year",
        "1:56: holidays.zone: there is no time zone Europe/Berln (did you mean Europe/Berlin?)",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{region: BY}", "a region needs its country"),
        ("{country: DE, region: QQ}", "DE has no region QQ (there are: BB, BE,"),
    ],
)
def test_a_region_is_one_of_its_country(problems, text, said):
    [line] = problems(f"holidays: {text}\n")
    assert said in line
