"""Cron on wall clocks that change: every moment comes, once, and never before the one asked about."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from forewatch.clock import from_datetime, to_datetime
from forewatch.config.cron import last_before, next_after, validate, zone_of

pytestmark = pytest.mark.unit

BERLIN = "Europe/Berlin"


def after(expression: str, zone: str, moment: str, count: int = 1) -> list[str]:
    """The next moments, all in UTC: `2026-03-29T01:00`."""
    at = from_datetime(datetime.fromisoformat(moment).replace(tzinfo=UTC))
    found = []
    for _ in range(count):
        at = next_after(expression, zone, at)
        found.append(to_datetime(at).strftime("%Y-%m-%dT%H:%M"))
    return found


def test_a_daily_job_keeps_its_wall_clock_time_over_both_changes():
    assert after("0 9 * * *", BERLIN, "2026-03-28T12:00", 2) == ["2026-03-29T07:00", "2026-03-30T07:00"]
    assert after("0 9 * * *", BERLIN, "2026-10-24T12:00", 2) == ["2026-10-25T08:00", "2026-10-26T08:00"]


def test_a_time_that_the_clock_leaves_out_comes_at_the_change():
    assert after("30 2 * * *", BERLIN, "2026-03-28T12:00", 2) == ["2026-03-29T01:00", "2026-03-30T00:30"]


def test_a_time_that_comes_twice_is_taken_once_the_first_time():
    assert after("30 2 * * *", BERLIN, "2026-10-24T12:00", 2) == ["2026-10-25T00:30", "2026-10-26T01:30"]


def test_in_the_hour_that_comes_twice_the_next_moment_is_not_in_the_past():
    # 02:35 for the second time: 02:45 of the first time is over.
    assert after("45 2 * * *", BERLIN, "2026-10-25T01:35") == ["2026-10-26T01:45"]


def test_an_hourly_job_runs_in_both_hours_that_bear_the_same_name():
    assert after("0 * * * *", BERLIN, "2026-10-24T23:30", 4) == [
        "2026-10-25T00:00", "2026-10-25T01:00", "2026-10-25T02:00", "2026-10-25T03:00",
    ]  # fmt: skip
    assert after("0 * * * *", BERLIN, "2026-03-29T00:30", 2) == ["2026-03-29T01:00", "2026-03-29T02:00"]


def test_a_zone_that_moves_by_half_an_hour():
    assert after("15 2 * * *", "Australia/Lord_Howe", "2026-10-02T16:00", 2) == ["2026-10-03T15:30", "2026-10-04T15:15"]


def test_a_day_that_a_zone_skipped():
    # Samoa had no 30 December 2011.
    found = after("0 3 * * *", "Pacific/Apia", "2011-12-28T12:00", 4)
    assert found == sorted(set(found))
    assert "2011-12-30T13:00" in found


@pytest.mark.parametrize("zone", [BERLIN, "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Beirut"])
@pytest.mark.parametrize("expression", ["45 2 * * *", "*/20 * * * *", "0 0 * * *", "30 1,2,3 * * 0", "15 */2 * * *"])
def test_over_a_year_of_any_zone_moments_only_go_forward(zone, expression):
    at = from_datetime(datetime(2026, 1, 1, tzinfo=UTC))
    until = from_datetime(datetime(2027, 1, 1, tzinfo=UTC))
    step = 1_800_000_000  # half an hour, so that the search begins everywhere in and around a change
    while at < until:
        found = next_after(expression, zone, at)
        assert found > at
        at = max(found, at + step) if expression.startswith(("45", "0 0", "30")) else at + 40 * step


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("60 * * * *", "bad minute"),
        ("* * *", "wrong number of fields"),
        ("@daily", "wrong number of fields"),
        ("0 0 30 2 *", "bad day-of-month"),
        ("0 0 * * 1#6", "bad day-of-week"),
    ],
)
def test_what_is_no_cron_expression_is_told_with_an_example(expression, why):
    with pytest.raises(
        ValueError, match=f'"{expression}" is not a cron expression: {why}'.replace("*", r"\*")
    ) as error:
        validate(expression)
    assert '(try "0 3 * * *")' in str(error.value)


def test_a_zone_that_does_not_exist_is_answered_with_a_near_one():
    with pytest.raises(ValueError, match=r"Europe/Berln is not a time zone \(try Europe/Berlin\)"):
        zone_of("Europe/Berln")


@pytest.mark.parametrize("expression", ["0 2 * * *", "*/7 * * * *", "30 2 * * 0", "0 9 1 * *"])
@pytest.mark.parametrize("zone", ["UTC", BERLIN])
def test_the_last_moment_before_one_is_the_one_it_follows(expression, zone):
    at = from_datetime(datetime(2026, 6, 10, 12, 3, tzinfo=UTC))
    due = next_after(expression, zone, at)
    before = last_before(expression, zone, due)
    assert before is not None
    assert before < due
    assert next_after(expression, zone, before) == due
