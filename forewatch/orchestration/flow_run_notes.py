"""Which process runs which flow run: a note in the state folder, written by the child that runs it."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
from uuid import UUID

import psutil

from forewatch.home import Home
from forewatch.orchestration.orphans import same_process
from forewatch.process_start import start_mark

log = logging.getLogger("forewatch.flow_run_notes")

CANCEL = signal.SIGUSR1
"""Cancels the flow run of a child that belongs to no living worker's pipe."""


def note_flow_run(home: Home, flow_run_id: UUID | str) -> None:
    """Called by the child that runs it, before it runs it. A full disk is said, and no reason not to run."""
    folder, pid = home.run / "flow-runs", os.getpid()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / str(flow_run_id)).write_text(json.dumps([pid, start_mark(pid)]), encoding="ascii")
    except OSError as error:
        log.error("flow run %s could not be noted in %s: %s", flow_run_id, folder, error)


def forget_flow_run(home: Home, flow_run_id: UUID | str) -> None:
    """Called when it has ended."""
    (home.run / "flow-runs" / str(flow_run_id)).unlink(missing_ok=True)


def _noted(home: Home, flow_run_id: UUID | str) -> tuple[int, str] | None:
    """Pid and start of the process that runs it. None without a note, or with half of one."""
    try:
        pid, started = json.loads((home.run / "flow-runs" / str(flow_run_id)).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return int(pid), str(started)


def ended_unseen(home: Home, flow_run_id: UUID | str) -> bool:
    """Whether the process that noted itself for this flow run has ended without taking its note along.

    False where there is no note: a full disk takes none.
    """
    noted = _noted(home, flow_run_id)
    return noted is not None and same_process(*noted) is None


def runner_of(home: Home, flow_run_id: UUID | str) -> psutil.Process | None:
    """The living process, perhaps of an earlier worker, that runs this flow run; the note of a dead one is removed."""
    noted = _noted(home, flow_run_id)
    if noted is None:
        return None
    process = same_process(*noted)
    if process is None:
        forget_flow_run(home, flow_run_id)
    return process


def cancel_elsewhere(home: Home, flow_run_id: UUID) -> bool:
    """Ask the process that runs this flow run to cancel it. False where none does."""
    process = runner_of(home, flow_run_id)
    if process is None:
        return False
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(CANCEL)
    return True
