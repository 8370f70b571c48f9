"""The restart-service runbook on real processes, with a real store and without Prefect."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from forewatch.clock import SystemClock
from forewatch.config.models import Config
from forewatch.errors import StepFailed
from forewatch.home import Home
from forewatch.remedy.run import Run
from forewatch.runs.execution import admit, at_work
from forewatch.runtime import Runtime
from forewatch.store import receipts, runs
from forewatch.store.engine import Store
from runbooks.restart_service import restart_service
from tasks.act.processes import identify, send, session_members
from tasks.act.records import Records
from tasks.act.start import environment, start_detached

SLEEP = [sys.executable, "-c", "import time; time.sleep(61)"]
STUBBORN = [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(61)"]


class FixedConfiguration:
    def __init__(self, folder: Path) -> None:
        self._config = Config(folder=str(folder))

    def current(self) -> tuple[int, Config]:
        return 1, self._config


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the configuration file lies and its relative paths start."""
    folder = tmp_path / "site"
    folder.mkdir()
    return folder


@pytest.fixture
def runtime(tmp_path: Path, folder: Path) -> Iterator[Runtime]:
    home = Home(tmp_path / "state")
    home.create()
    store = Store.open(home, migrate=True)
    yield Runtime(home, store, SystemClock(), FixedConfiguration(folder))  # type: ignore[arg-type]
    for started in Records(home.started).of_service("storefront"):
        for process in [*started.processes(), *session_members(started.leader)]:
            send(process, signal.SIGKILL)
    store.close()


Restart = Callable[..., Awaitable[str]]


@pytest.fixture
def restart(runtime: Runtime) -> Restart:
    """Restart `storefront` in a run of its own; `as_run` resumes one."""
    count = 0

    async def once(*, as_run: str | None = None, **inputs: Any) -> str:
        nonlocal count
        count += 1
        run_id = as_run or f"RUN-{count}"
        with runtime.store.decide() as conn:
            if runs.get(conn, run_id) is None:
                runs.put(conn, _run(run_id))
            else:
                runs.release(conn, run_id, "started")
        execution = await admit(runtime, run_id, f"flow-{count}")
        async with at_work(execution):
            return str(await restart_service.fn(**inputs))

    return once


def _run(run_id: str) -> Run:
    return Run(
        id=run_id, kind="runbook", runbook="restart-service", service="storefront", incident_id=None, alert_id=None,
        remedy=None, inputs={}, autonomy="person", requested_by="ada", state="claimed", attempts=1, flow_run_id=None,
        created_at=1, started_at=None, acted_at=None, finished_at=None, outcome=None, verified=None,
    )  # fmt: skip


def running(command: list[str]) -> list[int]:
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        if process.info["cmdline"] == command and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return found


def pid_of(outcome: str) -> int:
    return int(outcome.rpartition(" ")[2])


async def test_the_command_alone_is_enough(restart, runtime):
    first = pid_of(await restart(command=SLEEP))
    second = await restart(command=SLEEP)
    assert f"stopped pid {first} with TERM and started" in second
    assert identify(first) is None
    assert identify(pid_of(second)) is not None
    with runtime.store.read() as conn:
        assert [receipt.name for receipt in receipts.of_run(conn, "RUN-2")] == [
            "find-service", "stop-service", "start-service", "see-it-settle",
        ]  # fmt: skip


async def test_the_service_runs_in_the_configurations_folder_and_outlives_us(restart, folder):
    pid = pid_of(await restart(command=SLEEP))
    assert psutil.Process(pid).cwd() == str(folder)
    assert os.getsid(pid) == pid


async def test_a_dead_service_is_started_again_and_its_pid_file_written(restart, folder):
    (folder / "run").mkdir()
    pidfile = folder / "run" / "storefront.pid"
    pidfile.write_text("4194304\n")
    outcome = await restart(command=SLEEP, pidfile="run/storefront.pid")
    assert outcome.startswith("started")
    assert pidfile.read_text() == f"{pid_of(outcome)}\n"


async def test_a_pid_file_the_command_writes_itself_is_believed(restart, folder):
    script = folder / "start.sh"
    script.write_text("#!/bin/sh\nsleep 61 &\necho $! > storefront.pid\n")
    script.chmod(0o755)
    first = pid_of(await restart(command=["./start.sh"], pidfile="storefront.pid"))
    assert int((folder / "storefront.pid").read_text()) == first
    second = await restart(command=["./start.sh"], pidfile="storefront.pid")
    assert f"stopped pid {first}" in second
    assert identify(first) is None


