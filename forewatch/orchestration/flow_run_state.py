"""Keeping Prefect's records true: a flow run whose process is gone must not stay Running for ever.

Every child notes its flow run in the state folder. A run that Prefect holds for running and no living process has noted
was cut off, with its worker or before; Prefect itself never finds out.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowRunFilter,
    FlowRunFilterNextScheduledStartTime,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.states import Cancelled, Crashed

from forewatch.orchestration.deployed import Deployed
from forewatch.orchestration.deployments import SHIFT_NAMES
from forewatch.orchestration.flow_run_notes import forget_flow_run, runner_of
from forewatch.orchestration.launcher import Job, Launcher
from forewatch.orchestration.run_records import STAND_BY, final_state, record_later, take_on
from forewatch.remedy.run import Run
from forewatch.runtime import Runtime
from forewatch.store import generations, runs

log = logging.getLogger("forewatch.flow_run_state")

YOUNG = timedelta(seconds=20)
"""A run this fresh may just be on its way to a child."""
MOST_DUE = 200
MOST_AT_ONCE = 50
UNDER_WAY = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]


class FlowRunState:
    """Flow run states in Prefect, kept in step with the processes there are."""

    def __init__(self, runtime: Runtime, launcher: Launcher) -> None:
        self._runtime = runtime
        self._launcher = launcher

    def lives_elsewhere(self, flow_run_id: UUID) -> bool:
        """Whether a living process, perhaps of an earlier worker, runs this flow run."""
        return runner_of(self._runtime.home, flow_run_id) is not None

    async def report_end(self, client: PrefectClient, job: Job, code: int) -> None:
        """A child has ended: where it could not say so itself, tell Prefect how."""
        if job.flow_run_id is None or (code == 0 and not job.cancelled and job.run_id is None):
            return
        forget_flow_run(self._runtime.home, job.flow_run_id)
        flow_run = await client.read_flow_run(job.flow_run_id)
        if flow_run.name == STAND_BY and (run := await self._runtime.store.run(self._run, job.run_id)) is not None:
            # It ended before it could say whom it worked for.
            await take_on(client, flow_run, run)
        if code == 0 and not job.cancelled:
            return
        if flow_run.state is not None and flow_run.state.is_final() and not job.cancelled:
            return
        if job.cancelled:
            if flow_run.state is None or not flow_run.state.is_cancelled():
                await client.set_flow_run_state(flow_run.id, Cancelled(), force=True)
            return
        await self._crash(client, flow_run, f"Its process (pid {job.child.pid}) ended with exit code {code}.")

    async def close_stale(self, client: PrefectClient) -> int:
        """Mark runs crashed that no process runs any more, with their subflows; returns how many."""
        under_way = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=UNDER_WAY)))
        closed = 0
        for flow_run in await client.read_flow_runs(flow_run_filter=under_way, limit=200):
            if flow_run.deployment_id is None or self._launcher.find(flow_run.id) is not None:
                continue
            since = flow_run.state.timestamp if flow_run.state is not None else None
            if since is not None and datetime.now(UTC) - since < YOUNG:
                continue
            if not self.lives_elsewhere(flow_run.id):
                await self._crash(client, flow_run, "The process that ran it is gone.")
                closed += 1
        return closed

    async def skip_superseded(self, client: PrefectClient) -> int:
        """Of several due runs of one shift only the newest is of use; returns how many others were skipped.

        After an outage each of them would only find the watch taken and leave, at the price of a process.
        """
        waiting = FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
            next_scheduled_start_time=FlowRunFilterNextScheduledStartTime(before_=datetime.now(UTC)),
        )
        shifts = DeploymentFilter(name=DeploymentFilterName(any_=sorted(SHIFT_NAMES)))
        due = await client.read_flow_runs(
            flow_run_filter=waiting,
            deployment_filter=shifts,
            sort=FlowRunSort.EXPECTED_START_TIME_DESC,
            limit=MOST_DUE,
        )
        seen: set[UUID | None] = set()
        skipped = 0
        for flow_run in due:
            if flow_run.deployment_id in seen:
                await client.set_flow_run_state(
                    flow_run.id, Cancelled(name="Skipped", message="A later run of this shift was due already.")
                )
                skipped += 1
            seen.add(flow_run.deployment_id)
        if skipped:
            log.info("%d shift runs were overtaken by later ones while none could start, and are skipped", skipped)
        return skipped

    async def record_later(self, client: PrefectClient, deployments: Mapping[str, Deployed]) -> int:
        """Make the flow runs of runs that were carried out while Prefect was away; returns how many."""
        store, recorded = self._runtime.store, 0
        for run, key in await store.run(self._unrecorded):
            flow_run_id = await record_later(client, deployments["respond"].id, run, key)
            recorded += await store.run(self._recorded, run, str(flow_run_id))
        return recorded

    def _unrecorded(self) -> list[tuple[Run, str]]:
        with self._runtime.store.read() as conn:
            found = runs.unrecorded(conn, MOST_AT_ONCE)
            return [(run, f"{generations.key_of(conn, run.id)}/{run.attempts}") for run in found]

    def _recorded(self, run: Run, flow_run_id: str) -> bool:
        with self._runtime.store.decide() as conn:
            return runs.recorded(conn, run, flow_run_id)

    def _run(self, run_id: str | None) -> Run | None:
        if run_id is None:
            return None
        with self._runtime.store.read() as conn:
            return runs.get(conn, run_id)

    def _over(self, flow_run_id: UUID) -> Run | None:
        """The run that a flow run has carried to its end."""
        with self._runtime.store.read() as conn:
            run = runs.of_flow_run(conn, str(flow_run_id))
        return run if run is not None and run.finished_at is not None else None

    async def _crash(self, client: PrefectClient, flow_run: FlowRun, message: str) -> None:
        if (run := await self._runtime.store.run(self._over, flow_run.id)) is not None:
            # It could not tell Prefect how it ended; our store knows.
            await take_on(client, flow_run, run)
            state: State[Any] = final_state(run)
            message = state.message or message
            log.info("flow run %s: %s", flow_run.name, message)
            await client.set_flow_run_state(flow_run.id, state, force=True)
        else:
            state = Crashed(message=message)
            log.warning("flow run %s crashed: %s", flow_run.name, message)
            await client.set_flow_run_state(flow_run.id, state, force=True)
        below = FlowRunFilter(
            parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[flow_run.id]),
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=UNDER_WAY)),
        )
        for child in await client.read_flow_runs(flow_run_filter=below, limit=50):
            await client.set_flow_run_state(child.id, state, force=True)


async def parent_of(client: PrefectClient, flow_run_id: UUID) -> UUID | None:
    """The flow run that called this one as a subflow; None where a deployment started it."""
    flow_run = await client.read_flow_run(flow_run_id)
    if flow_run.parent_task_run_id is None:
        return None
    return (await client.read_task_run(flow_run.parent_task_run_id)).flow_run_id
