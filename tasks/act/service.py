"""A service as a process to stop and start: finding it for certain, and seeing it through its first moment.

Nobody is signalled whom we do not know. Known is what we started ourselves (its record), what the pid file names and
runs the command, and, where there is no pid file, the one process of ours that runs the command in its folder.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from forewatch.errors import StepFailed
from forewatch.guard.redact import redact
from tasks.act import pidfiles
from tasks.act.processes import Identity, alive, identify, is_own_kind, runs_command, session_members, shown
from tasks.act.records import Records, key_of
from tasks.act.start import exit_code

MOMENT = 0.3
"""Seconds a command is watched after its start: one that fails does so at once."""
PIDFILE_MOMENT = 1.0
"""Seconds a command gets to write its pid file before we write it."""
_POLL = 0.02


@dataclass(frozen=True)
class Target:
    """What is restarted. Plain JSON as `vars()`, so that steps can take it; paths are absolute."""

    service: str
    command: list[str]
    argv: list[str]
    """The command line the running process shows; the command's own unless it hands over to another program."""
    folder: str
    directory: str
    pidfile: str | None
    output: str

    @property
    def key(self) -> str:
        return key_of(self.service, self.pid_path)

    @property
    def pid_path(self) -> Path | None:
        return Path(self.pidfile) if self.pidfile is not None else None


@dataclass(frozen=True)
class Found:
    """The living processes of a service, and how we know them."""

    processes: list[Identity]
    remark: str


def find(target: Target, records: Records) -> Found:
    """Who is the service now. Raises StepFailed where somebody stands in its place whom we do not know."""
    record = records.of(target.key)
    ours = record.processes() if record is not None else []
    if target.pid_path is None:
        return Found(ours, _known(ours)) if ours else _by_argv(target)
    named = pidfiles.living(target.pid_path)
    if named is None or any(process.pid == named.pid for process in ours):
        return Found(ours, _known(ours) if ours else "it does not run")
    if is_own_kind(named.pid):
        raise StepFailed(
            f"the pid file {target.pidfile} names pid {named.pid}, which is Forewatch or what started it: "
            "nothing is signalled; put the file right"
        )
    if runs_command(named, target.argv, Path(target.folder)):
        return Found([*ours, named], f"pid {named.pid} from the pid file runs the command")
    if pidfiles.recycled(target.pid_path, named):
        remark = f"the pid file is stale, its pid {named.pid} has gone to {shown(named.argv)}, which is left alone"
        return Found(ours, remark)
    raise StepFailed(
        f"the pid file {target.pidfile} names pid {named.pid}, which runs `{shown(named.argv)}`: that is neither "
        f"`{shown(target.argv)}` nor anything Forewatch started, so it is not signalled; restart it by hand once, "
        "or give the command line it shows as argv"
    )


def _known(processes: list[Identity]) -> str:
    return "Forewatch started it: pid " + ", ".join(str(process.pid) for process in processes)


def _by_argv(target: Target) -> Found:
    matching = {}
    for process in psutil.process_iter():
        try:
            if process.uids().real != os.getuid() or process.cwd() != target.directory:
                continue
        except psutil.Error:
            continue
        identity = identify(process.pid)
        if identity and runs_command(identity, target.argv, Path(target.folder)) and not is_own_kind(process.pid):
            matching[process.pid] = (identity, process.ppid())
    # Workers that a server forked show its command line too; they end with it.
    first = [identity for identity, parent in matching.values() if parent not in matching]
    if len(first) > 1:
        pids = ", ".join(str(identity.pid) for identity in first)
        raise StepFailed(
            f"pids {pids} all run `{shown(target.argv)}` in {target.directory}: which of them is {target.service} "
            "cannot be told, so none is signalled; give a pidfile"
        )
    return Found(first, f"pid {first[0].pid} runs the command" if first else "it does not run")


def remaining(target: Target, processes: list[Identity], records: Records) -> list[Identity]:
    """Who of the processes found still lives, with what they have started meanwhile where that is ours to end."""
    record = records.of(target.key)
    left = {process.pid: process for process in processes if alive(process)}
    if record is not None:
        left |= {process.pid: process for process in record.processes()}
    return list(left.values())


def forget_pidfile(target: Target) -> None:
    """Remove the pid file of a service that does not run, so that neither its start script nor we believe it."""
    if target.pid_path is not None:
        try:
            target.pid_path.unlink(missing_ok=True)
        except OSError as error:
            raise StepFailed(f"cannot remove the stale pid file {target.pidfile}: {error.strerror}") from error


async def settle(target: Target, leader: Identity, records: Records) -> Identity:
    """Watch a service's first moment and see that its pid file is there; returns its main process.

    Where the command wrote no pid file in time, we do, with the pid of what we executed. Raises StepFailed for a
    command that fails at once, with its last words.
    """
    path = target.pid_path
    deadline = time.monotonic() + (PIDFILE_MOMENT if path is not None else MOMENT)
    while time.monotonic() < deadline:
        code = exit_code(leader.pid)
        if code not in (None, 0):
            raise StepFailed(
                f"`{shown(target.command)}` ended at once with {_exit(code)}; {_last_words(Path(target.output))}"
            )
        main = pidfiles.living(path) if path is not None else None
        if main is not None:
            if main.pid != leader.pid and not is_own_kind(main.pid):
                records.note_main(target.key, main)
            return main
        await asyncio.sleep(_POLL)
    if alive(leader):
        if path is not None:
            try:
                pidfiles.write_if_missing(path, leader.pid)
            except OSError as error:
                raise StepFailed(f"cannot write the pid file {path}: {error.strerror}") from error
        return leader
    left = session_members(leader)
    if not left and exit_code(leader.pid) is None:
        raise StepFailed(f"`{shown(target.command)}` ended at once; {_last_words(Path(target.output))}")
    # It ended well: a launcher such as `systemctl start`, or a daemon that went its own way.
    return left[0] if left else leader


def _exit(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"


def _last_words(output: Path, lines: int = 5) -> str:
    said = tail(output, lines)
    return f"its last words: {redact(' / '.join(said.splitlines()))}" if said else f"it said nothing in {output}"


def tail(path: Path, lines: int, most: int = 65_536) -> str:
    """The last lines of a file, from at most its last `most` bytes; empty where it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            size = file.tell()
            file.seek(max(0, size - most))
            text = file.read(most).decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
