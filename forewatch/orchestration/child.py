"""The life of one child: get ready, wait to be told, do one job, end.

Jobs: stand a watch without a flow run (stand-in), run one flow run, stand by inside one until a remedy is due, or
carry a remedy out while Prefect is away. The pipe to the worker brings the command, carries our beats back, and by its
end says that the worker is gone: a spare or a stand-by then ends, a shift goes on, a runbook stops after its current
step.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from multiprocessing.connection import Connection
from typing import Any

import uvloop
from prefect.client.orchestration import get_client

from forewatch import registry
from forewatch.bell import ring
from forewatch.errors import Fenced, ForewatchError
from forewatch.guard.logs import setup_logging
from forewatch.guard.sentry import flush, report, start_sentry
from forewatch.home import Home
from forewatch.orchestration.flow_jobs import FlowJob, connect, respond_without_prefect, run_flow_job
from forewatch.orchestration.flow_run_notes import CANCEL
from forewatch.orchestration.orphans import forget_child, register_child
from forewatch.runs import parent_link
from forewatch.runs.stand_by import StandBy, stand_by, standing_by
from forewatch.runtime import runtime

log = logging.getLogger("forewatch.child")

NOT_ONE_OF_OURS = 3
"""Exit code where the job itself could not even be begun."""
FLUSH = 1.0
"""Seconds an ending child gives its last error reports; a shift it lost is taken over only after it has ended."""


def main(pipe: Connection) -> None:
    """Entry point of a forked child."""
    # The terminal's Ctrl-C is the supervisor's business; it asks us to end in the right order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    home = Home.from_env()
    setup_logging("child", None)
    start_sentry("child")
    register_child(home)
    code = 1
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            code = runner.run(Child(pipe, home).live())
    except BaseException as error:
        report(error)
        log.exception("child %d ends with an unexpected error", os.getpid())
    finally:
        forget_child(home)
        flush(FLUSH)
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        # Without the interpreter's own farewell: Prefect's background threads may wait for a server that is away.
        os._exit(code)


class Child:
    """State of one child between its first line and its exit."""

    def __init__(self, pipe: Connection, home: Home) -> None:
        self._pipe = pipe
        self._home = home
        self._commands: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
        self._job: asyncio.Task[int] | None = None
        self._cancelled = False

    async def live(self) -> int:
        loop = asyncio.get_running_loop()
        loop.add_reader(self._pipe.fileno(), self._readable)
        # From a later worker, which has no pipe to us.
        loop.add_signal_handler(CANCEL, self._cancel)
        await asyncio.to_thread(runtime)
        parent_link.carry_beats(self._tell_beat)
        async with contextlib.AsyncExitStack() as stack:
            # Ready before connected: a stand-in needs no server, and a flow run waits for the connection either way.
            self.tell("ready")
            await connect(stack)
            while True:
                command = await self._commands.get()
                if command[0] == "cancel":
                    self._cancel()
                elif command[0] == "end":
                    return 0
                elif self._job is None:
                    self._job = asyncio.create_task(self._work(command))
                    self._job.add_done_callback(lambda task: self._commands.put_nowait(("done",)))
                elif command[0] == "done":
                    return self._result()

    def tell(self, *message: Any) -> None:
        """Send a message to the worker; one that is gone hears nothing."""
        with contextlib.suppress(OSError):
            self._pipe.send(message)

    def _tell_beat(self, shift: str) -> None:
        if parent_link.without_worker():
            ring(self._home, parent_link.beat_bell(shift))
        else:
            self.tell("beat", shift)

    def _readable(self) -> None:
        try:
            while self._pipe.poll():
                message = self._pipe.recv()
                if message[0] == "stop":
                    parent_link.stop(message[1])
                    self._relieve()
                elif message[0] == "respond" and (waiting := standing_by()) is not None:
                    waiting.give(message[1])
                elif message[0] == "relieve":
                    self._relieve()
                else:
                    self._commands.put_nowait(message)
        except (EOFError, OSError):
            asyncio.get_running_loop().remove_reader(self._pipe.fileno())
            if self._job is None:
                self._commands.put_nowait(("end",))
            else:
                parent_link.worker_gone()
                self._relieve()

    def _relieve(self) -> None:
        if (waiting := standing_by()) is not None:
            waiting.relieve()

    def _cancel(self) -> None:
        if self._job is not None and not self._job.done() and not self._cancelled:
            self._cancelled = True
            from forewatch.orchestration.prefect_private import mark_cancelled

            mark_cancelled()
            parent_link.stop("cancelled in the Prefect UI")
            self._job.cancel()

    def _result(self) -> int:
        assert self._job is not None
        if self._cancelled or self._job.cancelled():
            # However that went through Prefect's engine; the worker sees to it that it is written down.
            return 0
        error = self._job.exception()
        if error is not None:
            report(error)
            log.error("child %d: %s", os.getpid(), error, exc_info=error)
            return 1
        return self._job.result()

    async def _work(self, command: tuple[Any, ...]) -> int:
        kind, *details = command
        if kind == "watch":
            shift, instead_of = details
            try:
                await registry.load("watch")(shift, instead_of)
            except ForewatchError as error:
                if not isinstance(error, Fenced):
                    report(error, shift=shift)
                log.error("%s: the stand-in could not take the watch: %s", shift, error)
                return NOT_ONE_OF_OURS
            return 0
        if kind == "run":
            (job,) = details
            return await run_flow_job(FlowJob(**job))
        if kind == "stand-by":
            (job,) = details
            stand_by(StandBy(lambda: self.tell("standing-by")))
            return await run_flow_job(FlowJob(**job))
        if kind == "respond":
            run_id, carrier = details
            return await respond_without_prefect(run_id, carrier)
        if kind == "deploy":
            from forewatch.orchestration.deployments import deploy

            _, config = runtime().configuration.current()
            async with get_client() as client:
                deployed = await deploy(client, config)
            self.tell("deployed", [(one.key, str(one.id), one.entrypoint) for one in deployed.values()])
            return 0
        log.error("child %d does not know the command %r", os.getpid(), kind)
        return NOT_ONE_OF_OURS
