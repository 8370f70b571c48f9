"""Our worker as Prefect sees it: type `forewatch`, its own work pool, runs taken from schedules and from the UI.

Polling, heartbeats and submission are `BaseWorker`'s; running is ours: a spare instead of a new interpreter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import anyio.abc
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.workers.base import BaseJobConfiguration, BaseVariables, BaseWorker, BaseWorkerResult

from forewatch.orchestration.launcher import Job

# Runs scheduled within the next two seconds are taken along with a poll; more would hold spares for nothing.
PREFETCH_SECONDS = 2


class ForewatchJob(BaseJobConfiguration):
    """Nothing to configure: every run gets the same warm process."""


class ForewatchVariables(BaseVariables):
    """Nothing to configure."""


class ForewatchResult(BaseWorkerResult):
    """`identifier` is the pid."""


class ForewatchWorker(BaseWorker[ForewatchJob, ForewatchVariables, ForewatchResult]):
    """`start_run` hands a flow run to a child and says which."""

    type = "forewatch"
    job_configuration = ForewatchJob
    job_configuration_variables = ForewatchVariables
    _description = "Runs Forewatch's flows in warm processes, ready within half a second."

    start_run: Callable[[FlowRun], Awaitable[Job]]

    async def run(
        self,
        flow_run: FlowRun,
        configuration: ForewatchJob,
        task_status: anyio.abc.TaskStatus[Any] | None = None,
    ) -> ForewatchResult:
        """Run in a spare. Crashes are reported by `FlowRunState`, which also covers runs of an earlier worker."""
        job = await self.start_run(flow_run)
        if task_status is not None:
            task_status.started(job.child.pid)
        # Shielded: when this worker lets go of its runs (Prefect away, restart), the child goes on.
        await asyncio.shield(job.child.exited)
        return ForewatchResult(identifier=str(job.child.pid), status_code=0)

    @property
    def prefect(self) -> PrefectClient:
        """The worker's open client."""
        return self.client
