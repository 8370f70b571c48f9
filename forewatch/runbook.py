"""What a runbook author imports.

    from forewatch.runbook import note, runbook, step

    @step
    async def empty_cache(path: str) -> int:
        \"\"\"Remove every file below the path; returns the bytes freed.\"\"\"
        ...

    @runbook(title="Free disk space", timeout=120)
    async def free_disk_space(path: str = "/var/cache/app") -> str:
        \"\"\"Empty the application's cache.

        Args:
            path: Folder whose files may be removed.
        \"\"\"
        freed = await empty_cache(path)
        return f"freed {freed} bytes"

The function becomes the Prefect flow `free-disk-space`, in `free_disk_space.py`; its parameters become the form in the
Prefect UI and the `with:` of a remedy. Everything that touches the world is a step: `@step` for one that changes
something, `@step(changes=False)` for one that looks. A run that is resumed starts at the top and is given the recorded
results of the steps it has taken, so whatever decides the runbook's way must come from its inputs or from a step. Steps
take and return plain JSON.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Generic, ParamSpec, TypeVar, overload

from prefect import flow, get_run_logger, task
from prefect.artifacts import acreate_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.flows import Flow
from prefect.states import Completed
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from forewatch.errors import ActionRefused, Interrupted, RunbookError, StepFailed
from forewatch.guard.redact import redact
from forewatch.incidents.events import RunRequested
from forewatch.incidents.outcome import PutRun
from forewatch.orchestration.beside import beside, told
from forewatch.orchestration.run_records import own_flow_run
from forewatch.remedy.replay import as_json
from forewatch.remedy.run import UNDER_WAY
from forewatch.runs.execution import Execution, admit, at_work, current_run, decide_and_ring, run_under_way
from forewatch.runs.form import COMMON, Seconds, documented, form_of, problems_with, with_common
from forewatch.runs.steps import Happened, Step, Taken, reason_of
from forewatch.runtime import runtime
from forewatch.store import runs
from forewatch.units import format_duration

__all__ = [
    "Execution", "Happened", "Runbook", "Seconds", "StepFailed", "attach", "current_run", "note", "runbook", "step",
    "still_allowed",
]  # fmt: skip

P = ParamSpec("P")
R = TypeVar("R")
StepFn = Callable[P, Coroutine[Any, Any, R]]
RunbookFn = Callable[..., Coroutine[Any, Any, R]]
Probe = Callable[P, Awaitable["Happened[R] | None"]]

_SHOWN = 300
"""Characters of a step's result that go to the log."""


async def note(text: str) -> None:
    """Put a line on the timeline of the incident this run works on."""
    await current_run().note(text)


async def attach(name: str, text: str) -> None:
    """Attach a text (logs, a table) to this run and its incident, and show it in Prefect. Secrets in it are masked."""
    execution = current_run()
    await execution.attach(name, text)
    if FlowRunContext.get() is not None:
        beside(_show(execution.run_id, name, redact(text)), f"{name} of {execution.run_id} as an artifact")


async def still_allowed() -> None:
    """Ask between long pieces of work whether to go on; every step that changes something asks by itself.

    Raises ActionRefused where automation was stopped, the run cancelled or taken over, Interrupted where this process
    is to end.
    """
    await current_run().steps.still_allowed()


class StepFunction(Generic[P, R]):
    """A step of a runbook: called like the function it is made of, visible as a task run, remembered by a receipt."""

    def __init__(self, fn: StepFn[P, R], options: Step, probe: Probe[P, R] | None) -> None:
        if not inspect.iscoroutinefunction(fn):
            raise RunbookError(f"step {fn.__name__} must be an async function")
        functools.update_wrapper(self, fn)
        self.fn = fn
        self.options = options
        self.description = inspect.getdoc(fn) or ""
        self._probe = probe
        self._signature = inspect.signature(fn)
        # Receipts are the memory: Prefect must neither cache nor retry what may act.
        visible = task(name=options.name, description=self.description, cache_policy=NO_CACHE, persist_result=False)
        self._task = visible(_as_task)

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        execution = current_run()
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        inputs = as_json(dict(bound.arguments), f"the input of step {self.options.name}")

        async def take() -> Any:
            probe = self._probe
            return await execution.steps.take(
                self.options,
                inputs,
                lambda: self.fn(*args, **kwargs),
                (lambda: probe(*args, **kwargs)) if probe is not None else None,
            )

        # Outside a flow run, in a test say, a step is a step all the same.
        taken = await (self._task(_Work(take)) if FlowRunContext.get() is not None else take())
        return taken.result  # type: ignore[no-any-return]


class _Work:
    """Hides a step from Prefect's search for futures in a task's parameters, which would walk through all of it."""

    __slots__ = ("take",)

    def __init__(self, take: Callable[[], Awaitable[Taken]]) -> None:
        self.take = take


