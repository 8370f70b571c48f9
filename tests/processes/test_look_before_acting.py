"""A run that is about to act asks, a real watch of the checks probes a real port, and the answer decides."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from forewatch.clock import SystemClock
from forewatch.config.defaults import effective
from forewatch.config.models import Config
from forewatch.errors import ActionRefused
from forewatch.home import Home
from forewatch.incidents.events import AutomationResumed
from forewatch.orchestration.watch import stand_in
from forewatch.runs.automation import turn_automation
from forewatch.runs.execution import admit
from forewatch.runs.look import look, look_ordered
from forewatch.runtime import Runtime
from forewatch.store import alerts, looks, observations, outbox, runs, timers
from forewatch.store.engine import Store
from tasks.shifts.check_health import CheckHealth
from tasks.shifts.page_people import PagePeople

KEY = ("shop", "tcp", "default")


class Followed:
    def __init__(self, config: Config) -> None:
        self.config = config

    def current(self) -> tuple[int, Config]:
        return 1, self.config


@pytest.fixture
def port() -> int:
    with socket.socket() as wire:
        wire.bind(("127.0.0.1", 0))
        return int(wire.getsockname()[1])


@pytest.fixture
def runtime(tmp_path: Path, port: int) -> Iterator[Runtime]:
    home = Home(tmp_path / "state")
    home.create()
    store = Store.open(home, migrate=True)
    yield Runtime(home, store, SystemClock(), Followed(configuration(port)))  # type: ignore[arg-type]
    store.close()


def configuration(port: int, autonomy: str = "auto") -> Config:
    check = {"tcp": f"127.0.0.1:{port}", "every": "60s", "fails_after": 1, "recovers_after": 2, "timeout": "1s"}
    remedy = {"on": {}, "runbook": "restart-service", "with": {"command": ["true"]}, "autonomy": autonomy}
    services = [{"name": "shop", "checks": [check], "remedies": [remedy]}]
    document = {"services": services, "metrics": {"host": False, "starter_rules": False}}
    return effective(Config.model_validate(document))


@asynccontextmanager
async def listening(port: int) -> AsyncIterator[None]:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def watching(runtime: Runtime) -> AsyncIterator[CheckHealth]:
    fence = await stand_in(runtime, "check-health")
    assert fence is not None
    duty = CheckHealth(runtime, fence)
    await duty.start()
    try:
        yield duty
    finally:
        await duty.stop()


async def eventually(what: Callable[[], Any], within: float = 15.0) -> Any:
    for _ in range(round(within / 0.05)):
        if found := what():
            return found
        await asyncio.sleep(0.05)
    raise AssertionError("it did not happen in time")


def first_run(runtime: Runtime) -> Any:
    with runtime.store.read() as conn:
        return runs.get(conn, "RUN-1")


async def test_a_look_is_a_row_a_bell_a_probe_and_an_answer(runtime: Runtime, port: int) -> None:
    async with listening(port), watching(runtime) as duty:
        await eventually(lambda: [row for row in duty.rows() if row["status"] == "up"])
        await asyncio.sleep(1.1)  # what the watch saw itself is no longer fresh
        seen = await look(runtime, "AL-1", "act", [KEY])
    assert [(one["service"], one["ok"], one["status"]) for one in seen] == [("shop", True, "up")]
    with runtime.store.read() as conn:
        row = looks.latest(conn, "AL-1")
    assert row is not None
    assert (row.state, row.results) == ("answered", seen)


async def test_where_nobody_watches_nobody_waits(runtime: Runtime) -> None:
    began = asyncio.get_running_loop().time()
    assert await look(runtime, "AL-1", "act", [KEY]) == []
    assert asyncio.get_running_loop().time() - began < 1.5


async def test_what_is_well_again_is_not_restarted_and_its_page_stays_held(runtime: Runtime, port: int) -> None:
    async with watching(runtime):
        await eventually(lambda: first_run(runtime))
        async with listening(port):
            await asyncio.sleep(1.1)  # the failing result is a second old by now, so its check is asked anew
            with pytest.raises(ActionRefused, match="its check passes again"):
                await admit(runtime, "RUN-1", "flow-1")
    with runtime.store.read() as conn:
        page = outbox.get(conn, "NT-1")
        event = observations.since(conn, 0)[-1].event
    assert page is not None
    assert page.state == "held"
    assert [(one["service"], one["ok"], one["status"]) for one in event["seen"]] == [("shop", True, "down")]


async def test_what_fails_still_is_acted_on(runtime: Runtime) -> None:
    async with watching(runtime):
        await eventually(lambda: first_run(runtime))
        execution = await admit(runtime, "RUN-1", "flow-1")
    assert execution.run.state == "started"


async def test_the_look_ordered_with_the_dispatch_is_answered_before_the_run_asks(runtime: Runtime) -> None:
    async with watching(runtime):
        await eventually(lambda: first_run(runtime))
        row = await eventually(lambda: _answered(runtime, "RUN-1"))
        seen = await look_ordered(runtime, "RUN-1")
    assert [(one["ok"], one["status"]) for one in row.results] == [(False, "down")]
    assert seen[0]["ok"] is False


def _answered(runtime: Runtime, subject: str) -> Any:
    with runtime.store.read() as conn:
        row = looks.latest(conn, subject)
    return row if row is not None and row.state == "answered" else None


async def test_a_remedy_that_is_asked_again_is_looked_at_first_and_other_timers_do_not_wait(
    runtime: Runtime, port: int
) -> None:
    turn_automation(runtime, "off", actor="ana", reason="")
    async with watching(runtime):
        await eventually(lambda: _firing(runtime))
        turn_automation(runtime, "on", actor="ana", reason="")
        fence = await stand_in(runtime, "page-people")
        assert fence is not None
        people = PagePeople(runtime, fence)
        async with listening(port):
            await asyncio.sleep(1.1)
            await people._once()
            event = await eventually(lambda: _remedy_asked(runtime))
            await people._reviews.stop()
    assert [(one["service"], one["ok"]) for one in event["seen"]] == [("shop", True)]
    assert first_run(runtime) is None
    with runtime.store.read() as conn:
        assert timers.waiting(conn, "remedy", "AL-1") is not None
        assert any(one.event["type"] == AutomationResumed.__name__ for one in observations.since(conn, 0))


def _firing(runtime: Runtime) -> bool:
    with runtime.store.read() as conn:
        return bool(alerts.all_firing(conn))


def _remedy_asked(runtime: Runtime) -> Any:
    with runtime.store.read() as conn:
        found = [one.event for one in observations.since(conn, 0) if one.event.get("kind") == "remedy"]
    return found[-1] if found else None


async def test_a_remedy_in_shadow_is_rehearsed_where_the_checks_are_watched(runtime: Runtime, port: int) -> None:
    runtime.configuration.config = configuration(port, autonomy="shadow")  # type: ignore[attr-defined]
    async with watching(runtime):
        event = await eventually(lambda: _rehearsed(runtime))
    assert (event["runbook"], event["problems"]) == ("restart-service", [])
    assert "true can be executed" in event["found"]


def _rehearsed(runtime: Runtime) -> Any:
    with runtime.store.read() as conn:
        found = [one.event for one in observations.since(conn, 0) if one.event["type"] == "ShadowRehearsed"]
    return found[0] if found else None
