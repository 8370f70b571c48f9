"""Forewatch's own metrics: what its processes use, how old its queues are, how large its files have grown."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil
from sqlalchemy import func, select

from forewatch.clock import seconds
from forewatch.home import VARIABLE, Home
from forewatch.store import ballast, inbox
from forewatch.store.engine import Store
from forewatch.store.schema import outbox, runs
from tasks.collect.gathering import Gathering

SERVICE = "forewatch"
"""The service Forewatch's own metrics belong to."""

MEMORY_EVERY = 60.0
"""Seconds between two looks at memory: shares of shared pages cost the kernel milliseconds a process."""


class OwnProcesses:
    """CPU and memory of the whole tree of processes below `root`; by default the topmost that is ours."""

    def __init__(self, home: Home, root: int | None = None) -> None:
        self._home = home
        self._root = root
        self._cpu: dict[tuple[int, float], float] = {}
        self._at = 0.0
        self._memory_at = float("-inf")

    def __call__(self, into: Gathering) -> None:
        tree = family(psutil.Process(self._root) if self._root is not None else topmost(self._home))
        into.add("forewatch.process.count", len(tree), SERVICE)
        self._add_cpu(into, tree)
        if time.monotonic() - self._memory_at >= MEMORY_EVERY:
            self._memory_at = time.monotonic()
            into.add("forewatch.memory.usage", sum(_memory(process) for process in tree), SERVICE)

    def _add_cpu(self, into: Gathering, tree: list[psutil.Process]) -> None:
        used: dict[tuple[int, float], float] = {}
        for process in tree:
            try:
                times = process.cpu_times()
                used[process.pid, process.create_time()] = times.user + times.system
            except psutil.NoSuchProcess:
                continue
        now = time.monotonic()
        if self._cpu and now > self._at:
            # A process that is new is counted from its beginning; what one used before it ended unseen is lost.
            spent = sum(max(0.0, cpu - self._cpu.get(process, 0.0)) for process, cpu in used.items())
            into.add("forewatch.cpu.utilization", spent / (now - self._at), SERVICE)
        self._cpu, self._at = used, now


def files(into: Gathering, home: Home) -> None:
    """Sizes of the store's files with their logs, and whether the ballast is there."""
    for path in (home.decisions_db, home.metrics_db, home.intake_db):
        parts = (path, path.with_name(f"{path.name}-wal"))
        into.add("forewatch.store.size", sum(_size(part) for part in parts), SERVICE, file=path.stem)
    into.add("forewatch.ballast.held", ballast.held(home), SERVICE)


def queues(into: Gathering, store: Store) -> None:
    """Seconds the oldest due notification, the oldest run that waits for a worker, and the oldest of what others sent
    and is not processed have waited; 0 with none."""
    due = select(func.min(outbox.c.not_before)).where(outbox.c.state.in_(("due", "claimed", "failed")))
    waiting = select(func.min(runs.c.created_at)).where(runs.c.state == "waiting")
    with store.read() as conn:
        for metric, query in (("forewatch.outbox.oldest.age", due), ("forewatch.runs.oldest.age", waiting)):
            since = conn.execute(query).scalar()
            into.add(metric, _age(since, into.now), SERVICE)
        mark = inbox.mark(conn)
    with store.read_intake() as conn:
        into.add("forewatch.inbox.oldest.age", _age(inbox.oldest(conn, mark), into.now), SERVICE)


def _age(since: int | None, now: int) -> float:
    return max(0.0, seconds(now - since)) if since is not None else 0.0


def topmost(home: Home) -> psutil.Process:
    """The first of our ancestors that works for the same state folder: the supervisor, or this process by itself."""
    found = psutil.Process(os.getpid())
    for parent in found.parents():
        try:
            ours = parent.environ().get(VARIABLE) == str(home.root)
            argv = parent.cmdline()
        except psutil.Error:
            break
        # The supervisor has set the variable for all it starts, which its own environment does not show.
        if not ours and not any(Path(word).name.startswith("forewatch") for word in argv[:3]):
            break
        found = parent
    return found


def family(root: psutil.Process) -> list[psutil.Process]:
    return [root, *root.children(recursive=True)]


def _memory(process: psutil.Process) -> int:
    """Bytes: its share of what it shares with others where the kernel tells (Linux), else all it has resident."""
    try:
        full = process.memory_full_info()
        return int(getattr(full, "pss", full.rss))
    except psutil.NoSuchProcess:
        return 0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
