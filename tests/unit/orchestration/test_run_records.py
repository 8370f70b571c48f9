"""What Prefect is told of a run beside its work, or after it."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect import flow
from prefect.client.schemas.objects import FlowRun, State

from forewatch.clock import MICROSECONDS
from forewatch.orchestration import beside, run_records
from forewatch.orchestration.run_records import final_state, own_flow_run, record_later, take_on
from forewatch.remedy.run import Run

pytestmark = pytest.mark.unit

NOW = 1_793_696_400 * MICROSECONDS


def a_run(**fields: Any) -> Run:
    values: dict[str, Any] = dict.fromkeys(Run.__dataclass_fields__)
    values |= {"id": "RUN-7", "kind": "respond", "runbook": "restart-service", "service": "db", "incident_id": "INC-2"}
    values |= {"inputs": {}, "state": "done", "verified": "healed", "outcome": "started it as pid 7.", "attempts": 1}
    values |= {"created_at": NOW, "started_at": NOW, "finished_at": NOW + 5 * MICROSECONDS}
    return Run(**(values | fields))


class Client:
    """A server's answers, and what it was told."""

    def __init__(self, state: State[Any] | None = None) -> None:
        self.told: list[tuple[Any, ...]] = []
        self._state = state

    async def create_flow_run_from_deployment(self, id: UUID, **asked: Any) -> Any:
        self.told.append(("made", asked["name"], asked["tags"], asked["parameters"], asked["idempotency_key"]))
        return type("FlowRun", (), {"id": uuid4(), "state": self._state})

    async def set_flow_run_state(self, id: UUID, state: State[Any], *, force: bool) -> None:
        self.told.append(("state", state.name, state.message))

    async def update_flow_run(self, id: UUID, **asked: Any) -> None:
        self.told.append(("updated", asked["name"], asked["tags"], asked["parameters"]))

    async def create_task_run(self, task: Any, flow_run_id: UUID, **asked: Any) -> Any:
        self.told.append(("task run", task.name, flow_run_id))
        return type("TaskRun", (), {"id": UUID(int=5)})

    async def create_flow_run(self, of: Any, **asked: Any) -> Any:
        self.told.append(("flow run", asked["name"], asked["parent_task_run_id"]))
        return type("FlowRun", (), {"id": UUID(int=6)})


@flow(name="restart-service")
async def restart(pid: int) -> None:
    """Does nothing."""


@pytest.mark.parametrize(
    ("fields", "type", "name"),
    [
        ({}, "COMPLETED", "Completed"),
        ({"state": "failed", "verified": "not healed"}, "FAILED", "Failed"),
        ({"state": "cancelled", "verified": None}, "CANCELLED", "Cancelled"),
        ({"state": "refused", "verified": None, "started_at": None}, "COMPLETED", "Refused"),
    ],
)
def test_how_a_run_ended_is_said_with_the_times_at_which_it_happened(fields: Any, type: str, name: str) -> None:
    state = final_state(a_run(**fields))
    assert (state.type.value, state.name) == (type, name)
    assert "Began 2026-11-03T09:00:00.000Z, ended 2026-11-03T09:00:05.000Z" in str(state.message)
    assert "RUN-7 (restart-service)" in str(state.message)
    assert "started it as pid 7. Began" in str(state.message)


async def test_a_run_of_an_outage_gets_its_flow_run_afterwards_and_only_once() -> None:
    client = Client()
    await record_later(client, uuid4(), a_run(), "key/1")  # type: ignore[arg-type]
    made, ended = client.told
    assert made == ("made", "respond INC-2 db", ["INC-2", "db", "RUN-7"], {"run": "RUN-7"}, "key/1")
    assert ended[:2] == ("state", "Completed")
    again = Client(final_state(a_run()))
    await record_later(again, uuid4(), a_run(), "key/1")  # type: ignore[arg-type]
    assert [told[0] for told in again.told] == ["made"]


async def test_a_stand_by_takes_on_the_run_it_is_told_of_and_keeps_the_tags_of_its_deployment() -> None:
    client = Client()
    flow_run = FlowRun(id=UUID(int=3), flow_id=uuid4(), name="stand-by", tags=["stand-by", "flow", "forewatch"])
    await take_on(client, flow_run, a_run())  # type: ignore[arg-type]
    assert client.told == [
        ("updated", "respond INC-2 db", ["flow", "forewatch", "INC-2", "db", "RUN-7"], {"run": "RUN-7"})
    ]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_records, "HEAD_START", 0.0)


async def test_a_runbook_has_its_own_flow_run_below_the_one_that_carries_it_out(at_once: None) -> None:
    client, parent = Client(), uuid4()
    async with own_flow_run(client, parent, restart, {"pid": 7}, "restart-service RUN-7"):  # type: ignore[arg-type]
        pass
    await beside.told()
    assert client.told == [
        ("task run", "restart-service", parent),
        ("flow run", "restart-service RUN-7", UUID(int=5)),
        ("state", "Completed", None),
    ]


@pytest.mark.parametrize(
    ("error", "name"), [(ValueError("no such pid"), "Failed"), (asyncio.CancelledError(), "Cancelled")]
)
async def test_its_own_flow_run_ends_as_the_runbook_does(at_once: None, error: BaseException, name: str) -> None:
    client = Client()
    with pytest.raises(type(error)):
        async with own_flow_run(client, uuid4(), restart, {"pid": 7}, "restart-service RUN-7"):  # type: ignore[arg-type]
            raise error
    await beside.told()
    assert client.told[-1][1] == name


async def test_the_work_neither_waits_for_what_prefect_is_told_nor_fails_with_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def refuse() -> None:
        raise ConnectionError("nobody listens")

    beside.beside(refuse(), "the name of RUN-7")
    await beside.told()
    assert "Prefect does not show the name of RUN-7: nobody listens" in caplog.text


async def test_what_was_not_told_by_the_end_is_not_told_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "TELLING", 0.01)
    told: list[str] = []

    async def tell() -> None:
        await asyncio.sleep(0.05)
        told.append("at work")

    beside.beside(tell(), "that it is at work")
    await beside.told()
    await asyncio.sleep(0.1)
    assert told == []
