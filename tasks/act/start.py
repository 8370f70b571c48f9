"""Starting a process that owes us nothing: it outlives the flow that started it, and all of Forewatch."""

from __future__ import annotations

import errno
import os
import subprocess
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import psutil

from forewatch.errors import StepFailed
from forewatch.guard.safe_files import append
from tasks.act.processes import Identity, identify, identify_child, shown

ALWAYS_PASSED = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
"""Environment a service gets without being asked; everything else, our own keys among it, stays here."""

MARK = "FOREWATCH_RUN"
"""Names the run in the environment of what it started: the proof of a start whose record was never written."""


def environment(names: Iterable[str], run: str, source: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The allow-listed part of `source`, with the mark of the run."""
    allowed = {name: source[name] for name in (*ALWAYS_PASSED, *names) if name in source}
    return {**allowed, MARK: run}


def start_detached(
    command: Sequence[str], *, folder: Path, directory: Path, output: Path, env: Mapping[str, str]
) -> Identity:
    """Execute `command` in a session of its own, without our descriptors; output is appended to a file.

    `folder` is where a relative program starts, `directory` where the process runs. Raises StepFailed with a plain
    sentence where it cannot be executed.
    """
    program = command[0] if os.sep not in command[0] else str(folder / command[0])
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        sink = append(output)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise StepFailed(
                f"the output file {output} is a link in a folder that others can write to; name the file itself"
            ) from error
        raise StepFailed(f"cannot write the output file {output}: {error.strerror}") from error
    try:
        process = subprocess.Popen(
            command,
            executable=program,
            cwd=directory,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            close_fds=True,
            start_new_session=True,
        )
    except OSError as error:
        where = f"the working directory {directory}" if not directory.is_dir() else program
        raise StepFailed(f"cannot start {shown(command)}: {where}: {error.strerror}") from error
    finally:
        os.close(sink)
    identity = identify_child(process.pid, command)
    _reap(process)
    return identity


_exits: dict[int, subprocess.Popen[bytes]] = {}


def exit_code(pid: int) -> int | None:
    """The exit code of a process this process started; None while it runs or if somebody else started it."""
    process = _exits.get(pid)
    return process.returncode if process else None


def _reap(process: subprocess.Popen[bytes]) -> None:
    # While this process lives it is the parent: a child that ends stays a zombie until it is waited for.
    _exits[process.pid] = process
    threading.Thread(target=process.wait, name=f"reap-{process.pid}", daemon=True).start()


def started_by(run: str) -> Identity | None:
    """The oldest living process that carries the mark of a run: what it started, if anything."""
    marked = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == run:
                marked.append((process.create_time(), process.pid))
        except psutil.Error:
            continue
    return identify(min(marked)[1]) if marked else None
