"""Paging while the store takes no decisions."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace

import pytest

from forewatch.clock import FakeClock, micros
from forewatch.config.models import Config
from forewatch.errors import StoreUnavailable
from forewatch.home import Home
from forewatch.incidents.outcome import Outcome
from forewatch.store import timers
from forewatch.store.engine import Store
from forewatch.store.shifts import Fence
from tasks.delivery import AT_ONCE
from tasks.shifts import decider
from tasks.shifts.page_people import AGAIN_AFTER, PagePeople

pytestmark = pytest.mark.unit


@pytest.fixture
def runtime(tmp_path):
    home = Home(tmp_path)
    home.create()
    store = Store.open(home, migrate=True)
    yield SimpleNamespace(
        home=home, store=store, clock=FakeClock(), configuration=SimpleNamespace(current=lambda: (1, Config()))
    )
    store.close()


async def test_due_timers_do_not_add_up_while_the_store_takes_no_decision(runtime, monkeypatch):
    def refuse(*_, **__):
        raise StoreUnavailable("decisions.db: the disk is full; free some space")

    now = runtime.clock.now()
    with runtime.store.decide() as conn:
        for run in ("RUN-1", "RUN-2"):
            timers.add(conn, "verification", run, now - micros(1), now - micros(2))
    duty = PagePeople(runtime, Fence("page-people", 1))
    monkeypatch.setattr(decider, "decide", refuse)
    for _ in range(5):
        await duty._once()
    assert duty.rows()[0]["kept for the store"] == 1

    decided = []
    monkeypatch.setattr(decider, "decide", lambda store, event, **_: decided.append(event.subject))
    monkeypatch.setattr(decider, "wake", lambda home, outcome: None)
    await duty._decider.retry()
    assert decided == ["RUN-1"]


async def test_names_that_nobody_resolves_leave_threads_for_the_others(runtime):
    duty = PagePeople(runtime, Fence("page-people", 1))
    await duty.start()
    resolver = threading.Event()
    hanging = [asyncio.create_task(asyncio.to_thread(resolver.wait)) for _ in range(AT_ONCE)]
    await asyncio.sleep(0)
    try:
        async with asyncio.timeout(10):
            assert await asyncio.to_thread(lambda: "resolved") == "resolved"
    finally:
        resolver.set()
        await asyncio.gather(*hanging)
        await duty.stop()


async def test_a_timer_that_cannot_be_decided_upon_is_put_off_and_holds_up_no_other(runtime, monkeypatch):
    asked = []

    def fails_for_one(_store, event, **_):
        asked.append(event.subject)
        if event.subject == "RUN-1":
            raise KeyError("a fault of our own")
        return Outcome()

    now = runtime.clock.now()
    with runtime.store.decide() as conn:
        for run in ("RUN-1", "RUN-2"):
            timers.add(conn, "verification", run, now - micros(1), now - micros(2))
    monkeypatch.setattr(decider, "decide", fails_for_one)
    duty = PagePeople(runtime, Fence("page-people", 1))
    await duty._once()
    await duty._once()
    assert asked == ["RUN-1", "RUN-2", "RUN-2"]
    runtime.clock.advance(AGAIN_AFTER + 1)
    await duty._once()
    assert asked[3:] == ["RUN-1", "RUN-2"]
