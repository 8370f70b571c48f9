"""After an outage of ours no job is blamed for calls that nobody could hear; after a relief every job still is."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from heartbeat_jobs import TOKEN

from forewatch.checks import CheckKey, CheckResult, CheckState, ProbeResult
from forewatch.clock import FakeClock
from forewatch.config.models import Config
from forewatch.heartbeats import Heartbeat, Ping, judge, key_of, receive
from forewatch.store import pings
from forewatch.store.schema import shifts
from forewatch.store.shifts import Fence
from tasks.duties.check_health import CheckHealth
from tasks.probes import memory

pytestmark = pytest.mark.unit

CONFIG = Config.model_validate(
    {"services": [{"name": "backup", "checks": [{"heartbeat": {"token": TOKEN, "period": 3600.0}, "every": 30.0}]}]}
)
KEY = key_of(TOKEN)


async def begin_watch(store, clock, config=CONFIG) -> None:
    runtime = SimpleNamespace(
        home=store.home, store=store, clock=clock, configuration=SimpleNamespace(current=lambda: (1, config))
    )
    duty = CheckHealth(runtime, Fence("check-health", 1))
    await duty.start()
    await duty.stop()


@pytest.fixture
def clock(store):
    """A job has called in just now, the check has seen it, and our watch is the one with term 1."""
    clock = FakeClock()
    schedule = CONFIG.services[0].checks[0].heartbeat
    with store.decide() as conn:
        conn.execute(shifts.insert().values(
            shift="check-health", term=1, holder="test", scheduled_for=0, beat=0, beat_at=0
        ))  # fmt: skip
        pings.put(conn, KEY, receive(Heartbeat(clock.now()), schedule, Ping("success"), clock.now()))
    state = CheckState("up", 0, 1, clock.now(), clock.now(), "")
    with store.measure() as conn:
        key = CheckKey("backup", "heartbeat", "default")
        memory.write(conn, [CheckResult(key, clock.now(), ProbeResult(True, 0.0, ""), state)])
    return clock


def failing(store, clock) -> bool:
    with store.read() as conn:
        return judge(pings.get(conn, KEY), CONFIG.services[0].checks[0].heartbeat, clock.now()).failing


async def test_after_an_outage_a_job_gets_its_whole_period_again(store, clock):
    clock.advance(5 * 3600)
    assert failing(store, clock)
    await begin_watch(store, clock)
    assert not failing(store, clock)
    clock.advance(3900)
    assert failing(store, clock)


async def test_a_relief_excuses_nobody(store, clock):
    clock.advance(100)  # not beyond a minute and two rounds of 30 s
    with store.read() as conn:
        before = pings.get(conn, KEY)
    await begin_watch(store, clock)
    with store.read() as conn:
        assert pings.get(conn, KEY) == before


async def test_a_watch_whose_term_is_over_excuses_nobody(store, clock):
    with store.decide() as conn:
        conn.execute(shifts.update().values(term=2))
    clock.advance(5 * 3600)
    await begin_watch(store, clock)
    assert failing(store, clock)