async def test_a_process_started_by_hand_is_known_by_its_command_line(restart, folder, tmp_path):
    by_hand = start_detached(SLEEP, folder=folder, directory=folder, output=tmp_path / "out", env=environment([], "x"))
    (folder / "storefront.pid").write_text(str(by_hand.pid))
    assert f"stopped pid {by_hand.pid}" in await restart(command=SLEEP, pidfile="storefront.pid")


async def test_without_a_pid_file_the_one_process_with_its_command_line_is_the_service(restart, folder, tmp_path):
    by_hand = start_detached(SLEEP, folder=folder, directory=folder, output=tmp_path / "out", env=environment([], "x"))
    assert f"stopped pid {by_hand.pid}" in await restart(command=SLEEP)


async def test_two_processes_with_its_command_line_are_both_left_alone(restart, folder, tmp_path):
    pair = [
        start_detached(SLEEP, folder=folder, directory=folder, output=tmp_path / "out", env=environment([], "x"))
        for _ in range(2)
    ]
    try:
        with pytest.raises(StepFailed, match="cannot be told, so none is signalled; give a pidfile"):
            await restart(command=SLEEP)
        assert all(identify(one.pid) for one in pair)
    finally:
        for one in pair:
            send(one, signal.SIGKILL)


async def test_an_unknown_process_is_never_signalled(restart, folder, tmp_path):
    stranger = start_detached(
        ["sleep", "61"], folder=folder, directory=folder, output=tmp_path / "out", env=environment([], "x")
    )
    (folder / "storefront.pid").write_text(str(stranger.pid))
    try:
        with pytest.raises(StepFailed, match=rf"names pid {stranger.pid}, which runs `sleep 61`: that is neither"):
            await restart(command=SLEEP, pidfile="storefront.pid")
        assert identify(stranger.pid) is not None
        assert running(SLEEP) == []
    finally:
        send(stranger, signal.SIGKILL)


async def test_a_recycled_pid_is_left_alone_and_the_service_started(restart, folder, tmp_path):
    stranger = start_detached(
        ["sleep", "61"], folder=folder, directory=folder, output=tmp_path / "out", env=environment([], "x")
    )
    pidfile = folder / "storefront.pid"
    pidfile.write_text(str(stranger.pid))
    os.utime(pidfile, (time.time() - 3600,) * 2)
    try:
        outcome = await restart(command=SLEEP, pidfile="storefront.pid")
        assert outcome.startswith("started")
        assert identify(stranger.pid) is not None
        assert int(pidfile.read_text()) == pid_of(outcome)
    finally:
        send(stranger, signal.SIGKILL)


async def test_a_pid_file_that_names_forewatch_is_refused(restart, folder):
    (folder / "storefront.pid").write_text(str(os.getpid()))
    with pytest.raises(StepFailed, match="which is Forewatch or what started it"):
        await restart(command=SLEEP, pidfile="storefront.pid")


async def test_a_hung_service_is_killed_after_its_grace(restart):
    first = pid_of(await restart(command=STUBBORN))
    await asyncio.sleep(0.3)  # until it ignores the signal
    assert f"stopped pid {first} with KILL" in await restart(command=STUBBORN, grace=0.2)
    assert identify(first) is None


async def test_a_command_that_fails_at_once_fails_the_run_with_its_last_words(restart, runtime):
    with pytest.raises(StepFailed, match="ended at once with exit code 3; its last words: no config"):
        await restart(command=["/bin/sh", "-c", "echo no config; exit 3"])


async def test_a_dry_run_says_what_it_would_do_and_does_nothing(restart):
    outcome = await restart(command=SLEEP, dry_run=True)
    assert outcome.startswith("it does not run; would start")
    assert running(SLEEP) == []


async def test_a_crash_right_after_the_start_does_not_start_it_twice(restart, runtime, monkeypatch):
    class Killed(BaseException):
        """Stands for the death of the process."""

    def die(*args: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        # Dead between the start and its record, the narrowest place there is.
        patched.setattr("runbooks.restart_service._remember", die)
        with pytest.raises(Killed):
            await restart(command=SLEEP)
    (pid,) = running(SLEEP)
    outcome = await restart(as_run="RUN-1", command=SLEEP)
    assert pid_of(outcome) == pid
    assert running(SLEEP) == [pid]
