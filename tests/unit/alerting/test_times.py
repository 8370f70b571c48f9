from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forewatch.alerting.times import held, next_change, problems, within
from forewatch.clock import from_datetime, micros, to_datetime
from forewatch.config.models import Times

pytestmark = pytest.mark.unit

BERLIN = "Europe/Berlin"


def times(*ranges, zone="UTC"):
    return Times.model_validate({"name": "x", "zone": zone, "ranges": list(ranges)})


def at(text, zone="UTC", fold=0):
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold))


def holds(of, text, **more):
    return within(of, at(text, **more))


def test_times_are_from_and_up_to():
    office = times({"times": ["09:00-17:00"]})
    assert [holds(office, f"2026-11-02T{clock}") for clock in ("08:59:59", "09:00", "16:59:59", "17:00")] == [
        False, True, True, False
    ]  # fmt: skip
    assert holds(times({"times": ["23:00-24:00"]}), "2026-11-02T23:59:59.999999")


def test_a_night_goes_past_midnight_and_belongs_to_the_day_it_began_on():
    friday = times({"times": ["22:00-06:00"], "weekdays": ["friday"]})
    assert holds(friday, "2026-11-06T22:00")
    assert holds(friday, "2026-11-07T05:59")
    assert not holds(friday, "2026-11-07T06:00")
    assert not holds(friday, "2026-11-06T05:00")
    last = times({"times": ["22:00-06:00"], "years": ["2026"]})
    assert holds(last, "2027-01-01T05:59")


def test_weekdays_may_go_round_the_week():
    weekend = times({"weekdays": ["saturday:sunday"]})
    assert [holds(weekend, f"2026-11-{day:02}T12:00") for day in range(2, 9)] == [False] * 5 + [True] * 2
    assert holds(times({"weekdays": ["Monday : Wednesday", "friday"]}), "2026-11-06T00:00")


def test_days_of_the_month_count_from_its_end_too():
    last_three = times({"days_of_month": ["-3:-1"]})
    assert [day for day in range(1, 29) if holds(last_three, f"2026-02-{day:02}T00:00")] == [26, 27, 28]
    from_the_fifth = times({"days_of_month": ["5:-1"]})
    assert [day for day in range(1, 31) if holds(from_the_fifth, f"2026-04-{day:02}T00:00")] == list(range(5, 31))
    assert not any(holds(times({"days_of_month": ["30:31"]}), f"2026-02-{day:02}T00:00") for day in range(1, 29))
    assert holds(times({"days_of_month": ["-31"]}), "2026-01-01T00:00")


def test_months_and_years():
    assert holds(times({"months": ["november:february"]}), "2026-01-31T12:00")
    assert not holds(times({"months": ["november:february"]}), "2026-03-01T00:00")
    assert holds(times({"months": ["1:3"], "years": ["2025:2026"]}), "2026-03-31T23:59")
    assert not holds(times({"months": ["march"], "years": ["2027"]}), "2026-03-31T23:59")


def test_all_fields_of_a_range_must_hold_and_any_range_does():
    either = times({"weekdays": ["monday"], "times": ["00:00-01:00"]}, {"weekdays": ["sunday"]})
    assert holds(either, "2026-11-02T00:30")
    assert not holds(either, "2026-11-02T01:30")
    assert holds(either, "2026-11-08T23:30")


def test_a_zone_has_its_own_midnight():
    monday = times({"weekdays": ["monday"]}, zone="Pacific/Auckland")
    assert holds(monday, "2026-11-01T12:00")
    assert not holds(monday, "2026-11-02T12:00")


def test_an_hour_that_comes_twice_is_in_the_range_twice():
    hour = times({"times": ["02:00-03:00"]}, zone=BERLIN)
    assert holds(hour, "2026-10-25T02:30", zone=BERLIN, fold=0)
    assert holds(hour, "2026-10-25T02:30", zone=BERLIN, fold=1)
    assert next_change(hour, at("2026-10-25T00:00")) == at("2026-10-25T02:00")


def test_an_hour_that_is_skipped_is_no_time_at_all():
    hour = times({"times": ["02:00-03:00"]}, zone=BERLIN)
    assert next_change(hour, at("2026-03-28T12:00")) == at("2026-03-30T02:00", zone=BERLIN)


def test_a_range_that_begins_in_the_skipped_hour_begins_when_the_clock_is_set():
    half = times({"times": ["02:30-04:00"]}, zone=BERLIN)
    assert next_change(half, at("2026-03-29T00:00")) == at("2026-03-29T01:00")
    half = times({"times": ["01:15-02:30"]}, zone=BERLIN)
    assert next_change(half, at("2026-03-29T00:30")) == at("2026-03-29T01:00")


def test_a_range_that_ends_in_the_hour_that_comes_twice_ends_twice():
    half = times({"times": ["00:00-02:30"]}, zone=BERLIN)
    changes = [at("2026-10-25T00:00")]
    for _ in range(3):
        changes.append(next_change(half, changes[-1]))
    assert changes[1:] == [at("2026-10-25T00:30"), at("2026-10-25T01:00"), at("2026-10-25T01:30")]


def test_a_window_far_off_is_found_and_one_too_far_is_not():
    january = times({"months": ["january"], "days_of_month": ["1"]})
    assert next_change(january, at("2026-01-02T00:00")) == at("2027-01-01T00:00")
    assert next_change(times({"years": ["2029"]}), at("2026-01-01T00:00")) is None
    assert next_change(times({"times": ["00:00-24:00"]}), at("2026-01-01T00:00")) is None
    assert next_change(times({"months": ["february"]}), at("9999-12-30T00:00")) is None


