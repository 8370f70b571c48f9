"""Who runs on a state folder: every process we start notes itself there, so that a later start can end what a killed
one left behind, and nothing else. A pid alone proves nothing; it counts only together with its start.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from pathlib import Path

import psutil

from forewatch.home import Home
from forewatch.process_start import start_mark

log = logging.getLogger("forewatch.orphans")

TERM_GRACE = 3.0


def _folder(home: Home, role: str) -> Path:
    return home.run / role


def note(home: Home, role: str, pid: int) -> None:
    """Write `run/<role>/<pid>` holding the process's start. A process that is gone already is not noted.

    A full disk is said and no reason to fail: the note is missed only if our own supervisor is killed as well.
    """
    folder = _folder(home, role)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(psutil.NoSuchProcess):
            (folder / str(pid)).write_text(start_mark(pid), encoding="ascii")
    except OSError as error:
        log.error("process %d (%s) could not be noted in %s: %s", pid, role, folder, error)


def register_child(home: Home) -> None:
    """A forked child notes itself."""
    note(home, "children", os.getpid())


def forget_child(home: Home) -> None:
    """A forked child that ends takes its note along; of one that is killed the next `living` removes it."""
    (_folder(home, "children") / str(os.getpid())).unlink(missing_ok=True)


def living(home: Home, role: str) -> list[psutil.Process]:
    """The noted processes that still are the ones that were noted; notes of dead ones are removed."""
    alive = []
    for path in _folder(home, role).glob("[0-9]*"):
        process = _same(path)
        if process is None:
            path.unlink(missing_ok=True)
        else:
            alive.append(process)
    return alive


def _same(path: Path) -> psutil.Process | None:
    try:
        return same_process(int(path.name), path.read_text(encoding="ascii"))
    except (ValueError, OSError):
        return None


def same_process(pid: int, started: str) -> psutil.Process | None:
    """The process of this pid if it began with this mark (see `process_start`) and is not a zombie; else None."""
    try:
        process = psutil.Process(pid)
        if start_mark(pid) == started and process.status() != psutil.STATUS_ZOMBIE:
            return process
    except psutil.NoSuchProcess:
        pass
    return None


def end(processes: list[psutil.Process], grace: float = TERM_GRACE) -> int:
    """TERM, wait, KILL. Returns how many were there."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=grace)
    for process in alive:
        log.warning("pid %d did not end when asked and is killed", process.pid)
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=grace)
    return len(processes)


def wait_gone(home: Home, role: str, timeout: float) -> list[psutil.Process]:
    """Wait until nobody of a role is left, at most `timeout` seconds; returns who still is."""
    deadline = time.monotonic() + timeout
    while (left := living(home, role)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left
