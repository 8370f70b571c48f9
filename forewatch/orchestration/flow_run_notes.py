"""Which process runs which flow run: a note in the state folder, written by the child that runs it."""

from __future__ import annotations

import json
import os
from uuid import UUID

import psutil

from forewatch.home import Home
from forewatch.orchestration.leftovers import same_process


def note_flow_run(home: Home, flow_run_id: UUID) -> None:
    """Called by the child that runs it, before it runs it."""
    folder = home.run / "flow-runs"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    me = psutil.Process(os.getpid())
    (folder / str(flow_run_id)).write_text(json.dumps([me.pid, me.create_time()]), encoding="ascii")


def forget_flow_run(home: Home, flow_run_id: UUID) -> None:
    """Called when it has ended."""
    (home.run / "flow-runs" / str(flow_run_id)).unlink(missing_ok=True)


def runner_of(home: Home, flow_run_id: UUID) -> psutil.Process | None:
    """The living process, perhaps of an earlier worker, that runs this flow run; the note of a dead one is removed."""
    path = home.run / "flow-runs" / str(flow_run_id)
    try:
        pid, started = json.loads(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    process = same_process(pid, started)
    if process is None:
        path.unlink(missing_ok=True)
    return process
