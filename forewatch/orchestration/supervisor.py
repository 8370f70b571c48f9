"""`forewatch up`: starts, watches and stops everything on one state folder. Prefect is not imported here.

    lock ─ configuration ─ store ─ end orphans ─ server, worker, serve ─ ready ─ ... ─ Ctrl-C ─ stop in order

Its own death stops nothing: the watch goes on without it, and the next `forewatch up` takes over.
"""

from __future__ import annotations

import asyncio
import fcntl
import http.client
import os
import signal
import socket
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

from forewatch import __version__
from forewatch.config import open_sources
from forewatch.config.reload import Changed, ConfigWatcher
from forewatch.config.starter import STARTER
from forewatch.errors import HomeInUse, PortTaken, StoreUnavailable
from forewatch.guard.safe_files import create
from forewatch.guard.sentry import report
from forewatch.home import Home, make_private
from forewatch.orchestration import damaged_store, orphans
from forewatch.orchestration.absence import excuse_jobs
from forewatch.orchestration.code_digest import code_digest
from forewatch.orchestration.managed import Managed
from forewatch.orchestration.prefect_settings import environment
from forewatch.orchestration.progress import Progress, follow_notifications
from forewatch.orchestration.readiness import assess
from forewatch.orchestration.settings import Settings
from forewatch.orchestration.shift_names import SHIFTS
from forewatch.runs.form_check import RunbookCheck
from forewatch.runtime import Runtime, open_runtime
from forewatch.store import ballast, components, generations, shifts, switches
from forewatch.store.engine import Store

CONFIG_EVERY = 0.5
"""Seconds between two looks at the configuration's files; a change is taken up when it has stood still for one."""
CODE_EVERY = 5.0
JOB_AGAIN = 5.0
"""Seconds until a job of the supervisor that broke off begins anew."""
LOGS_EVERY = 60.0
LOG_LIMIT = 20 * 1024 * 1024
REMARKS = 20
"""Lines about a configuration that come into force beside it."""
WORKER = """\
from forewatch.orchestration.forkserver import fork_forkserver
fork_forkserver()
from forewatch.orchestration.worker import main
main()
"""
ROLES = ("worker", "serve", "server")
STOP_SHIFTS = 4.0
STOP_PART = 2.5
PING_EVERY = 5.0
PING_TIMEOUT = 5.0
HUNG_AFTER = 180.0
"""Seconds of silence after which the server counts as hung: its first start on a busy machine takes a minute."""
IMPATIENT_AFTER = 1.0
"""Seconds after which a second Ctrl-C means "at once"; `make` and `timeout` send the same signal twice within
moments."""


