"""Runs that fall silent are dispatched again, and never beside a process that may come back."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from prefect.states import Cancelled

from forewatch.clock import FakeClock
from forewatch.config.models import Config
from forewatch.errors import StoreUnavailable
from forewatch.home import Home
from forewatch.orchestration.dispatcher import Dispatcher
from forewatch.orchestration.patience import LEAST
from forewatch.process_start import start_mark
from forewatch.remedy.run import Run
from forewatch.store import generations, ids, runs
from forewatch.store.engine import Store

pytestmark = pytest.mark.unit


class Launcher:
    def __init__(self, *, ours: bool = True) -> None:
        self.killed: list[str] = []
        self.alone: list[str] = []
        """Runs that are carried out without a flow run."""
        self._ours = ours

    async def respond(self, run_id: str) -> None:
        self.alone.append(run_id)

    def find_run(self, run_id: str) -> object | None:
        return object() if self._ours else None

    def kill_run(self, run_id: str) -> None:
        self.killed.append(run_id)


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[SimpleNamespace]:
    home = Home(tmp_path)
    home.create()
    store = Store.open(home, migrate=True)
    with store.decide() as conn:
        run: dict[str, Any] = dict.fromkeys(Run.__dataclass_fields__)
        run |= {"id": "RUN-1", "kind": "runbook", "runbook": "restart-service", "inputs": {}, "autonomy": "person"}
        run |= {"requested_by": "ada", "state": "started", "attempts": 1, "flow_run_id": "flow-a", "created_at": 1}
        runs.put(conn, Run(**run))
    configuration = SimpleNamespace(current=lambda: (1, Config()))
    yield SimpleNamespace(home=home, store=store, clock=FakeClock(), configuration=configuration)
    store.close()


def state(runtime: SimpleNamespace) -> str:
    with runtime.store.read() as conn:
        run = runs.get(conn, "RUN-1")
    assert run is not None
    return run.state


async def fall_silent(runtime: SimpleNamespace, launcher: Launcher) -> None:
    await watch(runtime, Dispatcher(runtime, launcher, "worker", lambda: None), LEAST + 2)  # type: ignore[arg-type]


async def watch(runtime: SimpleNamespace, dispatcher: Dispatcher, seconds: float) -> None:
    for _ in range(round(seconds)):
        await dispatcher.watch_pulses()
        runtime.clock.advance(1.0)


async def test_a_run_that_shows_no_life_is_put_back_and_its_hung_process_ended(runtime: SimpleNamespace) -> None:
    launcher = Launcher()
    await fall_silent(runtime, launcher)
    assert (state(runtime), launcher.killed) == ("waiting", ["RUN-1"])


async def test_a_flow_run_is_asked_for_under_a_key_that_no_restored_store_gives_again(runtime: SimpleNamespace) -> None:
    with runtime.store.decide() as conn:
        generation = generations.begin(conn, runtime.clock.now())
        run = runs.get(conn, "RUN-1")
        assert run is not None
        runs.put(conn, replace(run, id=ids.next_id(conn, "RUN"), state="waiting", flow_run_id=None), "started")
    asked: list[str] = []

    class Client:
        async def create_flow_run_from_deployment(self, *_: Any, idempotency_key: str = "", **__: Any) -> Any:
            asked.append(idempotency_key)
            raise OSError("the server is away")

    deployed = {"restart-service": SimpleNamespace(id="d", entrypoint="e")}
    dispatcher = Dispatcher(runtime, Launcher(), "worker", lambda: (Client(), deployed))  # type: ignore[arg-type,return-value]
    assert await dispatcher.dispatch_waiting() == 1
    await asyncio.gather(*dispatcher._starting.values())
    assert asked == [f"{generation}-RUN-1/2"]


def a_remedy_waits(runtime: SimpleNamespace, **fields: Any) -> None:
    with runtime.store.decide() as conn:
        generations.begin(conn, runtime.clock.now())
        run = runs.get(conn, "RUN-1")
        assert run is not None
        waiting: dict[str, Any] = {"kind": "respond", "state": "waiting", "flow_run_id": None, "attempts": 0}
        runs.put(conn, replace(run, **(waiting | fields)), "started")


class Prefect:
    """A server that answers, or not."""

    def __init__(self, *, away: bool = False, state: object = None) -> None:
        self.asked: list[dict[str, Any]] = []
        self._away = away
        self._state = state

    async def create_flow_run_from_deployment(self, *_: Any, **asked: Any) -> Any:
        if self._away:
            raise OSError("the server is away")
        self.asked.append(asked)
        return SimpleNamespace(id="f", state=None)

    async def read_flow_run(self, id: object) -> Any:
        return SimpleNamespace(state=self._state)


async def dispatch(
    runtime: SimpleNamespace, launcher: Launcher, prefect: Prefect | None, *, stands_by: bool = False
) -> list[str]:
    """Returns the runs that a stand-by was told of."""
    told: list[str] = []

    def stand_by(run_id: str) -> bool:
        told.append(run_id)
        return stands_by

    deployed = {key: SimpleNamespace(id="d", entrypoint="e") for key in ("respond", "restart-service")}
    ready = (prefect, deployed) if prefect is not None else None
    dispatcher = Dispatcher(runtime, launcher, "worker", lambda: ready, stand_by=stand_by)  # type: ignore[arg-type,return-value]
    await dispatcher.dispatch_waiting()
    await asyncio.gather(*dispatcher._starting.values())
    return told if stands_by else []


async def test_a_remedy_is_told_to_the_stand_by_and_prefect_is_not_asked(runtime: SimpleNamespace) -> None:
    a_remedy_waits(runtime)
    launcher, prefect = Launcher(), Prefect()
    assert await dispatch(runtime, launcher, prefect, stands_by=True) == ["RUN-1"]
    assert (state(runtime), launcher.alone, prefect.asked) == ("claimed", [], [])


async def test_a_stand_by_that_lost_its_server_carries_a_remedy_out_all_the_same(runtime: SimpleNamespace) -> None:
    a_remedy_waits(runtime)
    assert await dispatch(runtime, Launcher(), None, stands_by=True) == ["RUN-1"]


async def test_a_remedy_does_not_wait_for_prefect(runtime: SimpleNamespace) -> None:
    a_remedy_waits(runtime)
    launcher = Launcher()
    await dispatch(runtime, launcher, None)
    assert (state(runtime), launcher.alone) == ("claimed", ["RUN-1"])


async def test_a_remedy_that_a_falling_server_takes_no_flow_run_for_is_carried_out_without_one(
    runtime: SimpleNamespace,
) -> None:
    a_remedy_waits(runtime)
    launcher = Launcher()
    await dispatch(runtime, launcher, Prefect(away=True))
    assert (state(runtime), launcher.alone) == ("claimed", ["RUN-1"])


async def test_what_a_person_started_waits_for_prefect(runtime: SimpleNamespace) -> None:
    a_remedy_waits(runtime, kind="runbook")
    launcher = Launcher()
    assert await dispatch(runtime, launcher, None, stands_by=True) == []
    assert (state(runtime), launcher.alone) == ("waiting", [])


async def test_a_run_that_was_cancelled_in_prefect_is_not_given_to_a_stand_by(runtime: SimpleNamespace) -> None:
    a_remedy_waits(runtime, flow_run_id=str(UUID(int=1)), attempts=1)
    launcher = Launcher()
    assert await dispatch(runtime, launcher, Prefect(state=Cancelled()), stands_by=True) == []
    assert (state(runtime), launcher.alone) == ("cancelled", [])


async def test_a_death_that_is_heard_late_does_not_cost_its_successor_the_run(runtime: SimpleNamespace) -> None:
    launcher = Launcher()
    dispatcher = Dispatcher(runtime, launcher, "worker", lambda: None)  # type: ignore[arg-type]
    dispatcher.lost("RUN-1")
    await dispatcher.watch_pulses()
    assert (state(runtime), launcher.killed) == ("started", [])


async def test_a_remedy_that_a_person_cancels_before_it_begins_does_not_begin(runtime: SimpleNamespace) -> None:
    a_remedy_waits(runtime, state="claimed", attempts=1)
    dispatcher = Dispatcher(runtime, Launcher(ours=False), "worker", lambda: None)  # type: ignore[arg-type]
    await dispatcher.called_off("RUN-1")
    assert state(runtime) == "cancelled"
    await dispatcher.called_off("RUN-1")


async def test_a_run_that_a_relieved_stand_by_never_began_is_dispatched_again_at_once(runtime: SimpleNamespace) -> None:
    a_remedy_waits(runtime, state="claimed", attempts=1)
    dispatcher = Dispatcher(runtime, Launcher(ours=False), "worker", lambda: None)  # type: ignore[arg-type]
    await dispatcher.watch_pulses()
    assert state(runtime) == "claimed"
    dispatcher.left("RUN-1")
    await dispatcher.watch_pulses()
    assert state(runtime) == "waiting"


async def test_a_run_that_another_process_has_begun_stays_with_it(runtime: SimpleNamespace) -> None:
    dispatcher = Dispatcher(runtime, Launcher(ours=False), "worker", lambda: None)  # type: ignore[arg-type]
    dispatcher.left("RUN-1")
    await dispatcher.watch_pulses()
    assert state(runtime) == "started"


async def test_a_run_is_not_dispatched_again_before_the_patience_is_over(runtime: SimpleNamespace) -> None:
    launcher = Launcher()
    dispatcher = Dispatcher(runtime, launcher, "worker", lambda: None)  # type: ignore[arg-type]
    await watch(runtime, dispatcher, LEAST)
    assert (state(runtime), launcher.killed) == ("started", [])


async def test_the_patience_with_a_run_grows_with_the_lag_of_the_worker(runtime: SimpleNamespace) -> None:
    launcher = Launcher()
    dispatcher = Dispatcher(runtime, launcher, "worker", lambda: None, lambda: 8.0)  # type: ignore[arg-type]
    await watch(runtime, dispatcher, 40)
    assert state(runtime) == "started"
    await watch(runtime, dispatcher, 3)
    assert (state(runtime), launcher.killed) == ("waiting", ["RUN-1"])


async def test_a_run_whose_child_died_is_dispatched_again_at_once(runtime: SimpleNamespace) -> None:
    dispatcher = Dispatcher(runtime, Launcher(ours=False), "worker", lambda: None)  # type: ignore[arg-type]
    await dispatcher.watch_pulses()
    dispatcher.lost("RUN-1")
    await dispatcher.watch_pulses()
    assert state(runtime) == "waiting"


def note(runtime: SimpleNamespace, pid: int, started: str) -> None:
    noted = runtime.home.run / "flow-runs" / "flow-a"
    noted.parent.mkdir(parents=True)
    noted.write_text(json.dumps([pid, started]))


async def test_a_run_whose_process_an_earlier_worker_started_and_that_has_died_is_dispatched_again_at_once(
    runtime: SimpleNamespace,
) -> None:
    ended = subprocess.Popen(["sleep", "60"])
    note(runtime, ended.pid, start_mark(ended.pid))
    dispatcher = Dispatcher(runtime, Launcher(ours=False), "worker", lambda: None)  # type: ignore[arg-type]
    await dispatcher.watch_pulses()
    assert state(runtime) == "started"
    ended.kill()
    ended.wait()
    await dispatcher.watch_pulses()
    assert state(runtime) == "waiting"


async def test_a_run_without_a_note_of_its_process_is_waited_for(runtime: SimpleNamespace) -> None:
    dispatcher = Dispatcher(runtime, Launcher(ours=False), "worker", lambda: None)  # type: ignore[arg-type]
    await watch(runtime, dispatcher, 5)
    assert state(runtime) == "started"


async def test_a_hung_process_of_an_earlier_worker_is_ended_too(runtime: SimpleNamespace) -> None:
    hung = subprocess.Popen(["sleep", "60"])
    try:
        note(runtime, hung.pid, start_mark(hung.pid))
        await fall_silent(runtime, Launcher())
        assert hung.wait(5) == -signal.SIGKILL
    finally:
        hung.kill()


async def test_a_run_that_shows_no_life_because_the_store_takes_no_beat_is_left_alone(
    runtime: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise StoreUnavailable("decisions.db: the disk is full; free some space")

    launcher = Launcher()
    monkeypatch.setattr(runtime.store, "decide", refuse)
    with pytest.raises(StoreUnavailable):
        await fall_silent(runtime, launcher)
    assert (state(runtime), launcher.killed) == ("started", [])
