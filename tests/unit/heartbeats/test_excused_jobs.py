"""After an absence of ours, or a restore, no job is blamed for calls that nobody could hear; others still are."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from heartbeat_jobs import TOKEN

from forewatch.checking.heartbeats import Heartbeat, Ping, judge, key_of, receive
from forewatch.clock import FakeClock
from forewatch.config.models import Config
from forewatch.config.secrets import Secret
from forewatch.home import Home
from forewatch.orchestration.absence import SHORT, excuse_jobs
from forewatch.store import backup, pings, shifts
from forewatch.store.engine import Store
from forewatch.store.shifts import Fence

pytestmark = pytest.mark.unit

PERIOD, GRACE = 60.0, 20.0


def config(**heartbeat) -> Config:
    check = {"heartbeat": {"token": TOKEN, "period": PERIOD, "grace": GRACE, **heartbeat}, "every": 30.0}
    return Config.model_validate({"services": [{"name": "backup", "checks": [check]}]})


CONFIG = config()
SCHEDULE = CONFIG.services[0].checks[0].heartbeat
KEY = key_of(TOKEN)


@pytest.fixture
def clock(store) -> FakeClock:
    """A job has called in just now, and our watch has just beaten."""
    clock = FakeClock()
    with store.decide() as conn:
        shifts.take(conn, "check-health", "test", expected_term=None, scheduled_for=0, now=clock.now())
    calls(store, clock)
    return clock


def calls(store, clock) -> None:
    with store.decide() as conn:
        before = pings.get(conn, KEY) or Heartbeat(clock.now())
        pings.put(conn, KEY, receive(before, SCHEDULE, Ping("success"), clock.now()))


def beats(store, clock) -> None:
    with store.decide() as conn:
        shifts.beat(conn, Fence("check-health", 1), clock.now())


def start(store, clock, settings=CONFIG) -> list[str]:
    with store.decide() as conn:
        return excuse_jobs(conn, settings, clock.now())


def failing(store, clock) -> bool:
    with store.read() as conn:
        return judge(pings.get(conn, KEY), SCHEDULE, clock.now()).failing


def test_after_an_absence_a_job_gets_its_whole_period_again(store, clock):
    clock.advance(5 * 3600)
    assert failing(store, clock)
    assert start(store, clock) == ["backup/heartbeat"]
    assert not failing(store, clock)
    clock.advance(PERIOD + GRACE)
    assert failing(store, clock)


def test_half_a_minute_away_is_an_absence_for_a_job_that_calls_every_minute(store, clock):
    clock.advance(50)
    beats(store, clock)
    clock.advance(35)
    assert failing(store, clock)
    assert start(store, clock) == ["backup/heartbeat"]
    assert not failing(store, clock)


def test_where_the_parts_of_an_earlier_start_went_on_nobody_is_excused(store, clock):
    clock.advance(PERIOD)
    beats(store, clock)
    clock.advance(SHORT - 1)
    assert start(store, clock) == []


def test_a_job_that_was_missing_while_we_were_there_still_is(store, clock):
    clock.advance(PERIOD + GRACE)
    beats(store, clock)
    clock.advance(97)
    assert start(store, clock) == []
    assert failing(store, clock)


def test_a_restored_store_does_not_hold_the_time_since_the_backup_against_a_job(store, clock, tmp_path):
    copy = backup.make(store, clock.now())[0]
    for _ in range(10):  # the job goes on calling in, and is heard, in the file that is lost
        clock.advance(PERIOD)
        calls(store, clock)
        beats(store, clock)
    store.close()
    home = Home(tmp_path / "home")
    shutil.copy(copy, home.decisions_db)
    for suffix in ("-wal", "-shm"):
        Path(f"{home.decisions_db}{suffix}").unlink(missing_ok=True)
    clock.advance(97)
    restored = Store.open(home)
    assert failing(restored, clock)
    assert start(restored, clock) == ["backup/heartbeat"]
    assert not failing(restored, clock)
    clock.advance(PERIOD + GRACE)
    assert failing(restored, clock)
    restored.close()


def test_a_new_store_and_a_token_that_cannot_be_read_excuse_nobody(store, clock, tmp_path):
    empty = Store.open(Home(tmp_path / "empty"), migrate=True)
    assert start(empty, clock) == []
    empty.close()
    clock.advance(5 * 3600)
    assert start(store, clock, config(token=Secret("env:NO_SUCH_VARIABLE"))) == []
