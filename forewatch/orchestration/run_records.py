"""A run in Prefect's records, written beside its work or after it, so that the work never waits for them.

Prefect dates a state by its own clock when it is told. Where it is told late, the times at which things happened stand
in the state's message.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.flows import Flow
from prefect.states import Cancelled, Completed, Failed, Pending, Running
from prefect.tasks import Task

from forewatch.clock import iso
from forewatch.orchestration.beside import HEAD_START, beside
from forewatch.remedy.run import Run

STAND_BY = "stand-by"
"""Name, tag and parameter of a flow run that stands by."""
STANDING_BY = "StandingBy"


def name_of(run: Run) -> str:
    """What the flow run that carries out a run is called."""
    return f"respond {run.incident_id} {run.service}" if run.kind == "respond" else f"{run.runbook} {run.id}"


def tags_of(run: Run) -> list[str]:
    """What it can be found by."""
    return [tag for tag in (run.incident_id, run.service, run.id) if tag]


def parameters_of(run: Run) -> dict[str, Any]:
    """What its flow is called with."""
    if run.kind == "respond":
        return {"run": run.id}
    return dict(run.inputs) | {"service": run.service, "incident": run.incident_id, "run": run.id}


async def show_standing_by(client: PrefectClient, flow_run_id: UUID) -> None:
    """Have the flow run of a stand-by look like what it is."""
    waiting: State[Any] = Running(name=STANDING_BY, message="Ready for the next remedy.")
    await client.set_flow_run_state(flow_run_id, waiting, force=True)


async def take_on(client: PrefectClient, flow_run: FlowRun, run: Run) -> None:
    """Have the flow run of a stand-by look like that of the run it carries out now; it keeps the deployment's tags."""
    tags = [*(tag for tag in flow_run.tags if tag != STAND_BY), *tags_of(run)]
    await client.update_flow_run(flow_run.id, name=name_of(run), tags=tags, parameters=parameters_of(run))


async def show_at_work(client: PrefectClient, flow_run: FlowRun, run: Run) -> None:
    """The same, with its state: not once the flow run has ended, whose last word it would take."""
    at_work: State[Any] = Running(message=f"Told to carry out {run.id} while it stood by.")
    await client.set_flow_run_state(flow_run.id, at_work, force=True)
    await take_on(client, flow_run, run)


@asynccontextmanager
async def own_flow_run(
    client: PrefectClient, parent: UUID, flow: Flow[..., Any], parameters: Mapping[str, Any], name: str
) -> AsyncIterator[None]:
    """While the block carries a runbook out inside the flow run `parent`: a flow run of its own below that one."""
    ended: asyncio.Future[State[Any]] = asyncio.get_running_loop().create_future()
    recording = _record(client, parent, flow, parameters, name, ended)
    beside(recording, f"the flow run {name}", after=HEAD_START)
    try:
        yield
    except Exception as error:
        ended.set_result(Failed(message=f"{type(error).__name__}: {error}"))
        raise
    except BaseException:  # Prefect's engine makes a signal of its own of a cancellation
        ended.set_result(Cancelled())
        raise
    ended.set_result(Completed())


async def _record(
    client: PrefectClient,
    parent: UUID,
    flow: Flow[..., Any],
    parameters: Mapping[str, Any],
    name: str,
    ended: asyncio.Future[State[Any]],
) -> None:
    # What stands for a flow run in the run that called it is a task run; Prefect's engine makes the same pair.
    task = Task(name=flow.name, fn=flow.fn, version=flow.version)
    standing_for = await client.create_task_run(task, parent, dynamic_key=str(uuid4()), name=name, state=Pending())
    made = await client.create_flow_run(
        flow,
        name=name,
        parameters=flow.serialize_parameters(dict(parameters)),
        state=Running(),
        parent_task_run_id=standing_for.id,
    )
    await client.set_flow_run_state(made.id, await ended, force=True)


def final_state(run: Run) -> State[Any]:
    """How a run that is over ended, for Prefect, where it could not be told in time."""
    began = iso(run.started_at if run.started_at is not None else run.created_at)
    ended = iso(run.finished_at) if run.finished_at is not None else "unknown"
    times = f"Began {began}, ended {ended}; Prefect was away and has been told since."
    message = f"{run.id} ({run.runbook}) {run.verified or run.state}: {(run.outcome or '').rstrip('.')}. {times}"
    match run.state:
        case "done":
            return Completed(message=message)
        case "refused":
            return Completed(name="Refused", message=message)
        case "cancelled":
            return Cancelled(message=message)
        case _:
            return Failed(message=message)


async def record_later(client: PrefectClient, deployment: UUID, run: Run, key: str) -> UUID:
    """Make the flow run of a run that was carried out while Prefect was away; returns its id. Repeats find the same."""
    made = await client.create_flow_run_from_deployment(
        deployment,
        parameters=parameters_of(run),
        state=Pending(),
        name=name_of(run),
        tags=tags_of(run),
        idempotency_key=key,
    )
    ended = final_state(run)
    # It may have been made before Prefect fell silent, and called crashed since, as nobody's.
    if made.state is None or made.state.type != ended.type:
        await client.set_flow_run_state(made.id, ended, force=True)
    return made.id
