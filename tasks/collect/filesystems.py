"""How full each file system is. One that does not answer is named and never holds up the others."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

from tasks.collect.gathering import Gathering
from tasks.collect.patience import Patience

PSEUDO = frozenset(
    {
        "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devfs", "devpts", "devtmpfs",
        "efivarfs", "fuse.gvfsd-fuse", "fuse.lxcfs", "fuse.portal", "fusectl", "hugetlbfs", "mqueue", "nsfs", "overlay",
        "proc", "pstore", "ramfs", "rpc_pipefs", "securityfs", "selinuxfs", "sysfs", "tracefs",
    }
)  # fmt: skip
"""Types that hold no data of their own; an `overlay` counts only as the root of a container."""

TIMEOUT = 2.0
"""Seconds a mount gets to answer."""

_UNWATCHED = ("/dev", "/proc", "/sys", "/run")


@dataclass(frozen=True)
class Mount:
    mountpoint: str
    device: str
    fstype: str
    options: str


@dataclass(frozen=True)
class Space:
    """Of one mount: sizes in bytes. `device_number` tells two mounts of the same file system from two file systems."""

    device_number: int
    total: int
    free: int
    available: int
    """What an ordinary user can still write: less than `free` where root has a reserve."""
    inodes: int
    inodes_free: int

    @property
    def utilization(self) -> float:
        """As `df` has it: used of what ordinary users can have."""
        used = self.total - self.free
        return used / (used + self.available) if used + self.available else 0.0


def mounts() -> list[Mount]:
    return [Mount(p.mountpoint, p.device, p.fstype, p.opts) for p in psutil.disk_partitions(all=True)]


def worth_watching(found: Iterable[Mount]) -> list[Mount]:
    """Mounts that can fill up, each once, the shortest path first: of a bind mount the original is named."""
    chosen: dict[str, Mount] = {}
    for mount in found:
        read_only = "ro" in mount.options.split(",")
        hidden = any(mount.mountpoint == top or mount.mountpoint.startswith(f"{top}/") for top in _UNWATCHED)
        pseudo = mount.fstype in PSEUDO and mount.mountpoint != "/"
        if not (read_only or hidden or pseudo):
            chosen[mount.mountpoint] = mount  # of two over each other the later one is seen
    return sorted(chosen.values(), key=lambda mount: (len(mount.mountpoint), mount.mountpoint))


def space(mountpoint: str) -> Space | None:
    """What is free there; None where it is a single file bound into place. May hang, may raise OSError."""
    about = os.stat(mountpoint)
    if not stat.S_ISDIR(about.st_mode):
        return None
    state = os.statvfs(mountpoint)
    unit = state.f_frsize
    sizes = (state.f_blocks * unit, state.f_bfree * unit, state.f_bavail * unit)
    return Space(about.st_dev, *sizes, state.f_files, state.f_ffree)


async def filesystems(into: Gathering, patience: Patience) -> None:
    """Utilization, usage and inodes by mountpoint and device."""
    watched = worth_watching(await patience.call("mounts", mounts, TIMEOUT))
    answers = await asyncio.gather(*(_ask(patience, mount.mountpoint) for mount in watched))
    seen: set[int] = set()
    for mount, answer in zip(watched, answers, strict=True):
        if isinstance(answer, str):
            into.problems.append(f"{mount.mountpoint}: {answer}")
        elif answer is not None and answer.total and answer.device_number not in seen:
            seen.add(answer.device_number)
            _add(into, mount, answer)


async def _ask(patience: Patience, mountpoint: str) -> Space | str | None:
    try:
        return await patience.call(f"mount {mountpoint}", lambda: space(mountpoint), TIMEOUT)
    except PermissionError:
        return None  # another user's mount, which no one here can write to either
    except OSError as error:  # TimeoutError is one
        return str(error)


def _add(into: Gathering, mount: Mount, space: Space) -> None:
    labels = {"mountpoint": mount.mountpoint, "device": mount.device}
    into.add("system.filesystem.utilization", space.utilization, **labels)
    into.add("system.filesystem.usage", space.total - space.free, **labels, state="used")
    into.add("system.filesystem.usage", space.available, **labels, state="free")
    if space.inodes:
        into.add("system.filesystem.inodes.utilization", 1 - space.inodes_free / space.inodes, **labels)