async def _as_task(work: _Work) -> Taken:
    taken = await work.take()
    how = "as recorded, not done again" if taken.recorded else "done"
    get_run_logger().info("%s: %s", how, redact(str(taken.result))[:_SHOWN])
    return taken


@overload
def step(fn: StepFn[P, R], /) -> StepFunction[P, R]: ...
@overload
def step(
    *,
    changes: bool = True,
    timeout: float = 60.0,
    attempts: int = 1,
    backoff: float = 1.0,
    repeatable: bool = False,
    probe: Callable[..., Awaitable[Happened[Any] | None]] | None = None,
) -> Callable[[StepFn[P, R]], StepFunction[P, R]]: ...
def step(
    fn: StepFn[P, R] | None = None,
    /,
    *,
    changes: bool = True,
    timeout: float = 60.0,
    attempts: int = 1,
    backoff: float = 1.0,
    repeatable: bool = False,
    probe: Callable[..., Awaitable[Happened[Any] | None]] | None = None,
) -> StepFunction[P, R] | Callable[[StepFn[P, R]], StepFunction[P, R]]:
    """Make an async function a step.

    `changes`: it acts on the world (else it only looks, and may be done again). `timeout`, `backoff`: seconds; the
    backoff doubles. `attempts`: how often in all; an error marked permanent is not tried again. If its process dies in
    the middle of a step that changes something, `probe`, called with the step's arguments, says `Happened(result)`, or
    None to have it taken again; `repeatable` has it taken again without asking; without either a person is paged.
    """

    def decorate(fn: StepFn[P, R]) -> StepFunction[P, R]:
        name = fn.__name__.strip("_").replace("_", "-")
        kind = "act" if changes else "observe"
        options = Step(name, kind, timeout, attempts, backoff, repeatable)  # type: ignore[arg-type]
        return StepFunction(fn, options, probe)

    return decorate if fn is None else decorate(fn)


@dataclass(frozen=True)
class Runbook:
    """A runbook as others see it. `parameters` is a JSON schema; `entrypoint` is how a process loads the flow."""

    name: str
    title: str
    description: str
    parameters: Mapping[str, Any]
    timeout: float
    source: str
    entrypoint: str
    steps: tuple[StepFunction[..., Any], ...]
    flow: Flow[..., Any] = field(repr=False)
    form: type[BaseModel] = field(repr=False)

    @property
    def dry_run(self) -> bool:
        """Whether it can say what it would do without doing it."""
        return "dry_run" in self.form.model_fields

    def problems_with(self, inputs: Mapping[str, Any]) -> list[str]:
        """What is wrong with the inputs of a remedy (`with:`) or a person, one sentence each."""
        return problems_with(inputs, self.form)

    async def carry_out(self, inputs: Mapping[str, Any]) -> None:
        """Carry it out as part of the run at work here, for which it need not wait for Prefect.

        Called as a subflow, its first step would begin 70 to 250 ms later, after two answers of the server. So the
        steps are task runs of the flow run there is, and its own flow run is recorded below that one, beside them.
        """
        parameters = self.flow.validate_parameters(dict(inputs))
        context = FlowRunContext.get()
        if context is None or context.flow_run is None or not isinstance(context.client, PrefectClient):
            await self.flow.fn(**parameters)
            return
        name = f"{self.name} {current_run().run_id}"
        async with own_flow_run(context.client, context.flow_run.id, self.flow, parameters, name):
            await self.flow.fn(**parameters)


_declared: dict[Flow[..., Any], Callable[[str, tuple[StepFunction[..., Any], ...]], Runbook]] = {}


def runbooks_in(module: ModuleType, entrypoint: str) -> list[Runbook]:
    """The runbooks a module declares. `entrypoint` is how the module is loaded, without the `:name`."""
    things = vars(module)
    steps = tuple(thing for thing in things.values() if isinstance(thing, StepFunction))
    return [
        _declared[thing](f"{entrypoint}:{name}", steps)
        for name, thing in things.items()
        if isinstance(thing, Flow) and thing in _declared and thing.fn.__module__ == module.__name__
    ]


