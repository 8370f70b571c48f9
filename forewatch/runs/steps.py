"""Taking the steps of a run: intent before, receipt after, and what a resumed run makes of both.

A step that acts is allowed and its intent written in one transaction; its receipt follows the effect. Receipts are the
only memory of what a run did: whoever resumes it finds one or the other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

from forewatch.errors import (
    ActionRefused,
    ForewatchError,
    Interrupted,
    NotFound,
    StepFailed,
    StepUnknown,
    TakenOver,
)
from forewatch.guard import sentry
from forewatch.guard.redact import redact
from forewatch.remedy import replay
from forewatch.remedy.replay import Kind
from forewatch.runs import parent_link
from forewatch.runtime import Runtime
from forewatch.store import receipts, runs, switches

log = logging.getLogger("forewatch.runs.steps")

T = TypeVar("T")

CANCEL_PATIENCE = 10.0
"""Seconds a step that acts gets to come to its end when its run is cancelled: half an effect helps nobody."""
_CLEAN_UP = 1.0
"""Seconds a step gets to clean up after its time ran out."""


@dataclass(frozen=True)
class Happened(Generic[T]):
    """A probe's answer: the step took effect before its process died, and this is its result."""

    result: T


@dataclass(frozen=True)
class Step:
    """How a step is taken. `attempts` in all, `backoff` seconds before the second, doubled each time."""

    name: str
    kind: Kind
    timeout: float = 60.0
    attempts: int = 1
    backoff: float = 1.0
    repeatable: bool = False
    """Taking it twice does no harm: after a crash in the middle of it, it is simply taken again."""


@dataclass(frozen=True)
class Taken:
    result: Any
    recorded: bool
    """The result comes from a receipt; nothing was done now."""


