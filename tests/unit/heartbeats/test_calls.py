"""The check's side: what the store knows of a job's calls, judged now."""

from __future__ import annotations

import pytest
from heartbeat_jobs import TOKEN

from forewatch.checking.heartbeats import Heartbeat, Ping, key_of, receive
from forewatch.clock import micros
from forewatch.config.models import Check, Retention
from forewatch.errors import StoreUnavailable
from forewatch.store import pings
from forewatch.store.housekeeping import retain_decisions
from tasks.probes import ProbeContext, probe
from tasks.probes.calls import Calls

pytestmark = pytest.mark.unit

CHECK = Check.model_validate({"heartbeat": {"token": TOKEN, "period": 3600.0}})


@pytest.fixture
def call(store, serving):
    """A call comes in."""

    def call(kind="success", **more) -> None:
        now = serving.clock.now()
        with store.decide() as conn:
            before = pings.get(conn, key_of(TOKEN)) or Heartbeat(now)
            pings.put(conn, key_of(TOKEN), receive(before, CHECK.heartbeat, Ping(kind, **more), now))

    return call


@pytest.fixture
async def ask(store, serving, tmp_path):
    async with ProbeContext(tmp_path, Calls(store, serving.clock)) as context:
        yield lambda: probe(CHECK, None, context)


async def test_a_job_is_expected_from_when_it_is_first_looked_at(ask, serving):
    assert (await ask()).reason == "has not called in yet, expected every 1h (grace 5m)"
    serving.clock.advance(3899)
    assert (await ask()).ok
    serving.clock.advance(2)
    result = await ask()
    assert not result.ok
    assert result.details == {"state": "down"}


async def test_a_failed_job_fails_the_check_with_its_last_words_until_it_succeeds(ask, call, serving):
    call("fail", code=2, words="tape is full")
    serving.clock.advance(60)
    assert (await ask()).reason == "failed with exit code 2 1m ago: tape is full"
    call()
    result = await ask()
    assert result.ok
    assert result.details["state"] == "up"
    assert result.details["deadline"].endswith("Z")


async def test_a_check_of_a_job_fails_and_recovers_at_the_first_result():
    assert (CHECK.fails_after, CHECK.recovers_after) == (1, 1)
    assert Check.model_validate({"heartbeat": {"token": TOKEN, "period": 60.0}, "fails_after": 2}).fails_after == 2


async def test_while_the_store_cannot_be_read_no_job_is_blamed(ask, call, serving, store, monkeypatch):
    call()
    assert (await ask()).ok

    def refuse():
        raise StoreUnavailable("decisions.db: the disk reports an error")

    monkeypatch.setattr(store, "read", refuse)
    serving.clock.advance(100_000)
    result = await ask()
    assert result.ok
    assert result.reason == "last called in just now (the store cannot be read at present)"
    monkeypatch.undo()
    assert not (await ask()).ok


async def test_a_clock_that_was_set_back_does_not_make_a_job_waited_for_all_the_more(ask, call, serving):
    serving.clock.jump(400 * 86400)
    call()
    serving.clock.jump(-400 * 86400)
    assert (await ask()).reason == "last called in just now"
    serving.clock.advance(3900)
    assert not (await ask()).ok


async def test_where_nothing_ever_ran_the_check_says_so(tmp_path):
    async with ProbeContext(tmp_path) as context:
        result = await probe(CHECK, None, context)
    assert result.reason == "could not be checked: no Forewatch has run here that the job could have called"


async def test_old_calls_go_with_the_decisions_and_what_is_known_of_the_job_stays(store, serving, call):
    call("fail")
    now = serving.clock.now()
    with store.decide() as conn:
        for days in (100, 10):
            pings.add(conn, key_of(TOKEN), Ping("fail"), "", None, now - micros(days * 86400))
    retain_decisions(store, Retention(), now)
    with store.read() as conn:
        assert [one.at for one in pings.last(conn, key_of(TOKEN))] == [now - micros(10 * 86400)]
        assert pings.get(conn, key_of(TOKEN)).status == "down"


async def test_a_look_on_demand_stores_nothing(store, serving, tmp_path):
    async with ProbeContext(tmp_path, Calls(store, serving.clock, watches=False)) as context:
        assert (await probe(CHECK, None, context)).ok
    with store.read() as conn:
        assert pings.get(conn, key_of(TOKEN)) is None
