"""Which child does what: starts watches and flow runs in spares, knows them by name, cancels them, sees them end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID, uuid4

from prefect.client.schemas.objects import FlowRun

from forewatch.orchestration.deployed import Deployed
from forewatch.orchestration.flow_jobs import FlowJob
from forewatch.orchestration.holder import holder_name
from forewatch.orchestration.spares import Child, Spares
from forewatch.orchestration.stand_in import ShiftGuard
from forewatch.remedy.run import UNRECORDED

log = logging.getLogger("forewatch.launcher")

CANCEL_GRACE = 20.0
"""Seconds a flow run that is cancelled or relieved gets to end by itself before its process is killed."""

STANDS_IN = "a spare takes over"
"""What the log says of every stand-in; `benchmarks.soak` counts by it."""

DEPLOY_TIMEOUT = 90.0
"""Seconds for all deployments; a server that has just started takes its time."""


@dataclass(eq=False)
class Job:
    """A child at work: on a flow run, on a shift without one, or on a flow run that stands a shift."""

    child: Child
    flow_run_id: UUID | None = None
    shift: str | None = None
    run_id: str | None = None
    cancelled: bool = False
    called_off: bool = False
    """It was cancelled with a run to carry out, and not while it stood by."""
    holder: str = field(init=False)
    """Who the child is in a shift's row; said now, since of one that has ended it cannot be found out."""

    def __post_init__(self) -> None:
        self.holder = holder_name(self.child.pid)


class Launcher:
    """`on_end(job, exit_code)` is called once for every job."""

    def __init__(
        self,
        spares: Spares,
        guard: ShiftGuard,
        on_end: Callable[[Job, int], None],
    ) -> None:
        self._spares = spares
        self._guard = guard
        self._on_end = on_end
        self._jobs: set[Job] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def stand(self, shift: str, holder: str) -> None:
        """Put a spare on watch instead of `holder` ("" for nobody). Raises TimeoutError or ChildProcessError where none
        can be had.

        One that was sent before and is not the holder is ended first: it has shown no life for as long as any process
        may, and two would be in each other's way.
        """
        log.warning("%s: nobody is on watch (last: %s), %s", shift, holder or "nobody yet", STANDS_IN)
        for before in self._jobs:
            if before.shift == shift and before.flow_run_id is None and before.holder != holder:
                log.warning("%s: the stand-in %s has not taken the watch and is ended", shift, before.holder)
                before.child.kill()
        job = Job(await self._spares.take(), shift=shift)
        self._guard.sent(shift, job.holder)
        self._begin(job, "watch", shift, holder)

    async def run(self, flow_run: FlowRun, entrypoint: str | None, run_id: str | None = None) -> Job:
        """Hand a flow run to a spare; returns as soon as the child has been told."""
        job = Job(await self._spares.take(), flow_run_id=flow_run.id, run_id=run_id)
        work = FlowJob(flow_run=flow_run.model_dump_json(), entrypoint=entrypoint)
        self._begin(job, "run", asdict(work))
        return job

    async def stand_by(self, flow_run: FlowRun, entrypoint: str | None, stands: Callable[[Job], None]) -> Job:
        """Have a spare stand by inside a flow run; `stands(job)` is called once it waits for a run."""
        job = Job(await self._spares.take(), flow_run_id=flow_run.id)
        work = FlowJob(flow_run=flow_run.model_dump_json(), entrypoint=entrypoint)
        self._begin(job, "stand-by", asdict(work))
        beat = job.child.on_message

        def hear(message: tuple[Any, ...]) -> None:
            if message[0] == "standing-by":
                stands(job)
            else:
                beat(message)

        job.child.on_message = hear
        return job

    async def respond(self, run_id: str) -> Job:
        """Have a spare carry a run out while Prefect is away."""
        job = Job(await self._spares.take(), run_id=run_id)
        self._begin(job, "respond", run_id, f"{UNRECORDED}{uuid4()}")
        return job

    async def deploy(self) -> dict[str, Deployed]:
        """Have a spare make all deployments: it has the flows imported, the worker need not. By key.

        Raises ConnectionError where the spare ends without an answer, TimeoutError where it takes too long.
        """
        child = await self._spares.take()
        answer: asyncio.Future[dict[str, Deployed]] = asyncio.get_running_loop().create_future()

        def hear(message: tuple[Any, ...]) -> None:
            if message[0] == "deployed" and not answer.done():
                answer.set_result({key: Deployed(UUID(id), key, entrypoint) for key, id, entrypoint in message[1]})

        def ended(_: object) -> None:
            if not answer.done():
                answer.set_exception(ConnectionError("the deployments could not be made; the log says why"))

        child.on_message = hear
        child.exited.add_done_callback(ended)
        child.send("deploy")
        try:
            async with asyncio.timeout(DEPLOY_TIMEOUT):
                return await answer
        except TimeoutError:
            child.kill()
            raise

    def _begin(self, job: Job, *command: Any) -> None:
        def hear(message: tuple[Any, ...]) -> None:
            if message[0] == "beat":
                job.shift = message[1]
                self._guard.alive(message[1])

        job.child.on_message = hear
        self._jobs.add(job)
        job.child.exited.add_done_callback(lambda done: self._ended(job, done.result()))
        if not job.child.send(*command):
            log.warning("child %d died before it could be told its job", job.child.pid)

    def _ended(self, job: Job, code: int) -> None:
        self._jobs.discard(job)
        if job.shift is not None:
            # A clean end has handed the watch over; anything else left it to nobody.
            self._guard.ended(job.shift, job.holder, clean=code == 0 and not job.cancelled)
        self._on_end(job, code)

    def find(self, flow_run_id: UUID) -> Job | None:
        return next((job for job in self._jobs if job.flow_run_id == flow_run_id), None)

    def find_run(self, run_id: str) -> Job | None:
        return next((job for job in self._jobs if job.run_id == run_id), None)

    def kill_run(self, run_id: str) -> None:
        """End the child that carries a run and shows no life: hung, it might come back and act beside its successor."""
        if (job := self.find_run(run_id)) is not None:
            job.run_id = None  # its end is known of the run by now
            job.child.kill()

    @property
    def jobs(self) -> list[Job]:
        return list(self._jobs)

    def cancel(self, flow_run_id: UUID) -> bool:
        """Cancel a flow run that one of our children runs. False where none does."""
        job = self.find(flow_run_id)
        if job is None or job.cancelled:
            return job is not None
        job.cancelled, job.called_off = True, job.run_id is not None
        job.child.send("cancel")
        self._end_late(job)
        return True

    def relieve(self, job: Job) -> None:
        """Let a stand-by end: it is not wanted any more."""
        job.child.send("relieve")
        self._end_late(job)

    def _end_late(self, job: Job) -> None:
        task = asyncio.create_task(self._kill_late(job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _kill_late(self, job: Job) -> None:
        try:
            async with asyncio.timeout(CANCEL_GRACE):
                await asyncio.shield(job.child.exited)
        except TimeoutError:
            log.warning("child %d did not end %.0f s after it was asked to and is killed", job.child.pid, CANCEL_GRACE)
            job.child.kill()

    async def stop(self, reason: str, timeout: float) -> None:
        """Ask every child to end after its current step and wait, at most `timeout` seconds."""
        for job in self._jobs:
            job.child.send("stop", reason)
        waiting = [asyncio.shield(job.child.exited) for job in self._jobs]
        if waiting:
            await asyncio.wait(waiting, timeout=timeout)
