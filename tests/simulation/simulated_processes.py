"""The processes of a simulated Forewatch: real duties, watch, delivery, dispatcher and runs, with simulated effects."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest import mock
from uuid import UUID

from deterministic_loop import PROCESS
from simulated_services import Result
from simulated_store import peek
from simulated_world import SimulatedBell, World

import forewatch.deciding
import forewatch.intake.drain
import forewatch.intake.writer
import forewatch.orchestration.dispatcher
import forewatch.orchestration.lateness
import forewatch.orchestration.watch
import forewatch.runs.automation
import forewatch.runs.execution
import forewatch.runs.look
import tasks.delivery
import tasks.probes.engine
import tasks.probes.memory
import tasks.shifts.check_health
import tasks.shifts.decider
import tasks.shifts.inbox
import tasks.shifts.looks
import tasks.shifts.page_people
import tasks.shifts.reviews
from forewatch.checking.results import ProbeResult
from forewatch.errors import ForewatchError
from forewatch.orchestration.dispatcher import Dispatcher
from forewatch.orchestration.watch import Watch, relieve, stand_in
from forewatch.remedy.run import UNDER_WAY, UNRECORDED
from forewatch.runs.execution import admit, at_work
from forewatch.runs.steps import Step
from forewatch.runtime import Runtime
from forewatch.store import components, runs
from forewatch.store.components import ComponentState
from forewatch.store.points import Point
from tasks.act.rehearsal import Rehearsed
from tasks.probes.engine import CheckEngine
from tasks.shifts.check_health import CheckHealth
from tasks.shifts.page_people import PagePeople

NO_STAND_BY = 0.3
"""How often a remedy meets none: another was due just before."""
HANGS = 0.5
"""The share of silent runs that cannot be killed."""
LOOK_EVERY = 2.0
"""Everything looks less often than in production, so that a history costs less; rings make up for it."""


class Nothing:
    """Records for people in Prefect's UI: none here."""

    def record(self, name: str, text: str) -> None:
        pass

    async def close(self) -> None:
        pass


class NoStories:
    """Artifacts in Prefect's UI: none here."""

    published = 0

    def __init__(self, runtime: Runtime) -> None:
        pass

    async def run(self, stop: asyncio.Event) -> None:
        await stop.wait()


class NoPoints:
    """Measurements are for rules and pictures: none here."""

    Point = Point

    @staticmethod
    def write(conn: Any, batch: Any) -> None:
        pass


class Unheard:
    """A bell whose rings are all lost, so that polling must do."""

    def __init__(self, home: object, name: str) -> None:
        pass

    async def wait(self, timeout: float) -> bool:
        await asyncio.sleep(timeout)
        return False

    def close(self) -> None:
        pass


