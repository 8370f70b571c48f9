"""The worker process: spares, the shifts' guard, dispatch and the link to Prefect, side by side.

Only the link needs Prefect to answer; the guard and its stand-ins work from the first second, before the server is up.
The supervisor runs `main`; this module must not be the process's main module (see there).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys

from forewatch.bell import Bell
from forewatch.errors import StoreUnavailable
from forewatch.guard.logs import setup_logging
from forewatch.guard.sentry import flush, report, start_sentry
from forewatch.orchestration.dispatcher import Dispatcher
from forewatch.orchestration.flow_jobs import AWAY
from forewatch.orchestration.holder import ended_here
from forewatch.orchestration.lateness import Lateness, crowding
from forewatch.orchestration.launcher import Job, Launcher
from forewatch.orchestration.prefect_link import PrefectLink
from forewatch.orchestration.shift_names import SHIFTS
from forewatch.orchestration.spares import Spares
from forewatch.orchestration.stand_bys import StandBys
from forewatch.orchestration.stand_in import ShiftGuard
from forewatch.orchestration.watch import watch_wanted
from forewatch.runs.parent_link import beat_bell
from forewatch.runtime import Runtime, runtime
from forewatch.store import components, shifts
from forewatch.store.components import ComponentState
from forewatch.store.shifts import ShiftRow

log = logging.getLogger("forewatch.worker")

GUARD_EVERY = 0.25
REPORT_EVERY = 5.0
"""Seconds between two notes of the worker that it is alive; `/healthz` looks at their age."""
STOP_TIMEOUT = 4.0
FLUSH = 1.0
"""Seconds an ending worker gives its last error reports."""


def main() -> None:
    """Entry point of the worker process."""
    setup_logging("worker", None)
    start_sentry("worker")
    code = 1
    try:
        code = asyncio.run(Worker(runtime()).live())
    except BaseException as error:
        report(error)
        log.exception("the worker ends with an unexpected error")
    finally:
        flush(FLUSH)
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        # multiprocessing would wait here for children that are meant to outlive us.
        os._exit(code)


def _in_stock(spares: int) -> int:
    """How many spares are kept beside the one that stands by; another must be there for a shift that is killed."""
    return max(1, spares - 1)


class Worker:
    """One worker's parts and their life together."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        _, config = runtime.configuration.current()
        self._name = f"{socket.gethostname()}-{os.getpid()}"
        self._guard = ShiftGuard()
        self._lateness = Lateness()
        self._spares = Spares(_in_stock(config.shifts.spares))
        self._launcher = Launcher(self._spares, self._guard, self._ended)
        self._link = PrefectLink(runtime, self._launcher, self._name)
        self._stand_bys = StandBys(
            self._launcher, self._link.ready, self._a_remedy_acts_by_itself, runtime.clock.monotonic
        )
        self._dispatcher = Dispatcher(
            runtime, self._launcher, self._name, self._link.ready, self._lag, self._stand_bys.take
        )
        self._stop = asyncio.Event()
        self._reports: set[asyncio.Task[None]] = set()

    async def live(self) -> int:
        """Until SIGTERM; returns the exit code."""
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sign, self._stop.set)
        self._spares.start()
        parts = [
            asyncio.create_task(part, name=name)
            for name, part in {
                "lateness": self._lateness.keep(),
                "guard": self._guard_shifts(),
                **{f"beats of {shift}": self._hear_beats(shift) for shift in SHIFTS},
                "dispatch": self._dispatcher.dispatch_for_ever(),
                "stand-bys": self._stand_bys.keep(),
                "pulses": self._watch_pulses(),
                "link": self._link.keep(),
                "report": self._report(),
                "configuration": self._follow_configuration(),
            }.items()
        ]
        stop = asyncio.create_task(self._stop.wait())
        done, _ = await asyncio.wait([*parts, stop], return_when=asyncio.FIRST_COMPLETED)
        failed = [task for task in done if task is not stop]
        for task in failed:
            if (error := task.exception()) is not None:
                report(error, component=task.get_name())
            log.error("the worker's %s ended: the worker restarts", task.get_name(), exc_info=task.exception())
        self._stand_bys.close()
        if not failed and not await self._watch_goes_on():
            await self._launcher.stop("Forewatch is stopping", STOP_TIMEOUT)
        for task in parts:
            task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                await asyncio.gather(*parts, return_exceptions=True)
        self._spares.close()
        return 1 if failed else 0

    def _a_remedy_acts_by_itself(self) -> bool:
        services = self._runtime.configuration.current()[1].services
        return any(remedy.autonomy == "auto" for service in services for remedy in service.remedies)

    async def _watch_goes_on(self) -> bool:
        """Whether only this worker ends: then another follows, shifts stand on, runbooks end after their step."""
        try:
            return await self._runtime.store.run(watch_wanted, self._runtime)
        except StoreUnavailable as error:
            log.error("whether the watch is to end cannot be read, it goes on: %s", error)
            return True

    def _lag(self) -> float:
        """Seconds by which this worker's own loop was late in the last minute, at its worst, or a second's work would
        have been."""
        return max(self._lateness.worst(asyncio.get_running_loop().time()), crowding())

    async def _guard_shifts(self) -> None:
        starting: dict[str, asyncio.Task[None]] = {}
        while True:
            try:
                rows = await self._runtime.store.run(self._rows)
            except StoreUnavailable as error:
                log.error("the shifts cannot be read: %s", error)
                rows = None
            if rows is not None:
                holders = {row.shift: row.holder for row in rows}
                for shift in self._guard.missing(rows, self._runtime.clock.monotonic(), self._lag()):
                    task = starting.get(shift)
                    if task is None or task.done():
                        starting[shift] = asyncio.create_task(self._stand_in(shift, holders.get(shift, "")))
                for shift, holder in holders.items():
                    # One that an earlier worker started ends unheard by our launcher. It may have handed over since the
                    # rows were read: the next look tells.
                    if ended_here(holder):
                        self._guard.ended(shift, holder)
            await asyncio.sleep(GUARD_EVERY)

    async def _hear_beats(self, shift: str) -> None:
        """Of a holder that an earlier worker started: it has no pipe to us, and the store may stand still."""
        bell = Bell(self._runtime.home, beat_bell(shift))
        try:
            while True:
                if await bell.wait(REPORT_EVERY):
                    self._guard.alive(shift)
        finally:
            bell.close()

    def _rows(self) -> list[ShiftRow] | None:
        if not watch_wanted(self._runtime):
            return None
        with self._runtime.store.read() as conn:
            return shifts.listing(conn)

    async def _stand_in(self, shift: str, holder: str) -> None:
        try:
            await self._launcher.stand(shift, holder)
        except (OSError, TimeoutError) as error:
            log.error("%s: no spare could take the watch: %s", shift, error)
        finally:
            self._guard.unsent(shift)

    async def _watch_pulses(self) -> None:
        while True:
            await asyncio.sleep(1)
            try:
                await self._dispatcher.watch_pulses()
            except StoreUnavailable as error:
                log.error("the runs under way cannot be read: %s", error)

    async def _report(self) -> None:
        said = ""
        while True:
            ready = self._link.ready() is not None
            state: ComponentState = "ok" if ready else "down"
            reason = "" if ready else "the worker has no link to Prefect"
            data = {
                "pid": os.getpid(),
                "spares": self._spares.ready,
                "standing_by": int(self._stand_bys.standing),
                "children": len(self._spares.children),
                "lag_ms": round(self._lag() * 1000),
            }

            def write(state: ComponentState = state, reason: str = reason, data: dict[str, int] = data) -> None:
                now = self._runtime.clock.now()
                with self._runtime.store.decide() as conn:
                    components.report(conn, "worker", "ok", "", now, data=data)
                    components.report(conn, "link", state, reason, now)

            try:
                await self._runtime.store.run(write)
            except StoreUnavailable as error:
                log.error("the worker's state cannot be stored: %s", error)
            # Said sooner while it is about to change.
            await asyncio.sleep(REPORT_EVERY if state == said == "ok" else 0.5)
            said = state

    async def _follow_configuration(self) -> None:
        version, config = self._runtime.configuration.current()
        while True:
            await asyncio.sleep(1)
            now_version, now_config = self._runtime.configuration.current()
            if now_version == version:
                continue
            log.info("configuration version %d is in force", now_version)
            self._spares.count = _in_stock(now_config.shifts.spares)
            await self._spares.retire()
            self._stand_bys.retire()
            if now_config.shifts != config.shifts or now_config.runbook_folders != config.runbook_folders:
                self._link.redeploy()
            version, config = now_version, now_config

    def _ended(self, job: Job, code: int) -> None:
        if code != 0:
            log.warning("child %d ended with %d (%s)", job.child.pid, code, job.shift or job.run_id or job.flow_run_id)
            if job.run_id is not None:
                self._dispatcher.lost(job.run_id)
        elif job.run_id is not None and not job.called_off:
            self._dispatcher.left(job.run_id)
        task = asyncio.create_task(self._report_end(job, code))
        self._reports.add(task)
        task.add_done_callback(self._reports.discard)

    async def _report_end(self, job: Job, code: int) -> None:
        try:
            if job.called_off and job.run_id is not None:
                await self._dispatcher.called_off(job.run_id)
            await self._tell_prefect(job, code)
        except StoreUnavailable as error:
            log.error("how a flow run ended cannot be looked up or stored yet: %s", error)

    async def _tell_prefect(self, job: Job, code: int) -> None:
        ready = self._link.ready()
        if ready is None:
            # Prefect hears it when the link is back.
            return
        try:
            async with asyncio.timeout(10):
                await self._link.flow_run_state.report_end(ready[0], job, code)
        except AWAY as error:
            log.warning("the end of a flow run could not be reported yet: %s", error)
