"""Knowing a process for certain, and ending it without ever touching another.

A pid alone names nothing: it is given to a stranger once its process is gone. What identifies a process is its pid with
its start time. Every signal here goes to an `Identity`, which is looked at again just before.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from forewatch.errors import StepFailed
from forewatch.process_start import start_mark

_POLL = 0.02
"""Seconds between two looks at a process that was told to end."""
_AFTER_KILL = 5.0
"""Seconds until a killed process must be gone; longer means it hangs in the kernel."""


@dataclass(frozen=True)
class Identity:
    """One process for certain. `started` is opaque: it differs between any two processes that ever had this pid."""

    pid: int
    started: str
    argv: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "argv": list(self.argv)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Identity:
        """Raises KeyError, TypeError or ValueError for anything `as_json` did not write."""
        return cls(int(data["pid"]), str(data["started"]), tuple(str(part) for part in data["argv"]))


def identify(pid: int) -> Identity | None:
    """Who has this pid now; None if nobody has, or only a zombie, which is dead but for its parent's attention."""
    if pid <= 0:
        return None
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return Identity(pid, start_mark(pid), tuple(process.cmdline()))
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return None
    except psutil.AccessDenied:
        # It lives and belongs to somebody else: a process without argv is one that matches no command.
        return Identity(pid, "unreadable", ())


def identify_child(pid: int, command: Sequence[str]) -> Identity:
    """Our own child, just executed and not waited for: known even if it has ended, for its session may live."""
    # Right after exec the kernel has not laid out the argv yet, and psutil reads none: what we executed is as good.
    return Identity(pid, start_mark(pid), tuple(command))


def alive(identity: Identity) -> bool:
    """Whether this very process still runs. Its argv may have changed meanwhile, by exec or by its own wish."""
    now = identify(identity.pid)
    return now is not None and now.started == identity.started


def runs_command(identity: Identity, command: Sequence[str], folder: Path) -> bool:
    """Whether a process is what `command`, run in `folder`, becomes.

    A script's interpreter stands before the command (`/bin/sh ./start.sh`), hence the comparison from the end; the
    program may be spelled relative, absolute or, found along PATH, by its name alone.
    """
    if not command or len(identity.argv) < len(command):
        return False
    tail = identity.argv[-len(command) :]
    if tail[1:] != tuple(command[1:]):
        return False
    return tail[0] == command[0] or _resolved(tail[0], folder) == _resolved(command[0], folder)


def _resolved(program: str, folder: Path) -> str:
    if os.sep not in program:
        return program
    return os.path.realpath(folder / program)


def start_time(identity: Identity) -> float | None:
    """When it started, in seconds since the epoch, to about a second; None if it is gone."""
    try:
        return psutil.Process(identity.pid).create_time() if alive(identity) else None
    except psutil.NoSuchProcess:
        return None


def session_members(leader: Identity) -> list[Identity]:
    """Everyone in the session that `leader` made, itself included, also when it is gone.

    The kernel gives a session's number to no new process while a member lives. Members older than the leader, or of
    another boot, prove that the number has changed hands since: then the answer is nobody.
    """
    members = []
    for pid in psutil.pids():
        with contextlib.suppress(OSError):
            if os.getsid(pid) == leader.pid and (found := identify(pid)) is not None:
                members.append(found)
    if any(member.pid == leader.pid and member.started != leader.started for member in members):
        return []
    return [member for member in members if not _older(member, leader)]


def is_own_kind(pid: int) -> bool:
    """Whether a pid is this process, one it descends from, or the first process of the machine."""
    if pid <= 1 or pid == os.getpid():
        return True
    return any(parent.pid == pid for parent in psutil.Process().parents())


def send(identity: Identity, number: signal.Signals) -> bool:
    """Signal this very process. False if it is gone. Raises StepFailed where we may not.

    With a pidfd the look and the signal concern one process even if it ends in between.
    """
    try:
        handle = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return False
    except (AttributeError, OSError):
        return _send(lambda: os.kill(identity.pid, number), identity, number)
    try:
        return _send(lambda: signal.pidfd_send_signal(handle, number), identity, number)
    finally:
        os.close(handle)


def _send(deliver: Callable[[], None], identity: Identity, number: signal.Signals) -> bool:
    if not alive(identity):
        return False
    try:
        deliver()
    except ProcessLookupError:
        return False
    except PermissionError as error:
        raise StepFailed(
            f"may not send {number.name} to pid {identity.pid} ({shown(identity.argv)}): "
            "it belongs to another user; run Forewatch as that user or restart the service through its manager"
        ) from error
    return True


async def end(find: Callable[[], list[Identity]], *, first: signal.Signals, grace: float) -> str:
    """End whoever `find` names: `first`, then SIGKILL after `grace` seconds. Says which it took, `TERM` or `KILL`.

    `find` is asked again at each look, so that a child forked meanwhile is not left behind. Nobody to end is fine:
    asking again after a crash does no harm. Raises StepFailed if somebody survives even SIGKILL.
    """
    took = first.name.removeprefix("SIG")
    for process in find():
        send(process, first)
    if not await _gone(find, grace):
        took = "KILL"
        for process in find():
            send(process, signal.SIGKILL)
        if not await _gone(find, _AFTER_KILL):
            pids = ", ".join(str(process.pid) for process in find())
            raise StepFailed(f"pid {pids} still runs {_AFTER_KILL:g} s after SIGKILL; it hangs in the kernel")
    return took


async def _gone(find: Callable[[], list[Identity]], within: float) -> bool:
    deadline = time.monotonic() + within
    while find():
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(_POLL)
    return True


def shown(argv: Sequence[str]) -> str:
    """A command line for people, cut to a length that fits a sentence."""
    text = " ".join(argv) or "command line unreadable"
    return text if len(text) <= 120 else text[:117] + "..."


def _older(one: Identity, other: Identity) -> bool:
    boot, _, ticks = one.started.rpartition(":")
    other_boot, _, other_ticks = other.started.rpartition(":")
    return boot != other_boot or float(ticks) < float(other_ticks)
