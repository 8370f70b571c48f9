"""Pid files: who they name, and writing one for a command that does not."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from forewatch.errors import StepFailed
from forewatch.guard.safe_files import create, part_beside
from tasks.act.processes import Identity, identify, start_time

_SLACK = 2.0
"""Seconds by which a process may seem younger than its pid file: start times are that coarse when the clock is set."""


def read(path: Path) -> int | None:
    """The pid in a file; None if it is empty or not there. Raises StepFailed for a file that holds anything else."""
    try:
        text = path.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StepFailed(f"cannot read the pid file {path}: {error.strerror}") from error
    if not text:
        return None
    first = text.split()[0]
    if not first.isascii() or not first.isdigit():
        raise StepFailed(f"the pid file {path} holds {first[:40]!r} instead of a pid; put it right or remove it")
    return int(first)


def living(path: Path) -> Identity | None:
    """The living process a pid file names, whoever that is by now."""
    pid = read(path)
    return identify(pid) if pid is not None else None


def recycled(path: Path, process: Identity) -> bool:
    """Whether the process started after the file was written: then its pid has gone to a stranger."""
    started = start_time(process)
    try:
        return started is not None and started > path.stat().st_mtime + _SLACK
    except FileNotFoundError:
        return False


def write_if_missing(path: Path, pid: int) -> None:
    """Write a pid file unless the command has written it by now, in one indivisible step. Whatever else is there, a
    link for instance, stays as it is, and so does what it leads to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = part_beside(path)
    try:
        with os.fdopen(create(part, 0o644), "w", encoding="ascii") as file:
            file.write(f"{pid}\n")
        # link, unlike rename, refuses to replace what the command wrote a moment ago.
        with contextlib.suppress(FileExistsError):
            os.link(part, path)
    finally:
        part.unlink(missing_ok=True)
