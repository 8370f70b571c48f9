"""How a job that must call in stands, told as its calls come."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from heartbeat_jobs import TOKEN
from hypothesis import given, settings
from hypothesis import strategies as st

from forewatch.checking.heartbeats import (
    Heartbeat,
    Kind,
    Ping,
    Verdict,
    certain_a_minute,
    excused,
    judge,
    key_of,
    last_words,
    matters,
    receive,
)
from forewatch.clock import from_datetime, micros
from forewatch.config.targets import HeartbeatTarget
from forewatch.units import parse_duration

pytestmark = pytest.mark.unit

T0 = from_datetime(datetime(2026, 1, 5, tzinfo=UTC))
A, B = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


class Job:
    """Configured at T0; times are durations since then."""

    def __init__(self, **schedule) -> None:
        self.schedule = HeartbeatTarget(token=TOKEN, **(schedule or {"period": 3600.0}))
        self.state = Heartbeat(T0)

    def at(self, when: str) -> int:
        return T0 + micros(parse_duration(when))

    def calls(self, when: str, kind: Kind = "success", **more) -> None:
        self.state = receive(self.state, self.schedule, Ping(kind, **more), self.at(when))

    def stands(self, when: str) -> Verdict:
        return judge(self.state, self.schedule, self.at(when))

    def statuses(self, *moments: str) -> list[str]:
        return [self.stands(when).status for when in moments]


def test_a_job_that_calls_in_time_is_up_then_in_grace_then_down():
    job = Job()
    job.calls("10m")
    assert job.statuses("10m", "69m", "70m", "74m59s", "75m") == ["up", "up", "grace", "grace", "down"]
    assert job.stands("3h15m").reason == "last called in 3h 5m ago, expected every 1h (grace 5m)"
    assert job.stands("20m").deadline == job.at("75m")


def test_the_next_success_ends_a_missed_call():
    job = Job()
    job.calls("10m")
    assert job.stands("3h").failing
    job.calls("3h")
    assert job.statuses("3h") == ["up"]


def test_a_job_never_heard_of_is_new_until_its_first_call_is_overdue():
    job = Job()
    assert job.statuses("0s", "64m", "65m") == ["new", "new", "down"]
    assert job.stands("65m").reason == (
        "has never called in, 1h 5m after it was configured, expected every 1h (grace 5m)"
    )


def test_a_failure_counts_at_once_with_its_code_and_last_words():
    job = Job()
    job.calls("10m")
    job.calls("20m", "fail", code=3, words="no space left")
    verdict = job.stands("22m")
    assert verdict.failing
    assert verdict.reason == "failed with exit code 3 2m ago: no space left"
    job.calls("23m", "fail")
    assert job.stands("24m").reason == "failed 1m ago"
    job.calls("25m")
    assert job.statuses("25m") == ["up"]


def test_a_run_that_has_started_must_finish_within_the_grace():
    job = Job(period=86400.0, grace=600.0)
    job.calls("1h", "start")
    assert job.statuses("1h", "69m", "70m") == ["started", "started", "down"]
    assert job.stands("65m").deadline == job.at("70m")
    assert job.stands("80m").reason == "started 20m ago and has not finished (grace 10m)"
    job.calls("81m")
    assert job.statuses("81m") == ["up"]
    assert job.state.duration == 21 * 60


def test_a_new_run_does_not_make_up_for_one_that_never_finished():
    job = Job(period=86400.0, grace=600.0)
    job.calls("1h")
    job.calls("2h", "start", rid=A)
    assert job.stands("3h").failing
    job.calls("3h", "start", rid=B)
    assert job.statuses("3h", "3h1m") == ["down", "down"]
    job.calls("3h2m", rid=B)
    assert job.statuses("3h2m") == ["up"]


def test_overlapping_runs_are_told_apart_by_their_ids():
    job = Job(period=86400.0, grace=3600.0)
    job.calls("10m", "start", rid=A)
    job.calls("15m", "start", rid=B)
    job.calls("20m", rid=A)
    assert job.state.duration == 600
    assert job.statuses("20m") == ["started"]  # the newest run is still under way
    job.calls("30m", rid=B)
    assert job.state.duration == 900
    assert job.statuses("30m") == ["up"]


def test_a_failure_of_one_run_ends_the_waiting_for_the_other():
    job = Job(grace=600.0, period=3600.0)
    job.calls("1m", "start", rid=A)
    job.calls("2m", "fail", rid=B)
    assert job.state.started_at is None
    assert job.statuses("2m") == ["down"]


def test_a_start_older_than_72_hours_has_no_finish():
    job = Job(period=604800.0, grace=604800.0)
    job.calls("0s", "start", rid=A)
    job.calls("73h", rid=A)
    assert job.state.duration is None
    job.calls("74h", "start")
    job.calls("147h")
    assert job.state.duration is None


def test_a_log_changes_nothing():
    job = Job()
    job.calls("10m")
    before = job.state
    job.calls("20m", "log", words="half way")
    assert job.state == before


class Nightly(Job):
    """Due at 2:00 UTC, and called in time the night before; times are durations since midnight."""

    def __init__(self, cron: str = "0 2 * * *", **more) -> None:
        super().__init__(cron=cron, **more)
        self.state = Heartbeat(T0 - micros(86_400), status="up", last_at=T0 - micros(22 * 3600))


@pytest.mark.parametrize("ahead", ["1h59m58s", "1h59m1s", "1h59m"])
def test_a_job_whose_clock_is_a_little_ahead_is_up_and_the_clock_is_named(ahead):
    job = Nightly()
    job.calls(ahead)
    assert job.statuses(ahead, "2h", "2h5m", "25h") == ["up"] * 4
    assert job.stands("3h").reason.endswith(" before it was due: its clock may be ahead")
    assert job.stands("26h").status == "grace"
    assert job.stands("26h5m").failing


def test_a_call_much_too_early_is_not_the_one_expected_and_its_clock_is_asked_about():
    job = Nightly()
    job.calls("1h58m30s")
    assert job.statuses("2h4m59s", "2h5m") == ["grace", "down"]
    assert "that was 1m 30s before it was due: if its clock is ahead" in job.stands("2h5m").reason
    patient = Nightly(early=120.0)
    patient.calls("1h58m30s")
    assert patient.statuses("2h5m") == ["up"]
    strict = Nightly(early=0.0)
    strict.calls("1h59m58s")
    assert strict.statuses("2h5m") == ["down"]


def test_a_job_that_missed_its_call_says_nothing_of_clocks():
    assert "clock" not in Nightly().stands("2h5m").reason


def test_a_call_a_little_late_is_not_early_for_the_next_one():
    job = Nightly(cron="* * * * *", grace=30.0)
    job.calls("2h20s")
    assert job.stands("2h20s").deadline == job.at("2h1m30s")
    job.calls("2h1m40s")
    assert job.stands("2h1m40s").deadline == job.at("2h3m30s")
    uneven = Nightly(cron="0,1 2 * * *", grace=30.0)
    uneven.calls("2h20s")
    assert uneven.statuses("2h1m29s", "2h1m30s") == ["grace", "down"]


def test_a_long_run_that_ends_just_before_the_next_is_due_is_not_early_for_that():
    job = Nightly(cron="0 * * * *", grace=3600.0)
    job.calls("2h", kind="start")
    job.calls("2h59m30s")
    assert job.stands("2h59m30s").deadline == job.at("4h")
    short = Nightly(cron="0 * * * *")
    short.calls("1h59m57s", kind="start")
    short.calls("1h59m58s")
    assert short.stands("2h30m").deadline == short.at("3h5m")


def test_a_job_heard_early_and_then_not_for_a_restart_of_ours_is_not_expected_again():
    job = Nightly()
    job.calls("1h59m58s")
    job.state = excused(job.state, job.schedule, job.at("1h59m58s"), job.at("1h59m59s"))
    assert job.statuses("2h", "2h6m") == ["up", "up"]


def test_a_cron_schedule_counts_on_the_wall_clock_of_its_zone():
    # On 29 March 2026 the night in Berlin has no 02:30.
    begin = from_datetime(datetime(2026, 3, 28, 1, 31, tzinfo=UTC))
    schedule = HeartbeatTarget(token=TOKEN, cron="30 2 * * *", zone="Europe/Berlin", grace=300.0)
    state = receive(Heartbeat(begin), schedule, Ping("success"), begin)
    due = from_datetime(datetime(2026, 3, 29, 1, 0, tzinfo=UTC))
    assert judge(state, schedule, due - 1).status == "up"
    assert judge(state, schedule, due).status == "grace"
    verdict = judge(state, schedule, due + micros(300))
    assert verdict.reason == (
        'last called in 23h 34m ago, expected at 2026-03-29 03:00 Europe/Berlin by "30 2 * * *" (grace 5m)'
    )


def test_a_night_that_is_an_hour_longer_alarms_an_hour_later():
    begin = from_datetime(datetime(2026, 10, 24, 1, 0, tzinfo=UTC))  # 03:00 in Berlin
    schedule = HeartbeatTarget(token=TOKEN, cron="0 3 * * *", zone="Europe/Berlin", grace=60.0)
    state = receive(Heartbeat(begin), schedule, Ping("success"), begin)
    assert judge(state, schedule, begin + micros(86400 + 120)).status == "up"
    assert judge(state, schedule, begin + micros(90000 + 60)).failing


def test_what_was_due_while_nobody_could_hear_it_is_held_against_no_job():
    job = Job()
    job.calls("10m")
    job.calls("20m", "start")
    job.state = excused(job.state, job.schedule, job.at("22m"), job.at("10h"))
    assert job.statuses("10h", "10h59m", "11h5m") == ["up", "up", "down"]
    assert job.stands("11h5m").reason == (
        "last called in 10h 55m ago (Forewatch could not hear it until 1h 5m ago), expected every 1h (grace 5m)"
    )
    job.calls("12h", "fail")
    job.state = excused(job.state, job.schedule, job.at("13h"), job.at("20h"))
    assert job.stands("20h").failing  # a failure stays one


def test_a_call_that_is_not_due_near_the_absence_is_expected_as_before():
    job = Job()
    job.calls("10m")  # the next at 1h10m, or as much as the grace of 5m earlier or later
    before = job.state
    assert excused(before, job.schedule, job.at("30m"), job.at("1h5m")) == before
    assert excused(before, job.schedule, job.at("30m"), job.at("1h6m")) != before


def test_restarts_do_not_keep_a_dead_job_from_being_noticed():
    job = Job()
    job.calls("10m")
    for minute in range(20, 65, 5):
        job.state = excused(job.state, job.schedule, job.at(f"{minute}m") - 30_000_000, job.at(f"{minute}m"))
    assert job.statuses("1h14m", "1h15m") == ["grace", "down"]


def test_what_was_missing_before_the_absence_stays_missing():
    job = Job()
    job.calls("10m")
    job.state = excused(job.state, job.schedule, job.at("1h16m"), job.at("2h"))
    assert job.stands("2h").failing


def test_a_run_whose_end_may_have_been_missed_is_waited_for_no_more():
    job = Job()
    job.calls("10m", "start")
    job.state = excused(job.state, job.schedule, job.at("11m"), job.at("16m"))
    assert job.stands("20m").status == "new"


def test_only_what_changes_nothing_may_be_dropped():
    job = Job()

    def certain(when: str, kind: Kind = "success", **more) -> bool:
        return matters(job.state, job.schedule, Ping(kind, **more), job.at(when))

    assert certain("0s")  # the first success
    job.calls("1m")
    assert not certain("2m")
    assert not certain("2m", "log")
    assert not certain("2m", "start")
    assert certain("2m", "fail")
    assert certain("3h")  # ends a missed call
    job.calls("3m", "start", rid=A)
    assert certain("4m", rid=A)  # ends a run
    job.calls("5m", "fail")
    assert certain("6m")
    assert certain("6m", "fail")


SCHEDULES = st.sampled_from(
    [{"period": 600.0, "grace": 60.0}, {"period": 60.0, "grace": 3600.0}, {"cron": "*/10 * * * *", "grace": 90.0}]
)
CALLS = st.lists(
    st.tuples(
        st.integers(0, 2000), st.sampled_from(["success", "start", "fail", "log"]), st.sampled_from([None, A, B])
    ),
    max_size=12,
)


@settings(deadline=None)
@given(SCHEDULES, CALLS, st.integers(0, 5000))
def test_whatever_comes_a_heartbeat_is_down_exactly_from_its_deadline_on(schedule, calls, later):
    job, now = Job(**schedule), T0
    for wait, kind, rid in calls:
        now += micros(wait)
        before = judge(job.state, job.schedule, now)
        job.state = receive(job.state, job.schedule, Ping(kind, rid), now)
        after = judge(job.state, job.schedule, now)
        if kind == "fail":
            assert after.failing
        if kind in ("start", "log"):
            assert after.failing == before.failing
        if kind == "success" and job.state.started_at is None:
            assert after.status in ("up", "grace")
    verdict = judge(job.state, job.schedule, now)
    if verdict.deadline is None:
        assert judge(job.state, job.schedule, now + micros(later)).failing
    else:
        assert now < verdict.deadline
        assert not judge(job.state, job.schedule, verdict.deadline - 1).failing
        assert judge(job.state, job.schedule, verdict.deadline).failing


def test_the_store_knows_a_job_by_a_digest_that_tells_nothing():
    assert key_of(TOKEN) == key_of(TOKEN.upper())
    assert TOKEN not in key_of(TOKEN)
    assert len(key_of(TOKEN)) == 64


def test_the_last_words_are_the_last_lines():
    assert last_words("one\ntwo\n\nthree\n four \n") == "two / three / four"
    assert last_words("x" * 5000 + "end").endswith("xend")
    assert len(last_words("x" * 5000)) == 300
    assert last_words("") == ""


@pytest.mark.parametrize(("period", "calls"), [("1s", 180), ("10s", 18), ("1m", 5), ("1d", 5)])
def test_a_job_that_calls_often_may_call_often(period, calls):
    assert certain_a_minute(HeartbeatTarget(token="x", period=period)) == calls
    assert certain_a_minute(HeartbeatTarget(token="x", cron="* * * * *")) == 5
