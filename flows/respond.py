"""Carry out the remedy that was decided on for an incident, see whether it healed, and tell the story.

stand by ─ told a run ─ admit ─ runbook ─ verdict ─ story
"""

from __future__ import annotations

import asyncio
from logging import Logger, LoggerAdapter, getLogger
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.states import Completed, Failed

from forewatch.errors import ActionRefused, ForewatchError, Interrupted, NotFound, RunbookError, StoreError
from forewatch.orchestration.beside import HEAD_START, beside, told
from forewatch.orchestration.flow_jobs import AWAY
from forewatch.orchestration.run_records import STAND_BY, show_at_work, show_standing_by, take_on
from forewatch.remedy.run import Run
from forewatch.remedy.verification import HEALED, time_to_heal
from forewatch.runs.execution import Execution, admit, at_work
from forewatch.runs.rehearsal import rehearse_acting
from forewatch.runs.stand_by import standing_by
from forewatch.runtime import Runtime, runtime
from forewatch.store import alerts, runs
from runbooks import find
from tasks.evidence import attach_diagnostics
from tasks.stories import publish_story

log = getLogger("forewatch.respond")

VERIFICATION_POLL = 0.2
VERIFICATION_SLACK = 10.0
"""Seconds beyond the time to heal in which the decision about it must have fallen."""


@flow(name="respond")
async def respond(run: str) -> Any:
    """Run the runbook of a remedy, wait until the service's own checks have judged it, and publish what happened.

    Args:
        run: The run to carry out, such as RUN-7; Forewatch decided on it. "stand-by" waits for the next one.
    """
    client, flow_run = _own_flow_run()
    if run != STAND_BY:
        ended = await carry_out(runtime(), run, str(flow_run.id))
        await told()
        return ended
    if (here := standing_by()) is None:
        raise RunbookError("only the worker of Forewatch starts stand-bys; name the run to carry out, such as RUN-7")
    await get_ready()
    await show_standing_by(client, flow_run.id)
    told_to = await here.order()
    if told_to is None:
        return Completed(name="Relieved", message="No remedy was due while it stood by.")
    what = f"that a stand-by carries out {told_to}"
    shown = beside(_show_at_work(client, flow_run, told_to), what, after=HEAD_START)
    try:
        ended = await carry_out(runtime(), told_to, str(flow_run.id))
    except Exception:
        await _see_shown(client, flow_run, told_to, shown)
        raise
    await _see_shown(client, flow_run, told_to, shown)
    return ended


async def _see_shown(client: PrefectClient, flow_run: FlowRun, run_id: str, shown: asyncio.Task[bool]) -> None:
    """Prefect must hear whose end it is before it hears of the end; it may have been away when it was told first."""
    await told()
    if not shown.cancelled() and shown.result():
        return
    try:
        await take_on(client, flow_run, await _run_of(run_id))
    except (*AWAY, ForewatchError) as error:
        _log().warning("that a stand-by carried out %s is not shown: %s", run_id, error)


@task(name="get-ready", cache_policy=NO_CACHE, persist_result=False)
async def get_ready() -> None:
    """Do what the first remedy of a process would do first: load its runbook, and go through the moment of acting."""
    here = runtime()
    version, config = here.configuration.current()
    for name in sorted({remedy.runbook for service in config.services for remedy in service.remedies}):
        try:
            # In this thread, in which it will run: what a file makes as it is loaded may belong to its thread.
            find(name, config.runbook_folders)
        except NotFound as error:
            log.warning("%s", error)
    await asyncio.to_thread(rehearse_acting, (version, config), here.clock.now())


async def _show_at_work(client: PrefectClient, flow_run: FlowRun, run_id: str) -> None:
    await show_at_work(client, flow_run, await _run_of(run_id))


async def _run_of(run_id: str) -> Run:
    here = runtime()
    return await here.store.run(_read, here, run_id)


async def carry_out(here: Runtime, run: str, flow_run_id: str) -> Any:
    """Carry a run out in this process, inside a flow run or, where Prefect is away, without one; returns its end as a
    state of Prefect. `flow_run_id` names whoever carries it out."""
    try:
        execution = await admit(here, run, flow_run_id)
    except ActionRefused as refused:
        _log().warning("%s", refused)
        return Completed(name="Refused", message=str(refused))
    _log().info("%s: %s for %s of %s", run, execution.run.runbook, execution.incident_id, execution.service)
    try:
        async with at_work(execution):
            await _act(execution)
    except Interrupted:
        raise
    except Exception as error:
        if execution.ended == "acted":
            # The runbook is through, and Prefect could not write that down: its checks judge it all the same.
            _log().warning("%s acted, its flow run ended badly: %s", run, error)
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
    await runbook.carry_out(inputs)


async def _see_through(here: Runtime, run: Run) -> Any:
    """Wait until a run that acted is judged, and tell the story."""
    _log().info("%s acted; now the checks of %s say whether it healed", run.id, run.service)
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
    if run.incident_id is None or FlowRunContext.get() is None:
        return
    try:
        await publish_story(here, run.incident_id)
    except (*AWAY, StoreError) as error:
        _log().warning("the story of %s is not published now: %s", run.incident_id, error or type(error).__name__)


def _own_flow_run() -> tuple[PrefectClient, FlowRun]:
    context = FlowRunContext.get()
    if context is None or context.flow_run is None or not isinstance(context.client, PrefectClient):
        raise RunbookError("respond runs as a Prefect flow only; its worker starts it")
    return context.client, context.flow_run


def _log() -> Logger | LoggerAdapter[Logger]:
    """Where it is read beside the flow run, if there is one."""
    return get_run_logger() if FlowRunContext.get() is not None else log