def runbook(*, title: str, timeout: float = 600.0) -> Callable[[RunbookFn[R]], Flow[..., Coroutine[Any, Any, R]]]:
    """Make an async function a runbook: a Prefect flow with a typed form, whose runs Forewatch knows.

    It gets the parameters `service` and `incident`, and `run` for Forewatch's own use, unless it declares them itself.
    `timeout`: seconds for all of it. What it returns, if it is a text, is told as the outcome: "restarted it as pid 7".
    """

    def decorate(fn: RunbookFn[R]) -> Flow[..., Coroutine[Any, Any, R]]:
        name = fn.__name__.replace("_", "-")
        if not inspect.iscoroutinefunction(fn):
            raise RunbookError(
                f"runbook {name} must be an async function: a sync flow holds its process a second longer"
            )
        signature = inspect.signature(fn, eval_str=True)
        description, docstring = documented(inspect.getdoc(fn) or title)

        @functools.wraps(fn)
        async def body(*args: Any, **kwargs: Any) -> Any:
            given = whole.bind(*args, **kwargs)
            given.apply_defaults()
            return await _carry_out(name, dict(given.arguments), own, timeout)

        async def own(parameters: Mapping[str, Any]) -> R:
            return await fn(**{key: value for key, value in parameters.items() if key in signature.parameters})

        whole = with_common(signature)
        body.__signature__ = whole  # type: ignore[attr-defined]
        body.__doc__ = docstring
        made = flow(name=name, description=description)(body)

        def describe(entrypoint: str, steps: tuple[StepFunction[..., Any], ...]) -> Runbook:
            return Runbook(
                name=name,
                title=title,
                description=description,
                parameters=made.parameters.model_dump(),
                timeout=timeout,
                source=inspect.getsourcefile(fn) or "",
                entrypoint=entrypoint,
                steps=steps,
                flow=made,
                form=form_of(name, whole),
            )

        _declared[made] = describe
        return made

    return decorate


async def _carry_out(
    name: str, parameters: dict[str, Any], own: Callable[[Mapping[str, Any]], Awaitable[Any]], timeout: float
) -> Any:
    """Run a runbook's own function: as part of the run that is at work here, or as a run of its own."""

    async def within_time() -> Any:
        try:
            async with asyncio.timeout(timeout):
                return await own(parameters)
        except TimeoutError as error:
            raise RunbookError(f"{name} did not finish within {format_duration(timeout)}") from error

    context = FlowRunContext.get()
    if (under_way := run_under_way()) is not None:
        if context is not None and context.flow is not None and context.flow.name == name:
            _name(context, f"{name} {under_way.run_id}")
        if under_way.begun:
            # One runbook calls another: the run ends with the outer one.
            return await within_time()
        return await _to_its_end(under_way, within_time)
    if context is None or context.flow_run is None:
        raise RunbookError(f"{name} runs as a Prefect flow only: start it with forewatch runbooks run {name}")
    try:
        run_id = parameters["run"] or await _request(name, parameters, context.flow_run)
        execution = await admit(runtime(), run_id, str(context.flow_run.id))
    except ActionRefused as error:
        get_run_logger().warning("%s", error)
        return Completed(name="Refused", message=str(error))
    if execution.run.runbook != name:
        raise RunbookError(f"{run_id} is a run of {execution.run.runbook}, not of {name}")
    if run_id not in context.flow_run.name:
        _name(context, f"{name} {run_id}")
    async with at_work(execution):
        result = await _to_its_end(execution, within_time)
    await told()
    return result


async def _to_its_end(execution: Execution, work: Callable[[], Awaitable[Any]]) -> Any:
    """Decide how a run ended before Prefect hears of it: a server that is away must not delay a page or a verdict."""
    execution.begun = True
    try:
        result = await work()
    except Interrupted:
        raise
    except Exception as error:
        await execution.failed(error)
        if redact(str(error)) == str(error):
            raise
        # Prefect keeps and shows what a flow raises.
        raise RunbookError(reason_of(error)) from error
    await execution.acted(result if isinstance(result, str) else f"{execution.run.runbook} is through its steps")
    return result


def _name(context: FlowRunContext, name: str) -> None:
    """Give a flow run a name that says what it is, for the made-up one it has."""
    if context.flow_run is not None and isinstance(context.client, PrefectClient):
        beside(context.client.set_flow_run_name(context.flow_run.id, name), f"the name {name}")


async def _show(run_id: str, name: str, text: str) -> None:
    key = re.sub("[^a-z0-9]+", "-", f"{run_id} {name}".lower()).strip("-")
    # A fence longer than any in the text cannot be closed by it.
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    await acreate_markdown_artifact(key=key, markdown=f"{fence}text\n{text}\n{fence}", description=f"{run_id}: {name}")


async def _request(name: str, parameters: Mapping[str, Any], flow_run: FlowRun) -> str:
    """The run of a flow run that a person started in the Prefect UI: the one it had before a retry, or a new one."""
    now = runtime()
    inputs = to_jsonable_python({key: value for key, value in parameters.items() if key not in COMMON})
    person = flow_run.created_by.display_value if flow_run.created_by is not None else None
    event = RunRequested(
        runbook=name,
        inputs=inputs,
        actor=person or "a person in the Prefect UI",
        at=now.clock.now(),
        service=parameters["service"],
        incident_id=parameters["incident"],
        flow_run_id=str(flow_run.id),
    )

    def ask() -> str:
        with now.store.read() as conn:
            before = runs.of_flow_run(conn, str(flow_run.id))
        if before is not None and before.state in UNDER_WAY:
            return before.id
        outcome = decide_and_ring(now, event)
        return next(change.run.id for change in outcome.changes if isinstance(change, PutRun))

    return await now.store.run(ask)