@contextmanager
def with_simulated_effects(world: World) -> Iterator[None]:
    """Replace what reaches out of the process; everything else is the product's own code."""
    with ExitStack() as stack:

        def bell(home: object, name: str) -> SimulatedBell:
            return SimulatedBell(world, name)

        def put(module: Any, **others: Any) -> None:
            for name, other in others.items():
                stack.enter_context(mock.patch.object(module, name, other))

        put(forewatch.deciding, ring=world.ring)
        put(forewatch.runs.execution, ring=world.ring, BEAT=LOOK_EVERY)
        put(forewatch.runs.look, ring=world.ring, Bell=Unheard, POLL=0.25)
        put(forewatch.runs.automation, ring=world.ring)
        put(forewatch.runs.execution.sentry, report=world.report)
        put(
            forewatch.orchestration.dispatcher,
            ring=world.ring,
            Bell=bell,
            runner_of=lambda home, flow_run_id: None,
            ended_unseen=lambda home, flow_run_id: False,
            patience=lambda lag: 6.0,
            Pending=lambda: None,
        )
        put(
            forewatch.orchestration.watch,
            BEAT_EVERY=12.0,
            LONGEST=36.0,
            shift_lock=SimpleNamespace(take=lambda home, shift: False, leave=lambda home, shift: None),
            HANDOVER_POLL=1.0,
            holder_name=lambda: str(world_process()),
            ended_here=lambda holder: holder in world.ended,
        )
        no_real_time = SimpleNamespace(monotonic=world.clock.monotonic, thread_time=world.clock.monotonic)
        put(forewatch.intake.drain, AT_ONCE=3, time=no_real_time)
        put(forewatch.intake.writer, ring=world.ring, time=no_real_time, LOOK_EVERY=10.0)
        put(tasks.shifts.inbox, report=world.report, LOOK_EVERY=20.0)
        put(tasks.delivery, _send=world.send, report=world.report)
        put(tasks.shifts.decider, Audit=Nothing, report=world.report)
        put(tasks.shifts.page_people, Audit=Nothing, Stories=NoStories, report=world.report, Bell=bell)
        put(tasks.shifts.reviews, report=world.report)
        put(tasks.shifts.check_health, CheckEngine=check_engine(world), FOLLOW_EVERY=2.0, report=world.report)
        put(tasks.shifts.looks, Bell=bell, ring=world.ring, rehearse=lambda *_: Rehearsed([], []), report=world.report)
        put(tasks.probes.engine, BATCH=10.0)
        put(forewatch.orchestration.lateness, EVERY=10.0)
        put(tasks.probes.memory, points=NoPoints)
        yield


def world_process() -> Any:
    """The simulated process that runs this."""
    return PROCESS.get()


def check_engine(world: World) -> Any:
    """The real engine, with checks that see the world's services instead of the network's."""

    async def probe(check: Any, instance: Any, context: Any) -> ProbeResult:
        name, service, *_ = check.tcp.split(".")
        if world.services.slow(service, name):
            await asyncio.sleep(check.timeout)
        reason = world.services.trouble(service, name)
        world.services.results[service, name].append(Result(world.loop.time(), not reason))
        return ProbeResult(not reason, 0.001, reason or "200")

    def engine(*given: Any, **more: Any) -> CheckEngine:
        rng = Random(f"{world.plan.seed}/{world.number('engine')}")
        return CheckEngine(*given, probe=probe, rng=rng, **more)

    return engine


class Launcher:
    """`forewatch.orchestration.launcher.Launcher`: runs a flow run in a child process."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def run(self, flow_run: Any, entrypoint: str, run_id: str) -> None:
        self._world.start(f"run {run_id}", lambda: carry_out(self._world, run_id, str(flow_run.id)))

    async def respond(self, run_id: str) -> None:
        """Without Prefect: the process names itself."""
        self._carry_out(run_id, f"{UNRECORDED}{self._world.number('unrecorded')}")

    def stand_by(self, run_id: str) -> bool:
        """One that stands by has its flow run already; at times none does."""
        if self._world.chaos.number(f"{run_id} meets a stand-by") < NO_STAND_BY:
            return False
        self._world.counts["carried out by a stand-by"] += 1
        self._carry_out(run_id, str(UUID(int=self._world.number("flow run"))))
        return True

    def _carry_out(self, run_id: str, carrier: str) -> None:
        self._world.start(f"run {run_id}", lambda: carry_out(self._world, run_id, carrier))

    def find_run(self, run_id: str) -> object | None:
        process = self._world.processes.get(f"run {run_id}")
        return process if process is not None and process.alive else None

    def kill_run(self, run_id: str) -> None:
        """One that hangs in the kernel cannot be killed yet, and comes back beside its successor."""
        process = self._world.processes.get(f"run {run_id}")
        if process is not None and self._world.chaos.number(f"{process} hangs") < HANGS:
            self._world.counts["runs that could not be killed"] += process.alive
            return
        self._world.kill(f"run {run_id}")


class Prefect:
    """A server that makes flow runs, each idempotency key once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._made: dict[str, Any] = {}

    async def create_flow_run_from_deployment(self, id: UUID, *, idempotency_key: str = "", **_: Any) -> Any:
        await asyncio.sleep(0)
        if idempotency_key and idempotency_key in self._made:
            return self._made[idempotency_key]
        flow_run = SimpleNamespace(id=UUID(int=self._world.number("flow run")), state=None)
        self._made[idempotency_key] = flow_run
        return flow_run

    async def read_flow_run(self, id: UUID) -> Any:
        return SimpleNamespace(state=None)


