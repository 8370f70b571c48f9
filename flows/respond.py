"""Carry out the remedy that was decided on for an incident, see whether it healed, and tell the story."""

from __future__ import annotations

import asyncio
from typing import Any

from prefect import flow, get_run_logger
from prefect.context import FlowRunContext
from prefect.states import Completed, Failed

from forewatch.errors import ActionRefused, Interrupted, NotFound, RunbookError, StoreError
from forewatch.orchestration.flow_jobs import AWAY
from forewatch.remedy.run import Run
from forewatch.remedy.verification import HEALED, time_to_heal
from forewatch.runs.execution import Execution, admit, at_work
from forewatch.runtime import Runtime, runtime
from forewatch.store import alerts, runs
from runbooks import find
from tasks.evidence import attach_diagnostics
from tasks.stories import publish_story

VERIFICATION_POLL = 0.2
VERIFICATION_SLACK = 10.0
"""Seconds beyond the time to heal in which the decision about it must have fallen."""


@flow(name="respond")
async def respond(run: str) -> Any:
    """Run the runbook of a remedy, wait until the service's own checks have judged it, and publish what happened.

    Args:
        run: The run to carry out, such as RUN-7; Forewatch decided on it.
    """
    here, flow_run_id = runtime(), _own_flow_run_id()
    try:
        execution = await admit(here, run, flow_run_id)
    except ActionRefused as refused:
        get_run_logger().warning("%s", refused)
        return Completed(name="Refused", message=str(refused))
    log = get_run_logger()
    log.info("%s: %s for %s of %s", run, execution.run.runbook, execution.incident_id, execution.service)
    try:
        async with at_work(execution):
            await _act(execution)
    except Interrupted:
        raise
    except Exception as error:
        if execution.ended == "acted":
            # The runbook is through, and Prefect could not write that down: its checks judge it all the same.
            get_run_logger().warning("%s acted, its flow run ended badly: %s", run, error)
            return await _see_through(here, execution.run)
        # The failure is processed and people are on their way by now; this is for them to find.
        await attach_diagnostics(here, execution.run)
        await _publish(here, execution.run)
        raise
    return await _see_through(here, execution.run)


async def _act(execution: Execution) -> None:
    run = execution.run
    _, config = execution.runtime.configuration.current()
    runbook = find(run.runbook, config.runbook_folders)
    inputs = {**run.inputs, "service": run.service, "incident": run.incident_id, "run": run.id}
    if problems := runbook.problems_with(inputs):
        raise RunbookError(f"{runbook.name} cannot run with the inputs of its remedy: {'; '.join(problems)}")
    await runbook.flow(**inputs)


async def _see_through(here: Runtime, run: Run) -> Any:
    """Wait until a run that acted is judged, and tell the story."""
    get_run_logger().info("%s acted; now the checks of %s say whether it healed", run.id, run.service)
    judged = await _verified(here, run)
    if judged.verified != HEALED:
        await attach_diagnostics(here, judged)
    await _publish(here, judged)
    message = f"{judged.id} ({judged.runbook}) {judged.verified or judged.state}: {judged.outcome}"
    return Completed(message=message) if judged.verified == HEALED else Failed(message=message)


async def _verified(here: Runtime, run: Run) -> Run:
    """The run once it is judged; as it stands if nobody judges it in time, which `page-people` then answers for."""
    patience = await here.store.run(_time_to_heal, here, run) + VERIFICATION_SLACK
    deadline = here.clock.monotonic() + patience
    while True:
        current = await here.store.run(_read, here, run.id)
        if current.state != "acted" or here.clock.monotonic() >= deadline:
            return current
        await asyncio.sleep(VERIFICATION_POLL)


def _time_to_heal(here: Runtime, run: Run) -> float:
    _, config = here.configuration.current()
    with here.store.read() as conn:
        alert = alerts.get(conn, run.alert_id) if run.alert_id is not None else None
    return time_to_heal(config, run, alert)


def _read(here: Runtime, run_id: str) -> Run:
    with here.store.read() as conn:
        run = runs.get(conn, run_id)
    if run is None:
        raise NotFound(f"{run_id} is not in the store any more")
    return run


async def _publish(here: Runtime, run: Run) -> None:
    """The incident's story as an artifact of this flow run. Best effort: once closed it is published in any case."""
    if run.incident_id is None:
        return
    try:
        await publish_story(here, run.incident_id)
    except (*AWAY, StoreError) as error:
        get_run_logger().warning("the story of %s is not published now: %s", run.incident_id, error)


def _own_flow_run_id() -> str:
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise RunbookError("respond runs as a Prefect flow only; its worker starts it")
    return str(context.flow_run.id)
