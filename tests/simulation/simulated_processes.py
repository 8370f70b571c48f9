"""The processes of a simulated Forewatch: the real duties, watch, delivery, dispatcher and runs, with other hands."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import SimpleNamespace
from typing import Any
from unittest import mock
from uuid import UUID

from deterministic_loop import PROCESS
from simulated_store import peek
from simulated_world import SimulatedBell, World

import forewatch.deciding
import forewatch.execution
import forewatch.intake.drain
import forewatch.intake.writer
import forewatch.looking
import forewatch.orchestration.dispatcher
import forewatch.orchestration.watch
import forewatch.resuming
import tasks.delivery
import tasks.duties.decider
import tasks.duties.inbox
import tasks.duties.page_people
import tasks.duties.reviews
from forewatch import checks
from forewatch.checks import CheckState, ProbeResult
from forewatch.errors import ForewatchError
from forewatch.execution import admit, at_work
from forewatch.orchestration.dispatcher import Dispatcher
from forewatch.orchestration.watch import Watch, relieve, stand_in
from forewatch.remedy.run import UNDER_WAY
from forewatch.runtime import Runtime
from forewatch.steps import Step
from forewatch.store import alerts, components, looks, runs
from forewatch.store.shifts import check_fence
from tasks.duties.decider import Decider
from tasks.duties.page_people import PagePeople

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


@contextmanager
def with_other_hands(world: World) -> Iterator[None]:
    """Replace what reaches out of the process; everything else is the product's own code."""
    with ExitStack() as stack:

        def put(module: Any, **others: Any) -> None:
            for name, other in others.items():
                stack.enter_context(mock.patch.object(module, name, other))

        put(forewatch.deciding, ring=world.ring)
        put(forewatch.execution, ring=world.ring, BEAT=LOOK_EVERY)
        put(forewatch.looking, ring=world.ring, POLL=0.5)
        put(forewatch.resuming, ring=world.ring)
        put(tasks.duties.reviews, report=world.report)
        put(forewatch.execution.sentry, report=world.report)
        put(
            forewatch.orchestration.dispatcher,
            ring=world.ring,
            Bell=lambda home, name: SimulatedBell(world, name),
            runner_of=lambda home, flow_run_id: None,
            ended_unseen=lambda home, flow_run_id: False,
            patience=lambda lag: 6.0,
            Pending=lambda: None,
        )
        put(
            forewatch.orchestration.watch,
            BEAT_EVERY=12.0,
            LONGEST=36.0,
            post=SimpleNamespace(take=lambda home, shift: False, leave=lambda home, shift: None),
            HANDOVER_POLL=1.0,
            holder_name=lambda: str(world_process()),
        )
        no_real_time = SimpleNamespace(monotonic=world.clock.monotonic, thread_time=world.clock.monotonic)
        put(forewatch.intake.drain, AT_ONCE=3, time=no_real_time)
        put(forewatch.intake.writer, ring=world.ring, time=no_real_time, LOOK_EVERY=10.0)
        put(tasks.duties.inbox, report=world.report, LOOK_EVERY=20.0)
        put(tasks.delivery, _send=world.send, report=world.report)
        put(tasks.duties.decider, Audit=Nothing, report=world.report)
        put(
            tasks.duties.page_people,
            Audit=Nothing,
            Stories=NoStories,
            report=world.report,
            Bell=lambda home, name: SimulatedBell(world, name),
        )
        yield


def world_process() -> Any:
    """The simulated process that runs this."""
    return PROCESS.get()


