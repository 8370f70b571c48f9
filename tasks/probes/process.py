"""The `process` check: does a process run, named by its name, its pid file or the local port it listens on?"""

from __future__ import annotations

from pathlib import Path

import psutil

from tasks.probes.attempt import Answer, Attempt, Failing
from tasks.probes.words import spoken

SLACK = 5.0
"""Seconds a process may seem to start after its pid file was written: two clocks, coarse ticks, slow writers."""

_LONGEST_FILE = 4096


async def attempt(a: Attempt) -> Answer:
    target = a.check.process
    if target is not None and target.name is not None:
        return _of_name(target.name, await a.context.processes.named(target.name))
    if target is not None and target.port is not None:
        return _of_port(target.port, await a.context.processes.listening(target.port))
    if target is not None and target.pidfile is not None:
        return of_pidfile(target.pidfile, a.context.folder)
    raise Failing("the check names no process")


def _of_name(name: str, pids: list[int]) -> Answer:
    if not pids:
        raise Failing(f"no process named {name}")
    count = f"{len(pids)} processes named {name} run" if len(pids) > 1 else f"process {pids[0]} ({name}) runs"
    return Answer(count, {"pids": pids})


def _of_port(port: int, pids: list[int] | None) -> Answer:
    if pids is None:
        raise Failing(f"no process listens on port {port}")
    if not pids:
        return Answer(f"a process of another user listens on port {port}", {"pids": []})
    return Answer(f"process {pids[0]} listens on port {port}", {"pids": pids})


def of_pidfile(name: str, folder: Path) -> Answer:
    """The process a pid file names, if it runs and is the one that was meant. Raises Failing saying which is not so."""
    path = folder / name
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST_FILE).decode(errors="replace").strip()
        written = path.stat().st_mtime
    except FileNotFoundError as error:
        raise Failing(f"pid file {name} is missing") from error
    except OSError as error:
        raise Failing(f"pid file {name} cannot be read: {error.strerror}") from error
    # PostgreSQL and others write further lines after the pid.
    first = text.splitlines()[0].strip() if text else ""
    if not first:
        raise Failing(f"pid file {name} is empty")
    if not first.isascii() or not first.isdigit() or not 0 < int(first) < 2**31:
        raise Failing(f'pid file {name} holds no pid but "{first[:40]}"')
    return _of_pid(int(first), written, name)


def _of_pid(pid: int, written: float, name: str) -> Answer:
    details = {"pids": [pid]}
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            status, program, started = process.status(), process.name(), process.create_time()
    except psutil.NoSuchProcess as error:
        raise Failing(f"pid file {name} is stale: process {pid} is gone", details) from error
    except psutil.AccessDenied:
        return Answer(f"process {pid} of another user runs", details)
    if status in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
        raise Failing(f"process {pid} ({program}) has ended and waits for its parent", details)
    if started > written + SLACK:
        raise Failing(
            f"pid file {name} is stale: process {pid} is now {program}, started {spoken(started - written)} after the "
            "file was written",
            details,
        )
    return Answer(f"process {pid} ({program}) runs", details)
