"""A run at work in this process: may it act, what has it done, is it alive. Knows the store, not Prefect.

admit (RunStarting) ─ steps ─ RunActed | RunFailed
    └─ a beat twice a second, until the end
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Literal

from forewatch.bell import ring
from forewatch.deciding import decide, wake
from forewatch.errors import ActionRefused, ForewatchError, Interrupted, RunbookError, StoreUnavailable, TakenOver
from forewatch.guard import sentry
from forewatch.guard.redact import redact
from forewatch.incidents.events import Event, RunActed, RunFailed, RunStarting
from forewatch.incidents.outcome import Outcome
from forewatch.remedy.run import Run
from forewatch.runs import parent_link
from forewatch.runs.look import look_ordered
from forewatch.runs.steps import Step, Steps, reason_of
from forewatch.runtime import Runtime
from forewatch.store import attachments, receipts, runs, timeline

log = logging.getLogger("forewatch.runs.execution")

BEAT = 0.5
"""Seconds between two signs of life of a run."""

_current: ContextVar[Execution | None] = ContextVar("forewatch_execution", default=None)


def current_run() -> Execution:
    """The run at work here. Raises RunbookError outside of one."""
    execution = _current.get()
    if execution is None:
        raise RunbookError(
            "no run is under way here: steps are taken inside a runbook that Forewatch or Prefect started"
        )
    return execution


def run_under_way() -> Execution | None:
    """The run at work here, if any."""
    return _current.get()


def decide_and_ring(runtime: Runtime, event: Event) -> Outcome:
    """Decide upon an event and wake who must act on it. Blocks for a few milliseconds, as `deciding.decide`."""
    outcome = decide(runtime.store, event, config=runtime.configuration.current(), now=runtime.clock.now)
    wake(runtime.home, outcome)
    return outcome


async def admit(runtime: Runtime, run_id: str, flow_run_id: str) -> Execution:
    """Take a run for a flow run, in the moment of acting.

    Raises ActionRefused with the reason where it may not start, is over, or is another flow run's: leave it then.
    """

    seen = await look_ordered(runtime, run_id)

    def take() -> tuple[Outcome, Execution | None]:
        outcome = decide_and_ring(runtime, RunStarting(run_id, flow_run_id, runtime.clock.now(), seen))
        with runtime.store.read() as conn:
            run = runs.get(conn, run_id)
            if run is None or run.state != "started" or run.flow_run_id != flow_run_id:
                return outcome, None
            known = receipts.of_run(conn, run_id)
        _, config = runtime.configuration.current()
        return outcome, Execution(runtime, run, flow_run_id, Path(config.folder).resolve(), known)

    outcome, execution = await runtime.store.run(take)
    if execution is None:
        raise ActionRefused(outcome.reasons[-1].text if outcome.reasons else f"{run_id} is not to be started")
    return execution


@asynccontextmanager
async def at_work(execution: Execution) -> AsyncIterator[None]:
    """While the block carries the run out: it beats, and is what `current_run` gives. Decides upon how it ended.

    What the block raises goes on to the caller after `RunFailed` is decided; only an interrupted run is put back
    instead, for another process to resume.
    """
    runtime, run, run_id = execution.runtime, execution.run, execution.run_id
    token = _current.set(execution)
    beat = asyncio.create_task(execution.beat_for_ever(), name=f"beat {run_id}")
    about = {
        "runbook": run.runbook,
        "incident": run.incident_id,
        "service": run.service,
        "flow_run_id": execution.flow_run_id,
    }
    try:
        with sentry.scope(**about):
            yield
    except Interrupted as error:
        await runtime.store.run(_put_back, execution)
        log.warning("%s: %s", run_id, error)
        raise
    except Exception as error:
        await execution.failed(error)
        raise
    except BaseException as error:
        # Prefect's engine makes a signal of its own of a cancellation, on the way out of a subflow.
        cancelled = isinstance(error, asyncio.CancelledError) or parent_link.asked_to_stop() is not None
        # No awaiting here: whoever cancelled may be about to close the loop.
        if cancelled and execution.ended is None:
            execution.ended = "failed"
            reason = parent_link.runbook_should_stop() or "it was cancelled"
            _failed(runtime, RunFailed(run_id, reason, runtime.clock.now(), True, execution.flow_run_id))
        raise
    else:
        await execution.acted(f"{run.runbook} is through its steps")
    finally:
        beat.cancel()
        _current.reset(token)


def _failed(runtime: Runtime, event: RunFailed) -> None:
    """Decide upon a failure without hiding its error behind another. Undecided, the run is silent and found by that."""
    try:
        decide_and_ring(runtime, event)
    except ForewatchError as error:
        log.error("%s failed (%s), which could not be recorded: %s", event.run_id, event.reason, error)


def _put_back(execution: Execution) -> None:
    with execution.runtime.store.decide() as conn:
        runs.release(conn, execution.run_id, "started", flow_run_id=execution.flow_run_id)
    ring(execution.runtime.home, "worker")


class Execution:
    """One run at work. Made by `admit`; a runbook gets it from `current_run()`."""

    def __init__(
        self, runtime: Runtime, run: Run, flow_run_id: str, folder: Path, known: list[receipts.Receipt]
    ) -> None:
        self.runtime = runtime
        self.run = run
        self.flow_run_id = flow_run_id
        self.folder = folder
        """Where relative paths start: the folder of the configuration's main file."""
        self.begun = False
        """Whether its runbook has been called."""
        self.ended: Literal["acted", "failed"] | None = None
        self.steps = Steps(runtime, run.id, flow_run_id, known)

    @property
    def run_id(self) -> str:
        return self.run.id

    @property
    def incident_id(self) -> str | None:
        return self.run.incident_id

    @property
    def service(self) -> str | None:
        return self.run.service

    async def acted(self, outcome: str) -> None:
        """Decide that the run is through its steps. The first end stays: `at_work` decides only where nobody has."""
        if self.ended is None:
            self.ended = "acted"
            event = RunActed(self.run_id, redact(outcome), self.runtime.clock.now(), self.flow_run_id)
            await self.runtime.store.run(decide_and_ring, self.runtime, event)

    async def failed(self, error: Exception) -> None:
        """Decide that the run failed, and report the error unless it is a refusal. The first end stays.

        A run that was taken over has not failed: whoever has it now says how it ends.
        """
        if self.ended is None:
            self.ended = "failed"
            if isinstance(error, TakenOver):
                log.warning("%s", error)
                return
            if not isinstance(error, ActionRefused):
                sentry.report(error)
            now = self.runtime.clock.now()
            event = RunFailed(self.run_id, reason_of(error), now, flow_run_id=self.flow_run_id)
            await self.runtime.store.run(_failed, self.runtime, event)

    async def note(self, text: str) -> None:
        """Put a line on the incident's timeline, once, also when the run is resumed."""
        inputs = {"text": redact(text)}

        async def write() -> None:
            await self.runtime.store.run(self._write_note, inputs["text"])

        await self.steps.take(Step("note", "act", repeatable=True), inputs, write)

    async def attach(self, name: str, text: str) -> None:
        """Attach a text to the run and its incident, redacted, once, also when the run is resumed."""
        safe = redact(text)

        async def write() -> None:
            await self.runtime.store.run(self._write_attachment, name, safe)

        await self.steps.take(Step("attach", "act", repeatable=True), {"name": name}, write)

    async def beat_for_ever(self) -> None:
        """Show life until the run is over or another's."""
        while True:
            await asyncio.sleep(BEAT)
            try:
                if not await self.runtime.store.run(self._beat):
                    return  # over, or another's by now: the next step that would act is told so
            except StoreUnavailable as error:
                log.warning("%s cannot show life: %s", self.run_id, error)

    def _beat(self) -> bool:
        with self.runtime.store.decide() as conn:
            return runs.beat(conn, self.run_id, self.flow_run_id)

    def _write_note(self, text: str) -> None:
        if self.incident_id is None:
            log.info("%s: %s", self.run_id, text)
            return
        now = self.runtime.clock.now()
        with self.runtime.store.decide() as conn:
            timeline.add(conn, self.incident_id, at=now, kind="note", actor=self.run_id, text=text)

    def _write_attachment(self, name: str, text: str) -> None:
        now = self.runtime.clock.now()
        with self.runtime.store.decide() as conn:
            attachments.add(conn, name=name, text=text, at=now, incident_id=self.incident_id, run_id=self.run_id)