class CheckHealth:
    """The duty of `check-health` with the world instead of probes: what the checks say goes through the real code."""

    def __init__(self, world: World, runtime: Runtime, fence: Any) -> None:
        self._world = world
        self._runtime = runtime
        self._fence = fence
        self._decider = Decider(runtime, fence)
        self._bell = SimulatedBell(world, "check-health")
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        firing = await self._runtime.store.run(self._firing)
        self._task = asyncio.create_task(self._watch(firing))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        await self._decider.close()

    def _firing(self) -> list[Any]:
        with self._runtime.store.read() as conn:
            return [alert.labels for alert in alerts.all_firing(conn) if alert.name == checks.ALERT_NAME]

    async def _watch(self, firing: list[Any]) -> None:
        states: dict[Any, CheckState] = {}
        first = True
        while True:
            _, config = self._runtime.configuration.current()
            monitors = checks.monitors(config)
            if first:
                states, orphans, _ = checks.take_over(monitors, states, firing)
                for labels in orphans:
                    await self._decider.decide(checks.dropped(labels, self._runtime.clock.now()))
                first = False
            for monitor in monitors:
                await self._probe(monitor, states)
            await self._decider.retry()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self._bell.rung.wait()
            self._bell.rung.clear()
            await self._answer_looks(monitors, states)

    async def _answer_looks(self, monitors: list[Any], states: dict[Any, CheckState]) -> None:
        """As `tasks.duties.looks`: probe what is asked, fold it in, and write down what was seen."""
        runtime = self._runtime
        try:
            for look in await runtime.store.run(self._due):
                asked = [one for one in monitors if list(one.key) in look.keys]
                for monitor in asked:
                    await self._probe(monitor, states)
                seen = [self._seen(monitor, states[monitor.key]) for monitor in asked]
                await runtime.store.run(self._write, look.id, seen)
        except ForewatchError as error:
            self._world.tell(f"a look is not answered: {error}")

    def _due(self) -> list[Any]:
        with self._runtime.store.read() as conn:
            return looks.due(conn, self._runtime.clock.now(), 100)

    def _write(self, look_id: int, seen: list[dict[str, Any]]) -> None:
        with self._runtime.store.decide() as conn:
            check_fence(conn, self._fence)
            looks.answer(conn, look_id, seen, self._runtime.clock.now())

    def _seen(self, monitor: Any, state: CheckState) -> dict[str, Any]:
        ok = state.successes > 0
        return {**monitor.key.labels(), "ok": ok, "reason": state.reason, "at": state.at, "status": state.status}

    async def _probe(self, monitor: Any, states: dict[Any, CheckState]) -> None:
        now = self._runtime.clock.now()
        ok = not self._world.is_ill(monitor.key.service, monitor.key.check)
        result = ProbeResult(ok, 0.001, "200" if ok else "connection refused")
        state = states.get(monitor.key, CheckState())
        after, transition = checks.advance(state, result, monitor.check, now)
        states[monitor.key] = after
        if transition == "failing":
            await self._decider.decide(checks.raised(monitor, after, result, now))
        elif transition == "recovered":
            await self._decider.decide(checks.cleared(monitor, after, result, now))


class Hands:
    """`forewatch.orchestration.hands.Hands`: runs a flow run in a child process."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def run(self, flow_run: Any, entrypoint: str, run_id: str) -> None:
        self._world.start(f"run {run_id}", lambda: carry_out(self._world, run_id, str(flow_run.id)))

    def find_run(self, run_id: str) -> object | None:
        process = self._world.processes.get(f"run {run_id}")
        return process if process is not None and process.alive else None

    def kill_run(self, run_id: str) -> None:
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
                return any(world.is_ill(service, check) for check in ("http", "tcp"))

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
    dispatcher = Dispatcher(
        runtime,
        Hands(world),  # type: ignore[arg-type]
        str(world_process()),
        lambda: None if world.away["Prefect"] > 0 else (prefect, DEPLOYMENTS),  # type: ignore[arg-type,return-value]
    )
    dispatching = asyncio.create_task(dispatcher.dispatch_for_ever())
    reported: bool | None = None
    while not dispatching.done():
        try:
            if reported is not (away := world.away["Prefect"] > 0):
                await runtime.store.run(_report_prefect, away, runtime)
                reported = away
            if peek("SELECT 1 FROM runs WHERE state IN ('claimed', 'started') LIMIT 1"):
                await dispatcher.watch_pulses()
        except ForewatchError as error:
            world.tell(f"the worker cannot work: {error}")
        await asyncio.sleep(LOOK_EVERY)


def _report_prefect(away: bool, runtime: Runtime) -> None:
    """As the worker tells people how Prefect is."""
    with runtime.store.decide() as conn:
        state, reason = ("down", "it does not answer") if away else ("ok", "")
        components.report(conn, "prefect", state, reason, runtime.clock.now())  # type: ignore[arg-type]


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
    duty = CheckHealth(world, runtime, fence) if role == "check-health" else PagePeople(runtime, fence)
    await Watch(runtime, fence).stand(duty)


def under_way(world: World) -> list[Any]:
    with world.store.read() as conn:
        return runs.listing(conn, states=UNDER_WAY, limit=1000)
