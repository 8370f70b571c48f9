"""A real store in a temporary folder, and runs at work in it without Prefect."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from forewatch.clock import FakeClock
from forewatch.config.models import Config
from forewatch.home import Home
from forewatch.remedy.run import Run
from forewatch.runs import parent_link
from forewatch.runs.execution import Execution, admit, at_work
from forewatch.runtime import Runtime
from forewatch.store import runs
from forewatch.store.engine import Store


class FixedConfiguration:
    """The configuration in force, without a file behind it."""

    def current(self) -> tuple[int, Config]:
        return 1, Config()


def a_run(run_id: str = "RUN-1", **fields: Any) -> Run:
    values: dict[str, Any] = {
        "id": run_id,
        "kind": "runbook",
        "runbook": "restart-service",
        "service": "storefront",
        "incident_id": None,
        "alert_id": None,
        "remedy": None,
        "inputs": {},
        "autonomy": "person",
        "requested_by": "ada",
        "state": "claimed",
        "attempts": 1,
        "flow_run_id": None,
        "created_at": 1,
        "started_at": None,
        "acted_at": None,
        "finished_at": None,
        "outcome": None,
        "verified": None,
    }
    return Run(**(values | fields))


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    monkeypatch.setattr(parent_link, "_reason", None)
    monkeypatch.setattr(parent_link, "_worker_gone", False)
    home = Home(tmp_path / "state")
    home.create()
    store = Store.open(home, migrate=True)
    yield Runtime(home, store, FakeClock(), FixedConfiguration())  # type: ignore[arg-type]
    store.close()


AtWork = Callable[..., AbstractAsyncContextManager[Execution]]


@pytest.fixture
def run_at_work(runtime: Runtime) -> AtWork:
    """`async with run_at_work("RUN-1", "flow-a") as execution`: the run is stored if it is new, and taken."""

    @asynccontextmanager
    async def begin(run_id: str = "RUN-1", flow_run_id: str = "flow-a", **fields: Any) -> AsyncIterator[Execution]:
        with runtime.store.decide() as conn:
            if runs.get(conn, run_id) is None:
                runs.put(conn, a_run(run_id, **fields))
        execution = await admit(runtime, run_id, flow_run_id)
        async with at_work(execution):
            yield execution

    return begin


@pytest.fixture
def stored_run(runtime: Runtime) -> Callable[[], Run]:
    """RUN-1 as the store has it now."""

    def read() -> Run:
        with runtime.store.read() as conn:
            run = runs.get(conn, "RUN-1")
        assert run is not None
        return run

    return read