class Supervisor:
    """One `forewatch up`. `say` prints a line for the person at the terminal, `show` one of a message to people."""

    def __init__(
        self, home: Home, settings: Settings, say: Callable[[str], None], show: Callable[[str], None] = print
    ) -> None:
        self._home = home
        self._settings = settings
        self._say = say
        self._show = show
        self._stop = asyncio.Event()
        self._asked_at: float | None = None
        self._lock: IO[str] | None = None
        self._parts: dict[str, Managed] = {}
        self._remarked: set[str] = set()
        self._unproved: dict[str, tuple[int, int]] = {}

    async def run(self) -> int:
        """Until Ctrl-C or SIGTERM; returns the exit code. Raises ForewatchError where it cannot start."""
        self._say(f"Forewatch {__version__}, state in {self._home.root}")
        self._take_lock()
        try:
            try:
                runtime, watcher = await asyncio.to_thread(self._prepare)
            except StoreUnavailable as error:
                raise await damaged_store.told(self._home, Path(self._settings.config), error, self._say) from error
            damaged_store.mended(self._home)
            loop = asyncio.get_running_loop()
            for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                loop.add_signal_handler(sign, self._asked_to_stop)
            self._start_parts(runtime)
            jobs = [
                asyncio.create_task(self._keep_at(job))
                for job in (
                    lambda: self._follow_configuration(runtime, watcher),
                    lambda: self._follow_code(runtime),
                    self._keep_logs_small,
                    lambda: follow_notifications(self._home, self._show),
                    lambda: self._announce(runtime),
                    self._mind_server,
                )
            ]
            try:
                await self._stop.wait()
            finally:
                for job in jobs:
                    job.cancel()
                await self._stop_all(runtime)
                runtime.store.close()
            return 0
        finally:
            if self._lock is not None:
                self._lock.close()

    async def _keep_at(self, job: Callable[[], Awaitable[None]]) -> None:
        """Begin a job anew whenever it breaks off (a full disk, say); each reason is said once."""
        said = ""
        while True:
            try:
                await job()
            except StoreUnavailable as error:
                trouble = str(error)
            except Exception as error:  # noqa: BLE001 - said below and to Sentry; the watch needs its supervisor
                report(error)
                trouble = f"an unexpected error of the supervisor: {error!r}"
            if trouble != said:
                said = trouble
                self._say(f"forewatch: {trouble}")
            await asyncio.sleep(JOB_AGAIN)

    def _asked_to_stop(self) -> None:
        now = time.monotonic()
        if self._asked_at is None:
            self._asked_at = now
        elif now - self._asked_at > IMPATIENT_AFTER:
            self._say("Stopping at once.")
            for part in self._parts.values():
                part.kill()
        self._stop.set()

    def _take_lock(self) -> None:
        try:
            self._home.create()
            self._lock = (self._home.run / "lock").open("w", encoding="ascii")
        except OSError as error:
            raise StoreUnavailable(
                f"{self._home.root} cannot be written ({error.strerror}); choose another folder with --home"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            running = Settings.read(self._home)
            who = f" (pid {running.pid}, port {running.port})" if running is not None else ""
            raise HomeInUse(
                f"another Forewatch runs on {self._home.root}{who}; stop it, or choose another folder with --home"
            ) from error

    def _prepare(self) -> tuple[Runtime, ConfigWatcher]:
        config = Path(self._settings.config)
        if not config.exists():
            write_starter(config)
            self._say(f"No configuration yet: wrote {config}, which watches this machine and Forewatch itself.")
        ended = 0
        for role in ROLES:
            ended += orphans.end(orphans.living(self._home, role))
        if ended:
            self._say(f"Ended {ended} processes that an earlier Forewatch left behind.")
        for port, option in ((self._settings.port, "--port"), (self._settings.prefect_port, "--prefect-port")):
            _check_port(port, option)
        Store.open(self._home, migrate=True).close()
        runtime = open_runtime(self._home)
        judge = RunbookCheck(environment(self._home, self._settings.prefect_port))
        watcher = ConfigWatcher(config, runtime.store, runtime.clock, judge)
        version = watcher.load_first()
        self._say(f"Configuration {config}, version {version}.")
        self._remark(watcher.remarks)
        self._warn_of_open_sources(runtime)
        ballast.ensure(self._home)
        _, settings = runtime.configuration.current()
        with runtime.store.decide() as conn:
            self._unproved = dict.fromkeys(SHIFTS, (0, 0)) | {
                row.shift: (row.term, row.beat) for row in shifts.listing(conn)
            }
            switches.turn(conn, "watch", "on", actor="forewatch up", reason="", now=runtime.clock.now())
            excuse_jobs(conn, settings, runtime.clock.now())
            for name in ("prefect", "worker", "link"):
                components.report(conn, name, "down", "it is starting", runtime.clock.now())
            generation = generations.begin(conn, runtime.clock.now())
        scheme = "https" if settings.tls is not None else "http"
        self._settings = replace(self._settings, scheme=scheme)
        replace(self._settings, pid=os.getpid(), generation=generation).write(self._home)
        make_private(self._home.root)
        return runtime, watcher

    def _start_parts(self, runtime: Runtime) -> None:
        surroundings = environment(self._home, self._settings.prefect_port)
        commands = {
            "server": ["-m", "forewatch.orchestration.prefect_server", "server", "start", "--log-level", "WARNING"],
            # Not by `-m`: multiprocessing would import the worker's own module again in every child it forks, which
            # cost each of them 35 MB that it shares with nobody.
            "worker": ["-c", WORKER],
            "serve": ["-m", "forewatch.console.serve"],
        }
        for role, arguments in commands.items():
            part = Managed(
                role,
                [sys.executable, *arguments],
                surroundings,
                self._home,
                lambda role, code, delay: self._part_died(runtime, role, code, delay),
            )
            part.start()
            self._parts[role] = part

    def _part_died(self, runtime: Runtime, role: str, code: int, delay: float) -> None:
        if code != 0:
            log = self._parts[role].log_file
            self._say(f"{role} ended unexpectedly ({code}, see {log}); it starts again in {delay:.1f} s.")
        name = {"server": "prefect", "worker": "worker"}.get(role)
        if name is None:
            return
        try:
            with runtime.store.decide() as conn:
                components.report(conn, name, "down", f"the {role} process ended ({code})", runtime.clock.now())
        except StoreUnavailable as error:
            self._say(f"forewatch: {error}")

    async def _announce(self, runtime: Runtime) -> None:
        """Progress until everything stands, then a line at every change for the worse or the better."""
        progress = Progress(self._say, self._settings.port, self._settings.prefect_port, self._settings.scheme)
        while True:
            readiness = await runtime.store.run(assess, runtime, self._unproved)
            for shift in readiness.standing:
                self._unproved.pop(shift, None)
            progress.show(readiness)
            await asyncio.sleep(0.5)

    def _remark(self, remarks: Sequence[str]) -> None:
        """Say what is off or questionable in the configuration, each once while it stays so."""
        new = [remark for remark in remarks if remark not in self._remarked]
        for remark in new[:REMARKS]:
            self._say(f"  {remark}")
        if len(new) > REMARKS:
            self._say(f"  ... and {len(new) - REMARKS} more; see them all: forewatch check")
        self._remarked = set(remarks)

    def _warn_of_open_sources(self, runtime: Runtime) -> None:
        for name, sentence in open_sources.warnings(runtime.configuration.current()[1]):
            self._say(f"Warning: source {name} {sentence}.")

    async def _follow_configuration(self, runtime: Runtime, watcher: ConfigWatcher) -> None:
        while True:
            await asyncio.sleep(CONFIG_EVERY)
            try:
                change = await asyncio.to_thread(watcher.poll)
            except StoreUnavailable as error:
                self._say(f"forewatch: {error}")
                continue
            if isinstance(change, Changed):
                self._say(f"Configuration version {change.version} is in force.")
                self._warn_of_open_sources(runtime)
            elif change is not None:
                self._say("The changed configuration is refused, the last good one stays in force:")
                for problem in change.problems:
                    self._say(f"  {problem}")
            self._remark(watcher.remarks)

    async def _follow_code(self, runtime: Runtime) -> None:
        """New code, or a new runbook file, means a new worker: its children import it afresh."""
        seen = code_digest(runtime.configuration.current()[1].runbook_folders)
        while True:
            await asyncio.sleep(CODE_EVERY)
            now = await asyncio.to_thread(code_digest, runtime.configuration.current()[1].runbook_folders)
            if now != seen:
                seen = now
                self._say("Code or runbooks have changed: the worker is restarted, the watch goes on.")
                self._parts["worker"].restart()

    async def _mind_server(self) -> None:
        """A server that lives and answers nobody for minutes is ended; it starts again, and the watch never stopped."""
        url = f"http://127.0.0.1:{self._settings.prefect_port}/api/health"
        silence = Silence(time.monotonic())
        while True:
            await asyncio.sleep(PING_EVERY)
            server = self._parts["server"]
            answers = await asyncio.to_thread(_answers, url)
            if silence.too_long(server.pid, answers, time.monotonic()):
                self._say(f"The Prefect server has not answered for {HUNG_AFTER:.0f} s; it is ended and starts again.")
                server.recycle()

    async def _keep_logs_small(self) -> None:
        while True:
            await asyncio.sleep(LOGS_EVERY)
            for path in self._home.logs.glob("*.log"):
                if path.stat().st_size > LOG_LIMIT:
                    await asyncio.to_thread(empty_log, path)

    async def _stop_all(self, runtime: Runtime) -> None:
        began = time.monotonic()
        self._say("Stopping: shifts, worker, pages, Prefect server ...")
        try:
            with runtime.store.decide() as conn:
                switches.turn(conn, "watch", "off", actor="forewatch up", reason="stopping", now=runtime.clock.now())
        except StoreUnavailable as error:
            self._say(f"forewatch: {error}")
        self._parts["worker"].signal_stop()
        left = await asyncio.to_thread(orphans.wait_gone, self._home, "children", STOP_SHIFTS)
        for part in ("worker", "serve", "server"):
            await self._parts[part].stop(STOP_PART)
        await asyncio.to_thread(orphans.end, left, 0.5)
        self._say(f"Stopped after {time.monotonic() - began:.1f} s.")


class Silence:
    """How long a process has lived without answering. Pure: what was seen and the monotonic time come in."""

    def __init__(self, now: float) -> None:
        self._pid: int | None = None
        self._heard = now

    def too_long(self, pid: int | None, answers: bool, now: float) -> bool:
        """Whether the process of this pid has been silent for HUNG_AFTER. A new process begins anew."""
        if pid != self._pid or answers or pid is None:
            self._pid, self._heard = pid, now
        return now - self._heard > HUNG_AFTER


def write_starter(config: Path) -> None:
    """Write the first configuration. Raises StoreUnavailable where it cannot be, or a link stands in its place."""
    try:
        with os.fdopen(create(config), "w", encoding="utf-8") as file:
            file.write(STARTER)
    except FileExistsError as error:
        raise StoreUnavailable(
            f"{config} is a link to a file that is not there; remove it, or make the file"
        ) from error
    except OSError as error:
        raise StoreUnavailable(f"{config} cannot be written: {error.strerror}; name another with --config") from error


def empty_log(path: Path) -> None:
    """Empty a log that has grown beyond its limit; its last part stays beside it, if the disk has room for that."""
    kept = path.with_suffix(".log.1")
    try:
        with path.open("rb") as log:
            # A service may have written gigabytes since the last look.
            log.seek(-LOG_LIMIT, os.SEEK_END)
            kept.write_bytes(log.read(LOG_LIMIT))
    except OSError:
        # The disk is full, most likely of this very log.
        kept.unlink(missing_ok=True)
    # All writers append, so they go on in the emptied file.
    os.truncate(path, 0)


def _answers(url: str) -> bool:
    # urllib: httpx would stay in this process's memory for one request every few seconds.
    try:
        with urllib.request.urlopen(url, timeout=PING_TIMEOUT) as answer:
            return bool(answer.status == 200)
    except (OSError, http.client.HTTPException):
        return False


def _check_port(port: int, option: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise PortTaken(f"port {port} is in use by another program; choose another with {option}") from error
