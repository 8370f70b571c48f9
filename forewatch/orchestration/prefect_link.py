"""The worker's link to the Prefect server: kept while it answers, built anew when it comes back.

While the link is down nothing that watches or pages is affected; runs wait in our store.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.events.clients import get_events_subscriber
from prefect.events.filters import EventFilter, EventNameFilter
from prefect.settings import get_current_settings
from prefect.states import Cancelled

from forewatch.errors import StoreUnavailable
from forewatch.orchestration.deployed import Deployed, still_there
from forewatch.orchestration.flow_jobs import AWAY
from forewatch.orchestration.flow_run_notes import cancel_elsewhere
from forewatch.orchestration.flow_run_state import FlowRunState, parent_of
from forewatch.orchestration.launcher import Job, Launcher
from forewatch.orchestration.prefect_private import retry_at_once
from forewatch.orchestration.prefect_settings import WORK_POOL
from forewatch.orchestration.prefect_worker import PREFETCH_SECONDS, ForewatchWorker
from forewatch.runtime import Runtime
from forewatch.store import components
from forewatch.store.components import ComponentState

log = logging.getLogger("forewatch.prefect")

PING_EVERY = 1.0
PING_TIMEOUT = 3.0
PINGS_TO_FALL = 2
"""Failed pings in a row after which Prefect counts as away; one slow answer of a busy server does not."""
POLL_EVERY = 5.0
SYNC_EVERY = 25.0
STATE_EVERY = 10.0
CANCEL_POLL_EVERY = 10.0
RETRY_EVERY = 1.0
LEAST_BETWEEN_POLLS = 0.2
BE_SEEN = 1.0
"""Seconds for what the server does in background after the first poll."""

KICKS = ["prefect.flow-run.Scheduled", "prefect.flow-run.AwaitingRetry", "prefect.flow-run.Resuming"]
CANCELLING = "prefect.flow-run.Cancelling"


class PrefectLink:
    """`client` and `deployments` are set while runs can be started, else None and empty."""

    def __init__(self, runtime: Runtime, launcher: Launcher, name: str) -> None:
        self._runtime = runtime
        self._launcher = launcher
        self._name = name
        self._kick = asyncio.Event()
        self._up = asyncio.Event()
        self._down = asyncio.Event()
        self._redeploy = asyncio.Event()
        self.client: PrefectClient | None = None
        self.deployments: Mapping[str, Deployed] = {}
        self.flow_run_state = FlowRunState(runtime, launcher)

    def ready(self) -> tuple[PrefectClient, Mapping[str, Deployed]] | None:
        """The client and the deployments while runs can be started."""
        return (self.client, self.deployments) if self.client is not None and self.deployments else None

    def redeploy(self) -> None:
        """Configuration has changed: apply the deployments again."""
        self._redeploy.set()

    async def keep(self) -> None:
        """Ping, and hold the link while the server answers; until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._ping())
            group.create_task(self._hold())

    async def _ping(self) -> None:
        url = f"{get_current_settings().api.url}/health"
        failures = PINGS_TO_FALL - 1
        said: tuple[ComponentState, str] | None = None
        async with httpx.AsyncClient(timeout=PING_TIMEOUT, trust_env=False) as http:
            while True:
                try:
                    answer = await http.get(url)
                    answer.raise_for_status()
                    failures, reason = 0, ""
                except httpx.HTTPError as error:
                    failures, reason = failures + 1, f"the Prefect server does not answer ({type(error).__name__})"
                if failures == 0:
                    self._down.clear()
                    self._up.set()
                elif failures >= PINGS_TO_FALL:
                    self._up.clear()
                    self._down.set()
                if failures == 0 or failures >= PINGS_TO_FALL:
                    now: tuple[ComponentState, str] = ("ok", "") if failures == 0 else ("down", reason)
                    if now != said and await self._report("prefect", *now):
                        said = now
                await asyncio.sleep(PING_EVERY)

    async def _report(self, name: str, state: ComponentState, reason: str) -> bool:
        """False where the store does not take it: say it again."""
        log.log(logging.INFO if state == "ok" else logging.ERROR, "%s is %s %s", name, state, reason)
        clock, store = self._runtime.clock, self._runtime.store

        def write() -> None:
            with store.decide() as conn:
                components.report(conn, name, state, reason, clock.now())

        try:
            await store.run(write)
        except StoreUnavailable as error:
            log.error("the state of %s cannot be stored: %s", name, error)
            return False
        return True

    async def _hold(self) -> None:
        while True:
            await self._up.wait()
            try:
                await self._one_link()
            except* (*AWAY, StoreUnavailable) as group:
                log.warning("link to Prefect lost: %s", group.exceptions[0])
            finally:
                self.client = None
            await asyncio.sleep(RETRY_EVERY)

    async def _one_link(self) -> None:
        worker = ForewatchWorker(WORK_POOL, name=self._name, prefetch_seconds=PREFETCH_SECONDS)
        worker.start_run = self._start_run
        async with worker:
            retry_at_once(worker.prefect)
            if self._redeploy.is_set() or not await still_there(worker.prefect, self.deployments):
                await self._deploy()
            await _be_seen(worker.prefect)
            await self.flow_run_state.close_stale(worker.prefect)
            await self.flow_run_state.skip_superseded(worker.prefect)
            await self.flow_run_state.record_later(worker.prefect, self.deployments)
            self.client = worker.prefect
            log.info("taking runs: %d deployments", len(self.deployments))
            async with asyncio.TaskGroup() as group:
                group.create_task(self._fall_with_server())
                group.create_task(self._poll(worker))
                group.create_task(self._listen(worker.prefect))
                group.create_task(_every(SYNC_EVERY, worker.sync_with_backend))
                group.create_task(_every(STATE_EVERY, lambda: self.flow_run_state.close_stale(worker.prefect)))
                group.create_task(
                    _every(STATE_EVERY, lambda: self.flow_run_state.record_later(worker.prefect, self.deployments))
                )
                group.create_task(_every(CANCEL_POLL_EVERY, lambda: self._cancel_asked(worker.prefect)))
                group.create_task(self._redeploy_on_change())

    async def _start_run(self, flow_run: FlowRun) -> Job:
        entrypoint = next(
            (found.entrypoint for found in self.deployments.values() if found.id == flow_run.deployment_id), None
        )
        return await self._launcher.run(flow_run, entrypoint)

    async def _fall_with_server(self) -> None:
        await self._down.wait()
        raise ConnectionError("the Prefect server does not answer")

    async def _poll(self, worker: ForewatchWorker) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_EVERY):
                    await self._kick.wait()
            self._kick.clear()
            await worker.get_and_submit_flow_runs()
            # The scheduler writes its rows in bursts: one poll takes them all.
            await asyncio.sleep(LEAST_BETWEEN_POLLS)

    async def _listen(self, client: PrefectClient) -> None:
        """Kicks and cancellations from the event stream; its loss costs the poll interval, nothing else."""
        wanted = EventFilter(event=EventNameFilter(name=[*KICKS, CANCELLING]))
        while True:
            try:
                async with get_events_subscriber(filter=wanted, reconnection_attempts=0) as subscriber:
                    async for event in subscriber:
                        if event.event == CANCELLING:
                            await self._cancel(client, UUID(event.resource.id.removeprefix("prefect.flow-run.")))
                        else:
                            self._kick.set()
            except Exception as error:  # noqa: BLE001 - websockets raises what it likes; polling covers the gap
                log.warning("the event stream broke off, polling meanwhile: %s", error)
            await asyncio.sleep(RETRY_EVERY)

    async def _cancel_asked(self, client: PrefectClient) -> None:
        asked = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.CANCELLING])))
        for flow_run in await client.read_flow_runs(flow_run_filter=asked, limit=50):
            await self._cancel(client, flow_run.id)

    async def _cancel(self, client: PrefectClient, flow_run_id: UUID) -> None:
        if self._cancel_child(flow_run_id):
            return
        parent = await parent_of(client, flow_run_id)
        if parent is not None and self._cancel_child(parent):
            # A runbook's own run: it lives in the process of the run that called it, and both end.
            return
        await client.set_flow_run_state(
            flow_run_id, Cancelled(message="Cancelled; no process ran it any more."), force=True
        )

    def _cancel_child(self, flow_run_id: UUID) -> bool:
        return self._launcher.cancel(flow_run_id) or cancel_elsewhere(self._runtime.home, flow_run_id)

    async def _redeploy_on_change(self) -> None:
        while True:
            await self._redeploy.wait()
            await self._deploy()

    async def _deploy(self) -> None:
        self._redeploy.clear()
        try:
            self.deployments = await self._launcher.deploy()
        except BaseException:
            # The next link begins with it.
            self._redeploy.set()
            raise


async def _be_seen(client: PrefectClient) -> None:
    """Ask for runs of long ago, of which there are none, so that the server notes us before there is one to submit.

    At the first poll it marks queue and deployments ready and tells itself so, in background. Twice that met the first
    submission, and the server stood still for 60 s, waiting for its own SQLite lock.
    """
    await client.get_scheduled_flow_runs_for_work_pool(WORK_POOL, scheduled_before=datetime(2000, 1, 1, tzinfo=UTC))
    await asyncio.sleep(BE_SEEN)


async def _every(seconds: float, action: Callable[[], Awaitable[object]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        await action()
