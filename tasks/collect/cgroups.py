"""What a container allows: memory, swap and CPU by its control group, version 1 or 2.

A container sees its own group at the root of the mounted tree, where the machine itself has no limit, or one larger
than the machine. Groups below the root count only inside a container: a unit of systemd with a limit of its own is on
a machine that is to be watched as a whole.
Sources: Linux, Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

TREE = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))
_RECLAIMABLE_2 = ("inactive_file", "active_file", "slab_reclaimable")
_RECLAIMABLE_1 = ("total_inactive_file", "total_active_file")


@dataclass(frozen=True)
class Memory:
    """Bytes. `cache` is what the kernel takes back when it is needed; `used` is without it."""

    limit: int
    used: int
    cache: int
    swap_limit: int | None = None
    swap_used: int | None = None


@dataclass(frozen=True)
class Cpu:
    """How many CPUs may be kept busy, and the seconds of them used so far."""

    cores: float
    used: float


class Groups:
    """The groups this process is in, nearest first. Files that are not there, or say `max`, are no limit."""

    def __init__(self, tree: Path = TREE, membership: Path = MEMBERSHIP, *, contained: bool | None = None) -> None:
        self._tree = tree
        self._membership = membership
        self._contained = is_container() if contained is None else contained

    def memory(self, machine: int) -> Memory | None:
        """The tightest limit below what the machine has; None where there is none."""
        found = [
            *(one for folder in self._folders("") if (one := _memory_2(folder)) is not None),
            *(one for folder in self._folders("memory") if (one := _memory_1(folder)) is not None),
        ]
        below = [one for one in found if one.limit < machine]
        return min(below, key=lambda one: one.limit - one.used, default=None)

    def cpu(self, machine: float) -> Cpu | None:
        """The tightest limit below what the machine has; None where there is none."""
        found = [
            *(one for folder in self._folders("") if (one := _cpu_2(folder)) is not None),
            *(one for folder in self._folders("cpu") if (one := _cpu_1(folder)) is not None),
        ]
        below = [one for one in found if 0 < one.cores < machine]
        return min(below, key=lambda one: one.cores, default=None)

    def _folders(self, controller: str) -> Iterator[Path]:
        root = next((one for one in self._roots(controller) if one.is_dir()), None)
        if root is None:
            return
        own = PurePosixPath(self._path(controller)) if self._contained else PurePosixPath("/")
        # Where the tree that is mounted is already our own, the path is the machine's and leads nowhere.
        for parent in (own, *own.parents):
            folder = root / str(parent).lstrip("/")
            if folder.is_dir():
                yield folder

    def _roots(self, controller: str) -> tuple[Path, ...]:
        if not controller:
            version_2 = (self._tree / "cgroup.controllers").exists()
            return (self._tree if version_2 else self._tree / "unified",)
        # Where two controllers share a tree, either may be named first.
        shared = {"cpu": ("cpu,cpuacct", "cpuacct,cpu")}.get(controller, ())
        return tuple(self._tree / name for name in (controller, *shared))

    def _path(self, controller: str) -> str:
        for line in _lines(self._membership):
            _, controllers, path = (*line.split(":", 2), "", "")[:3]
            if controller in controllers.split(","):
                return path if ".." not in path else "/"
        return "/"


def is_container(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a container engine left its mark."""
    return any(mark.exists() for mark in _MARKS) or bool(
        environment.get("container") or environment.get("KUBERNETES_SERVICE_HOST")
    )


def _memory_2(folder: Path) -> Memory | None:
    limit, current = _number(folder / "memory.max"), _number(folder / "memory.current")
    if not limit or current is None:
        return None
    said = _table(folder / "memory.stat")
    cache = min(current, sum(said.get(name, 0) for name in _RECLAIMABLE_2))
    swap = (_number(folder / "memory.swap.max"), _number(folder / "memory.swap.current"))
    return Memory(limit, current - cache, cache, *swap)


def _memory_1(folder: Path) -> Memory | None:
    limit, current = _number(folder / "memory.limit_in_bytes"), _number(folder / "memory.usage_in_bytes")
    if not limit or current is None:
        return None
    said = _table(folder / "memory.stat")
    limit = min(limit, said.get("hierarchical_memory_limit", limit))
    cache = min(current, sum(said.get(name, 0) for name in _RECLAIMABLE_1))
    return Memory(limit, current - cache, cache)


def _cpu_2(folder: Path) -> Cpu | None:
    quota, period = (*_words(folder / "cpu.max"), "", "")[:2]
    used = _table(folder / "cpu.stat").get("usage_usec")
    if not quota.isdigit() or not period.isdigit() or int(period) == 0 or used is None:
        return None
    return Cpu(int(quota) / int(period), used / 1e6)


def _cpu_1(folder: Path) -> Cpu | None:
    quota, period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
    used = _number(folder / "cpuacct.usage")
    if used is None:  # the two controllers may be mounted apart
        used = _number(folder.parent / "cpuacct" / "cpuacct.usage")
    if quota is None or quota <= 0 or not period or used is None:
        return None
    return Cpu(quota / period, used / 1e9)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []


def _words(file: Path) -> list[str]:
    return " ".join(_lines(file)).split()


def _number(file: Path) -> int | None:
    words = _words(file)
    return int(words[0]) if words and words[0].removeprefix("-").isdigit() else None


def _table(file: Path) -> dict[str, int]:
    pairs = (line.split() for line in _lines(file))
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}