DEPLOYMENTS = {
    key: SimpleNamespace(id=UUID(int=0), key=key, entrypoint=key) for key in ("respond", "restart-service", "collect")
}


async def carry_out(world: World, run_id: str, flow_run_id: str) -> None:
    """What the flows `respond` and of a runbook do: look, act, and act once more, each as a step with its receipt."""
    here = world.runtime()
    try:
        execution = await admit(here, run_id, flow_run_id)
        async with at_work(execution):
            service = str(execution.service)

            async def look() -> bool:
                return bool(world.services.trouble(service, world.services.main_check(service)))

            async def act(step: str) -> str:
                await asyncio.sleep(1.0)
                world.act(service, run_id, step)
                return "restarted"

            await execution.steps.take(Step("look", "observe"), {}, look)
            await execution.steps.take(Step("restart", "act"), {"service": service}, lambda: act("restart"))
            if world.chaos.number(f"{run_id} acts twice") < 0.3:
                await execution.steps.take(
                    Step("again", "act", repeatable=True), {"service": service}, lambda: act("again")
                )
    except ForewatchError as error:
        world.tell(f"{run_id} ends: {error}")


async def work(world: World) -> None:
    """The worker: the real dispatcher; what a dead worker had claimed it frees."""
    runtime = world.runtime()
    prefect = world.__dict__.setdefault("prefect", Prefect(world))
    launcher = Launcher(world)
    dispatcher = Dispatcher(
        runtime,
        launcher,  # type: ignore[arg-type]
        str(world_process()),
        lambda: None if world.away["Prefect"] > 0 else (prefect, DEPLOYMENTS),  # type: ignore[arg-type,return-value]
        stand_by=launcher.stand_by,
    )
    dispatching = asyncio.create_task(dispatcher.dispatch_for_ever())
    reported = False
    while not dispatching.done():
        try:
            if not reported:
                await runtime.store.run(report_worker, runtime, "ok", "")
                reported = True
            if peek("SELECT 1 FROM runs WHERE state IN ('claimed', 'started') LIMIT 1"):
                await dispatcher.watch_pulses()
        except ForewatchError as error:
            world.tell(f"the worker cannot work: {error}")
        await asyncio.sleep(LOOK_EVERY)


def report_worker(runtime: Runtime, state: ComponentState, reason: str) -> None:
    """How the worker is: it says so itself, or the supervisor that sees it end."""
    with runtime.store.decide() as conn:
        components.report(conn, "worker", state, reason, runtime.clock.now())


async def worker_ends(world: World) -> None:
    """The supervisor sees the worker end."""
    runtime = world.runtime()
    try:
        await runtime.store.run(report_worker, runtime, "down", "the worker process ended (-9)")
    except ForewatchError as error:
        world.tell(f"cannot say that the worker is down: {error}")


async def stand_watch(world: World, role: str, *, relieving: bool) -> None:
    """A child on a shift: as a scheduled run that relieves its predecessor, or as a stand-in that just takes it."""
    runtime = world.runtime()
    try:
        if relieving:
            fence = await relieve(runtime, role, world.number(f"scheduled {role}"))
        else:
            fence = await stand_in(runtime, role)
    except ForewatchError as error:
        world.tell(f"cannot take the watch: {error}")
        return
    if fence is None:
        return
    world.tell(f"has the watch of {role}, term {fence.term}")
    world_process().watch = (role, fence.term)
    duty = CheckHealth(runtime, fence) if role == "check-health" else PagePeople(runtime, fence)
    await Watch(runtime, fence).stand(duty)


def under_way(world: World) -> list[Any]:
    with world.store.read() as conn:
        return runs.listing(conn, states=UNDER_WAY, limit=1000)