class Steps:
    """The steps of one run at work, in the order its runbook comes to them."""

    def __init__(self, runtime: Runtime, run_id: str, flow_run_id: str, known: list[receipts.Receipt]) -> None:
        self._runtime = runtime
        self._run_id = run_id
        self._flow_run_id = flow_run_id
        self._known = {receipt.ordinal: receipt for receipt in known}
        self._taken = 0
        self._cancelled = False

    async def take(
        self,
        step: Step,
        inputs: dict[str, Any],
        work: Callable[[], Awaitable[Any]],
        probe: Callable[[], Awaitable[Happened[Any] | None]] | None = None,
    ) -> Taken:
        """Take the next step, or give the result of its receipt.

        Raises StepFailed (with the error as its cause), StepUnknown, SequenceChanged, ActionRefused, Interrupted.
        """
        self._taken += 1
        call = replay.Call(self._taken, step.name, step.kind, replay.input_hash(inputs))
        intended = False
        match replay.next_move(self._known, call):
            case replay.Recorded(result):
                return Taken(result, recorded=True)
            case replay.Failed(error):
                raise StepFailed(error)
            case replay.Unclear():
                if probe is not None and (happened := await probe()) is not None:
                    await self._runtime.store.run(self._finish, call, happened.result, None)
                    return Taken(happened.result, recorded=True)
                if probe is None and not step.repeatable:
                    raise StepUnknown(
                        f"step {call.ordinal} ({step.name}) of {self._run_id} was under way when its process died, and "
                        "nobody wrote down whether it took effect; look, and start a new run if it did not"
                    )
                intended = True
            case replay.Perform():
                pass
        self._stop_if_asked()
        if step.kind == "act":
            await self._runtime.store.run(self._intend, call, intended)
        return Taken(await self._perform(step, call, work), recorded=False)

    async def still_allowed(self) -> None:
        """Raises Interrupted where this process is to end, ActionRefused where the run may not act any more."""
        self._stop_if_asked()
        await self._runtime.store.run(self._check_allowed)

    async def _perform(self, step: Step, call: replay.Call, work: Callable[[], Awaitable[Any]]) -> Any:
        try:
            with sentry.scope(step=step.name):
                result = await self._attempts(step, work)
        except StepFailed as error:
            await self._runtime.store.run(self._finish, call, None, redact(str(error)))
            raise
        await self._runtime.store.run(self._finish, call, result, None)
        if self._cancelled:
            raise asyncio.CancelledError
        return result

    async def _attempts(self, step: Step, work: Callable[[], Awaitable[Any]]) -> Any:
        attempt = 1
        while True:
            try:
                return replay.as_json(await self._attempt(step, work), f"the result of step {step.name}")
            except (ActionRefused, StepUnknown):
                raise
            except Exception as error:  # a step may raise anything; all of it is the failure of the step
                reason = reason_of(error)
                hopeless = isinstance(error, ForewatchError) and error.permanent
                if attempt >= step.attempts or hopeless or self._cancelled:
                    raise StepFailed(f"step {step.name} failed: {reason}") from error
                log.warning("step %s of %s failed and is tried again: %s", step.name, self._run_id, reason)
            await asyncio.sleep(step.backoff * 2 ** (attempt - 1))
            await self.still_allowed()
            attempt += 1

    async def _attempt(self, step: Step, work: Callable[[], Awaitable[Any]]) -> Any:
        task = asyncio.ensure_future(work())
        try:
            await asyncio.wait({task}, timeout=step.timeout)
        except asyncio.CancelledError:
            if step.kind == "act" and not self._cancelled:
                self._cancelled = True
                await asyncio.wait({task}, timeout=CANCEL_PATIENCE)
            if not task.done():
                task.cancel()
                raise
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=_CLEAN_UP)
            raise TimeoutError(f"it took longer than {step.timeout:g} s")
        return task.result()

    def _stop_if_asked(self) -> None:
        if (reason := parent_link.runbook_should_stop()) is not None:
            raise Interrupted(f"{self._run_id} stops before step {self._taken}: {reason}")

    def _check_allowed(self) -> None:
        with self._runtime.store.read() as conn:
            self._allowed(conn)

    def _allowed(self, conn: Connection) -> None:
        run = runs.get(conn, self._run_id)
        if run is None:
            raise NotFound(f"{self._run_id} is not in the store any more")
        if run.flow_run_id != self._flow_run_id:
            raise TakenOver(f"{self._run_id} has been taken over by flow run {run.flow_run_id}")
        if run.state in ("waiting", "claimed"):
            raise TakenOver(f"{self._run_id} was put back for another flow run: this one showed no life")
        if run.state != "started":
            raise ActionRefused(f"{self._run_id} may not act any more: it is {run.state}")
        switch = switches.get(conn, switches.AUTOMATION)
        if switch is not None and switch.state == "off":
            because = f": {switch.reason}" if switch.reason else ""
            raise ActionRefused(f"automation was stopped by {switch.actor} while {self._run_id} was at work{because}")

    def _intend(self, call: replay.Call, intended: bool) -> None:
        now = self._runtime.clock.now()
        with self._runtime.store.decide() as conn:
            self._allowed(conn)
            runs.act(conn, self._run_id, now)
            if not intended and not self._write_intent(conn, call, now):
                raise ActionRefused(f"step {call.ordinal} of {self._run_id} has been begun by another process")

    def _finish(self, call: replay.Call, result: Any, error: str | None) -> None:
        now = self._runtime.clock.now()
        with self._runtime.store.decide() as conn:
            if call.kind == "observe":
                # Looking needs no intent beforehand: one transaction instead of two.
                self._write_intent(conn, call, now)
            receipts.finish(conn, self._run_id, call.ordinal, now=now, result=result, error=error)

    def _write_intent(self, conn: Connection, call: replay.Call, now: int) -> bool:
        return receipts.intend(
            conn, self._run_id, call.ordinal, name=call.name, kind=call.kind, input_hash=call.input_hash, now=now
        )


def reason_of(error: BaseException) -> str:
    """An error as one redacted line that can stand in a page."""
    plain = isinstance(error, ForewatchError | TimeoutError)
    text = str(error) if plain else f"{type(error).__name__}: {error}"
    return redact(" ".join(text.split()))[:500]
