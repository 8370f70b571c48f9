"""From a waiting run in the store to its flow run in a spare; and from a run that went silent back to waiting.

A row is claimed and, if it is a remedy's, handed to the stand-by, which is inside a flow run already. Where none is,
a flow run is created with the row's key and attempt as idempotency key and handed to a spare. While Prefect is away a
remedy is carried out without a flow run, and what people started waits. A run whose process has died, or whose beat
stands still for as long as our patience lasts, is dispatched again (its receipts keep what was done), and after three
attempts a person is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import Callable, Mapping
from uuid import UUID

import httpx
import psutil
from prefect.client.orchestration import PrefectClient
from prefect.exceptions import ObjectNotFound
from prefect.states import Pending

from forewatch.bell import Bell, ring
from forewatch.deciding import decide
from forewatch.errors import StoreUnavailable
from forewatch.incidents.events import RunFailed
from forewatch.orchestration.deployed import Deployed
from forewatch.orchestration.flow_jobs import AWAY
from forewatch.orchestration.flow_run_notes import ended_unseen, runner_of
from forewatch.orchestration.launcher import Launcher
from forewatch.orchestration.patience import Silence, patience
from forewatch.orchestration.run_records import name_of, parameters_of, tags_of
from forewatch.remedy.run import Run, RunKind
from forewatch.runtime import Runtime
from forewatch.store import generations, runs

log = logging.getLogger("forewatch.dispatcher")

POLL = 0.1
"""Seconds between two looks for waiting runs where nobody rings."""
START_PATIENCE = 15.0
"""Seconds a claimed run in a living child may take to its first beat: the server may be slow."""
MOST_ATTEMPTS = 3
AT_ONCE = 8


class Dispatcher:
    """`ready()` gives the client and the deployments while Prefect answers, None while it does not. `lag()` is how late
    the worker itself ran in the last minute, in seconds. `stand_by(run_id)` has a stand-by carry a run out, if one
    stands."""

    def __init__(
        self,
        runtime: Runtime,
        launcher: Launcher,
        worker: str,
        ready: Callable[[], tuple[PrefectClient, Mapping[str, Deployed]] | None],
        lag: Callable[[], float] = lambda: 0.0,
        stand_by: Callable[[str], bool] = lambda run_id: False,
    ) -> None:
        self._runtime = runtime
        self._launcher = launcher
        self._worker = worker
        self._ready = ready
        self._lag = lag
        self._stand_by = stand_by
        self._silences: dict[str, Silence] = {}
        self._dead: set[str] = set()
        """Runs whose process is known to have died."""
        self._left: set[str] = set()
        """Runs whose process has ended in good order, whether or not it ever began them."""
        self._starting: dict[str, asyncio.Task[None]] = {}
        """Claimed by us and not with a child yet; the server may take its time."""

    async def dispatch_for_ever(self) -> None:
        """Until cancelled."""
        bell = Bell(self._runtime.home, "worker")
        try:
            while True:
                await bell.wait(POLL)
                try:
                    await self.dispatch_waiting()
                except StoreUnavailable as error:
                    log.error("runs cannot be claimed: %s", error)
        finally:
            bell.close()

    async def dispatch_waiting(self) -> int:
        """Start what waits; returns how many were handed to a child."""
        ready = self._ready()
        free = AT_ONCE - len(self._starting)
        only: RunKind | None = None if ready is not None else "respond"
        claimed = await self._runtime.store.run(self._claim, free, only) if free > 0 else []
        for run, key in claimed:
            if run.kind == "respond" and run.flow_run is None and self._stand_by(run.id):
                continue
            # Side by side: a server that takes its time over one run must not hold up the next one.
            starting = self._start_alone(run) if ready is None else self._start(run, key, *ready)
            self._starting[run.id] = asyncio.create_task(starting, name=f"start {run.id}")
            self._starting[run.id].add_done_callback(functools.partial(self._started, run.id))
        return len(claimed)

    def _started(self, run_id: str, task: asyncio.Task[None]) -> None:
        del self._starting[run_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            # The run stays claimed and silent, which is how it is found and dispatched again.
            log.error("%s could not be dispatched: %s", run_id, error)

    def lost(self, run_id: str) -> None:
        """The child that carried this run has died: the next look need not wait for its silence."""
        self._dead.add(run_id)

    async def called_off(self, run_id: str) -> None:
        """A person cancelled the process that was to carry this run, before it had begun it."""
        run = await self._runtime.store.run(self._claimed, run_id)
        if run is not None:
            await self._fail(run, "it was cancelled in the Prefect UI", cancelled=True)

    def _claimed(self, run_id: str) -> Run | None:
        with self._runtime.store.read() as conn:
            run = runs.get(conn, run_id)
        return run if run is not None and run.state == "claimed" else None

    def left(self, run_id: str) -> None:
        """The child that was to carry this run has ended in good order; a stand-by that was cancelled or relieved just
        when it was told has not even begun it."""
        self._left.add(run_id)

    def _claim(self, limit: int, only: RunKind | None) -> list[tuple[Run, str]]:
        """Runs that are ours to start now, each with its key; `only` those of one kind."""
        store, now = self._runtime.store, self._runtime.clock.now()
        with store.read() as conn:
            if not runs.any_waiting(conn, only):
                return []
        with store.decide() as conn:
            claimed = runs.claim(conn, self._worker, now, limit, only)
            return [(run, generations.key_of(conn, run.id)) for run in claimed]

    async def _start_alone(self, run: Run) -> None:
        await self._launcher.respond(run.id)

    async def _start(self, run: Run, key: str, client: PrefectClient, deployments: Mapping[str, Deployed]) -> None:
        deployed = deployments.get("respond" if run.kind == "respond" else run.runbook)
        if deployed is None:
            await self._fail(run, f"there is no runbook {run.runbook}")
            return
        create = functools.partial(
            client.create_flow_run_from_deployment,
            deployed.id,
            parameters=parameters_of(run),
            state=Pending(),
            name=name_of(run),
            tags=tags_of(run),
        )
        try:
            async with asyncio.timeout(START_PATIENCE):
                if run.flow_run is not None and await _was_cancelled(client, UUID(run.flow_run)):
                    await self._fail(run, "it was cancelled in the Prefect UI", cancelled=True)
                    return
                flow_run = await create(idempotency_key=f"{key}/{run.attempts}")
                if flow_run.state is not None and flow_run.state.is_final():
                    # Made by an earlier try that never heard the answer, and closed since as nobody's.
                    flow_run = await create()
            await self._launcher.run(flow_run, deployed.entrypoint, run.id)
        except (*AWAY, RuntimeError) as error:
            if (refusal := _refused(error)) is not None:
                await self._fail(run, f"Prefect refuses its parameters: {refusal}")
                return
            # A client that the link closes meanwhile, because Prefect fell silent, raises RuntimeError.
            why = error or type(error).__name__
            if run.kind == "respond":
                log.warning("%s is carried out without a flow run: %s", run.id, why)
                await self._start_alone(run)
                return
            log.warning("%s could not be dispatched and waits: %s", run.id, why)
            await self._release(run.id, "claimed", tried=False)

    async def watch_pulses(self) -> None:
        """One look at every run under way; call it once a second."""
        under_way = [
            (run, beat) for run, beat in await self._runtime.store.run(self._under_way) if run.id not in self._starting
        ]
        now, allowed = self._runtime.clock.monotonic(), patience(self._lag())
        self._silences = {run.id: self._silences.get(run.id, Silence(-1, now)) for run, _ in under_way}
        known = {run.id for run, _ in under_way}
        self._dead &= known
        self._left &= known
        for run, beat in under_way:
            silent = self._silences[run.id].look(beat, now, allowed)
            ours = self._launcher.find_run(run.id) is not None
            # What is ours has a living process: a death that was told belongs to the one before it.
            if not ours and (run.id in self._dead or self._has_died(run)):
                why = "its process has died"
            elif not ours and run.id in self._left and run.state == "claimed":
                why = "its process has ended before it began"
            elif silent > (max(START_PATIENCE, allowed) if ours and run.state == "claimed" else allowed):
                why = f"it has been silent for {silent:.1f} s"
            else:
                continue
            del self._silences[run.id]
            await self._again(run, why)
            self._dead.discard(run.id)
            self._left.discard(run.id)

    def _has_died(self, run: Run) -> bool:
        """Of a run that an earlier worker's child carried: our launcher did not see it end."""
        return (
            run.state == "started" and run.flow_run_id is not None and ended_unseen(self._runtime.home, run.flow_run_id)
        )

    def _under_way(self) -> list[tuple[Run, int]]:
        with self._runtime.store.read() as conn:
            return runs.under_way(conn)

    async def _again(self, run: Run, why: str) -> None:
        if run.attempts >= MOST_ATTEMPTS:
            await self._fail(run, f"its process died {run.attempts} times")
            self._end_hung(run)
            return
        log.warning("%s is dispatched again: %s", run.id, why)
        # Not where the store refuses: then the run cannot show life, and is most likely well.
        if await self._release(run.id, run.state):
            self._end_hung(run)

    def _end_hung(self, run: Run) -> None:
        """End the process that carries a silent run: it might come back and act beside its successor."""
        self._launcher.kill_run(run.id)
        if run.flow_run_id is None:
            return
        # It may be the child of an earlier worker, which our launcher knows nothing of.
        process = runner_of(self._runtime.home, run.flow_run_id)
        if process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    async def _release(self, run_id: str, expected: str, *, tried: bool = True) -> bool:
        def write() -> bool:
            with self._runtime.store.decide() as conn:
                return runs.release(conn, run_id, expected, tried=tried)

        return await self._runtime.store.run(write)

    async def _fail(self, run: Run, reason: str, *, cancelled: bool = False) -> None:
        log.error("%s (%s): %s", run.id, run.runbook, reason)
        now = self._runtime.clock.now()
        await self._runtime.store.run(
            decide, self._runtime.store, RunFailed(run.id, reason, now, cancelled),
            config=self._runtime.configuration.current(), now=now,
        )  # fmt: skip
        ring(self._runtime.home, "page-people")


async def _was_cancelled(client: PrefectClient, flow_run_id: UUID) -> bool:
    """Whether a person called off the flow run that carried a run before: then nothing starts behind their back."""
    try:
        state = (await client.read_flow_run(flow_run_id)).state
    except ObjectNotFound:
        return False
    return state is not None and (state.is_cancelled() or state.is_cancelling())


def _refused(error: Exception) -> str | None:
    """Why Prefect will never make this flow run, where that is what it says: its parameters do not fit the form."""
    if not isinstance(error, httpx.HTTPStatusError) or error.response.status_code not in (409, 422):
        return None
    try:
        detail = error.response.json().get("detail")
    except (ValueError, AttributeError):
        detail = None
    return str(detail or error.response.status_code)
