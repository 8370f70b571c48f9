"""Metrics of the processes a service names by name, pid file or port: memory, CPU, threads, open files, restarts."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from forewatch.config.models import Config, ProcessTarget, Service
from tasks.collect.gathering import Gathering
from tasks.process_names import names_of

Identity = tuple[int, float]
"""Pid, and seconds from boot to start: pids are used again, and the wall clock may be set."""

_SAME_START = 2.0  # the boot time the kernel tells is whole seconds


@dataclass
class _Memory:
    """What is remembered of a target from round to round."""

    main: Identity | None = None
    restarts: int = 0
    cpu: dict[int, tuple[float, float]] = field(default_factory=dict)
    """Pid -> (start, CPU seconds used)."""
    at: float = 0.0


class Processes:
    """Keeps what is remembered of each target from round to round."""

    def __init__(self) -> None:
        self._memories: dict[tuple[str, str], _Memory] = {}

    def __call__(self, into: Gathering, config: Config) -> None:
        """One round over all services. A target that cannot be looked at is named among the problems."""
        wanted = {(service.name, label_of(t)): t for service in config.services for t in targets_of(service)}
        self._memories = {key: memory for key, memory in self._memories.items() if key in wanted}
        look = Look(wanted.values(), Path(config.folder))
        for (service, label), target in wanted.items():
            try:
                found = look.find(target)
            except (psutil.Error, OSError, ValueError) as error:
                into.problems.append(f"{service}: process {label}: {error}")
                continue
            self._add(into, service, label, found)

    def _add(self, into: Gathering, service: str, label: str, found: list[psutil.Process]) -> None:
        memory = self._memories.setdefault((service, label), _Memory())
        seen = [one for one in (Seen.of(process) for process in found) if one is not None]
        now = time.monotonic()

        def add(metric: str, value: float) -> None:
            into.add(metric, value, service, process=label)

        add("process.count", len(seen))
        if seen:
            main = min(seen, key=lambda one: (one.start, one.pid))
            if memory.main is not None and not _same(memory.main, (main.pid, main.start)):
                memory.restarts += 1
            memory.main = (main.pid, main.start)
            add("process.memory.usage", sum(one.rss for one in seen))
            add("process.thread.count", sum(one.threads for one in seen))
            add("process.uptime", max(0.0, time.time() - psutil.boot_time() - main.start))
            files = [one.files for one in seen if one.files is not None]
            if files:
                add("process.open_file_descriptor.count", sum(files))
            shares = [one.files / one.most_files for one in seen if one.files is not None and one.most_files]
            if shares:
                add("process.open_file_descriptor.utilization", max(shares))
            used = [_used(memory, one) for one in seen]
            if memory.cpu and now > memory.at:
                add("process.cpu.utilization", sum(used) / (now - memory.at))
        add("process.restarts", memory.restarts)
        memory.cpu = {one.pid: (one.start, one.cpu) for one in seen}
        memory.at = now


@dataclass(frozen=True)
class Seen:
    """One process at one moment."""

    pid: int
    start: float
    rss: int
    cpu: float
    threads: int
    files: int | None
    """None where it belongs to another user and we are not root."""
    most_files: int | None = None
    """How many it may have open; None where that is not told, or there is no limit."""

    @classmethod
    def of(cls, process: psutil.Process) -> Seen | None:
        """None for a process that has ended meanwhile, or is a zombie."""
        try:
            with process.oneshot():
                if process.status() == psutil.STATUS_ZOMBIE:
                    return None
                times = process.cpu_times()
                return cls(
                    process.pid,
                    process.create_time() - psutil.boot_time(),
                    process.memory_info().rss,
                    times.user + times.system,
                    process.num_threads(),
                    _files(process),
                    _most_files(process),
                )
        except psutil.NoSuchProcess:
            return None


class Look:
    """One look at the process table for all targets of a round; what no target needs is not looked at.

    Relative pid files start at `folder`.
    """

    def __init__(self, targets: Iterable[ProcessTarget], folder: Path) -> None:
        wanted = list(targets)
        self._folder = folder
        self._named: dict[str, list[psutil.Process]] = {}
        self._ports: dict[int, set[int]] = {}
        if any(target.name is not None for target in wanted):
            for process in psutil.process_iter():
                with contextlib.suppress(psutil.NoSuchProcess), process.oneshot():
                    for name in names_of(process):
                        self._named.setdefault(name, []).append(process)
        if any(target.port is not None for target in wanted):
            for connection in psutil.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.pid is not None:
                    self._ports.setdefault(connection.laddr.port, set()).add(connection.pid)

    def find(self, target: ProcessTarget) -> list[psutil.Process]:
        """The living processes of a target, none if there are none. Raises ValueError for a broken pid file."""
        if target.name is not None:
            return self._named.get(target.name, [])
        if target.pidfile is not None:
            return _alive(_pids_in(self._folder / target.pidfile))
        return _alive(self._ports.get(target.port or 0, ()))


def targets_of(service: Service) -> list[ProcessTarget]:
    """The processes a service names itself or in its checks, each once."""
    named = [*service.processes, *(check.process for check in service.checks if check.process is not None)]
    return list({label_of(target): target for target in named}.values())


def label_of(target: ProcessTarget) -> str:
    """What a target is called in labels: its name, its pid file's name or its port."""
    if target.pidfile is not None:
        return Path(target.pidfile).name
    return target.name if target.name is not None else f"port {target.port}"


def _pids_in(file: Path) -> list[int]:
    try:
        with file.open("rb") as opened:
            first = (opened.read(4096).decode(errors="replace").split() or [""])[0]
    except FileNotFoundError:
        return []
    if not (first.isascii() and first.isdigit() and 0 < int(first) < 2**31):
        raise ValueError(f"pid file {file} holds no pid but {first[:20]!r}")
    return [int(first)]


def _alive(pids: Iterable[int]) -> list[psutil.Process]:
    found = []
    for pid in pids:
        try:
            found.append(psutil.Process(pid))
        except psutil.NoSuchProcess:
            continue
    return found


def _files(process: psutil.Process) -> int | None:
    try:
        return process.num_fds()
    except psutil.AccessDenied:
        return None


def _most_files(process: psutil.Process) -> int | None:
    if not hasattr(process, "rlimit"):  # only Linux tells of other processes
        return None
    try:
        soft, _ = process.rlimit(psutil.RLIMIT_NOFILE)
    except (psutil.AccessDenied, OSError):
        return None
    return soft if soft > 0 else None


def _same(one: Identity, other: Identity) -> bool:
    return one[0] == other[0] and abs(one[1] - other[1]) < _SAME_START


def _used(memory: _Memory, one: Seen) -> float:
    """CPU seconds since the round before; all it ever used for a process that is new."""
    start, cpu = memory.cpu.get(one.pid, (one.start, 0.0))
    return max(0.0, one.cpu - cpu) if abs(start - one.start) < _SAME_START else one.cpu