spans = st.tuples(st.integers(0, 95), st.integers(0, 96)).filter(lambda pair: pair[0] != pair[1])
clocks = spans.map(lambda span: "-".join(f"{edge // 4:02}:{edge % 4 * 15:02}" for edge in span))
ranges = st.fixed_dictionaries(
    {"times": st.lists(clocks, max_size=2)},
    optional={
        "weekdays": st.just(["saturday:sunday"]),
        "days_of_month": st.sampled_from([["1:5"], ["-2:-1"], ["25", "29"]]),
    },
)
# Where and when clocks are set: by an hour, by half an hour, at midnight; a day is skipped.
SET = [
    (BERLIN, "2026-03-29T00:00"), (BERLIN, "2026-10-25T00:00"), ("Australia/Lord_Howe", "2026-04-04T12:00"),
    ("Africa/Cairo", "2026-04-23T12:00"), ("Africa/Cairo", "2026-10-29T12:00"), ("Pacific/Apia", "2011-12-30T06:00"),
    ("UTC", "2026-02-27T12:00"),
]  # fmt: skip


@settings(deadline=None)
@given(st.lists(ranges, min_size=1, max_size=2), st.sampled_from(SET), st.integers(-600, 600))
def test_the_next_change_is_the_one_that_looking_at_every_quarter_of_an_hour_finds(some, place, offset):
    zone, middle = place
    of = times(*some, zone=zone)
    now = at(middle) + micros(60 * offset)
    quarter = micros(900)
    steps = range(now - now % quarter + quarter, now + micros(2 * 86_400), quarter)
    expected = next((step for step in steps if within(of, step) is not within(of, now)), None)
    found = next_change(of, now)
    if expected is None:
        assert found is None or found >= steps[-1], to_datetime(found)
    else:
        assert found == expected


@pytest.mark.parametrize(
    ("field", "text", "sentence"),
    [
        ("times", "9-17", "9-17 is not a range of times (try 22:00-06:00; 24:00 is the end of the day)"),
        ("times", "24:00-06:00", "24:00-06:00 is not a range of times"),
        ("times", "09:60-10:00", "09:60-10:00 is not a range of times"),
        ("times", "09:00-09:00", "09:00-09:00 ends when it begins (the whole day is 00:00-24:00)"),
        ("weekdays", "mon", "mon is not a range of weekdays (try monday:friday)"),
        ("weekdays", "1:5", "1:5 is not a range of weekdays"),
        ("weekdays", "monday:", "monday: is not a range of weekdays"),
        ("days_of_month", "0", "0: 0 is no day of a month (1 to 31, or -31 to -1 from its end)"),
        ("days_of_month", "1:32", "1:32: 32 is no day of a month"),
        ("days_of_month", "5:1", "5:1 ends before it begins"),
        ("days_of_month", "-1:-3", "-1:-3 ends before it begins"),
        ("days_of_month", "20:-20", "20:-20 ends before it begins"),
        ("days_of_month", "-3:5", "-3:5: what begins from the end of a month ends from its end too"),
        ("days_of_month", "first", "first is not a range of days of a month (try 1:5"),
        ("months", "13", "13 is not a range of months (try january:march, or 1:3)"),
        ("months", "janury", "janury is not a range of months"),
        ("years", "2028:2026", "2028:2026 ends before it begins"),
        ("years", "soon", "soon is not a range of years (try 2026, or 2026:2028)"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_sentence(field, text, sentence):
    wrong = times({field: [text]})
    [(way, message)] = problems(wrong)
    assert way == ("ranges", 0, field, 0)
    assert message.startswith(sentence)
    with pytest.raises(ValueError):
        within(wrong, 0)


@pytest.mark.parametrize("zone", ["Berlin", "", "Europe", "../UTC", "/etc/localtime", "a\0b"])
def test_a_zone_nobody_knows_is_refused(zone):
    [(way, message)] = problems(times({"months": ["1"]}, zone=zone))
    assert (way, message) == (("zone",), f"{zone} is not a time zone (try UTC, or one such as Europe/Berlin)")


def test_a_range_that_says_nothing_is_refused():
    [(way, message)] = problems(times({"months": ["1"]}, {}))
    assert way == ("ranges", 1)
    assert message == "says nothing, so it would hold always; say one of times, weekdays, days_of_month, months, years"


@given(st.sampled_from(["times", "weekdays", "days_of_month", "months", "years"]), st.text(max_size=12))
def test_any_text_is_read_or_refused(field, text):
    of = times({field: [text]})
    if not list(problems(of)):
        within(of, at("2026-02-28T12:00"))


def test_the_spans_that_hold_are_listed_with_both_ends_cut():
    night = times({"times": ["22:00-06:00"]})
    found = list(held(night, at("2026-03-02T23:00"), at("2026-03-04T01:00")))
    assert found == [
        (at("2026-03-02T23:00"), at("2026-03-03T06:00")),
        (at("2026-03-03T22:00"), at("2026-03-04T01:00")),
    ]
    assert list(held(night, at("2026-03-02T07:00"), at("2026-03-02T21:00"))) == []
    assert list(held(times({}), at("2026-03-02T07:00"), at("2026-03-02T08:00"))) == [
        (at("2026-03-02T07:00"), at("2026-03-02T08:00"))
    ]
