"""How full each file system is, and whether it has turned read-only.

One that does not answer is named and never holds up the others.
"""

from __future__ import annotations

import asyncio
import logging
import os
import stat

import psutil
from sqlalchemy import Connection

from forewatch.clock import micros
from forewatch.store import points, series
from forewatch.store.engine import Store
from tasks.collect.gathering import Gathering
from tasks.collect.mounts import MOST, Filesystem, Mount, Space, meant_read_only, together, worth_watching
from tasks.collect.patience import Patience

log = logging.getLogger(__name__)

TIMEOUT = 2.0
"""Seconds a mount gets to answer."""
READ_ONLY = "system.filesystem.readonly"
"""1 of a file system that could be written to since this machine started and no longer can, else 0."""
READ_ONLY_EVERY = 60.0
"""Seconds between two points of it while nothing changes."""


class Writable:
    """Which mounts could be written to since the machine started; the store tells what a shift before saw.

    A mount that was read-only from the start, or is to be by `/etc/fstab`, is not among them.
    """

    def __init__(self, store: Store | None = None, boot: int | None = None) -> None:
        self._store = store
        self._boot = micros(psutil.boot_time()) if boot is None else boot
        self._loaded = store is None
        self._told: dict[tuple[str, str], tuple[float, int]] = {}
        self.keys: set[tuple[str, str]] = set()
        self.too_many = False

    async def load(self) -> None:
        if not self._loaded and self._store is not None:
            self.keys |= await self._store.run(self._seen, self._store)
            self._loaded = True

    def notice(self, found: list[Mount]) -> None:
        meant = meant_read_only()
        self.keys |= {mount.key for mount in found if not mount.read_only and mount.mountpoint not in meant}

    def is_news(self, key: tuple[str, str], value: float, now: int) -> bool:
        """Whether it is to be told: it changed, or was told long ago."""
        before = self._told.get(key)
        if before is not None and before[0] == value and 0 <= now - before[1] < micros(READ_ONLY_EVERY):
            return False
        self._told[key] = (value, now)
        return True

    def _seen(self, store: Store) -> set[tuple[str, str]]:
        with store.read_metrics() as conn:
            return _known(conn, self._boot)


def _known(conn: Connection, since: int) -> set[tuple[str, str]]:
    found = set()
    for one in series.find(conn, READ_ONLY):
        last = points.last(conn, one.id)
        if last is not None and last[0] >= since:
            mounts = one.labels.get("mounts") or one.labels.get("mountpoint", "")
            found |= {(mountpoint, one.labels.get("device", "")) for mountpoint in mounts.split(", ")}
    return found


def mounts() -> list[Mount]:
    return [Mount(p.mountpoint, p.device, p.fstype, p.opts) for p in psutil.disk_partitions(all=True)]


def space(mountpoint: str) -> Space | None:
    """What is free there; None where it is a single file bound into place. May hang, may raise OSError."""
    about = os.stat(mountpoint)
    if not stat.S_ISDIR(about.st_mode):
        return None
    state = os.statvfs(mountpoint)
    unit = state.f_frsize
    sizes = (state.f_blocks * unit, state.f_bfree * unit, state.f_bavail * unit)
    return Space(about.st_dev, *sizes, state.f_files, state.f_ffree)


async def filesystems(into: Gathering, patience: Patience, writable: Writable | None = None) -> None:
    """Utilization, usage, inodes and whether it turned read-only, by mountpoint and device."""
    known = writable or Writable()
    await known.load()
    found = await patience.call("mounts", mounts, TIMEOUT)
    watched = worth_watching(found, known.keys)
    _say_too_many(watched, known)
    watched = watched[:MOST]
    known.notice(watched)
    answers = await asyncio.gather(*(_ask(patience, mount.mountpoint) for mount in watched))
    measured = []
    for mount, answer in zip(watched, answers, strict=True):
        if isinstance(answer, str):
            into.problems.append(f"{mount.mountpoint}: {answer}")
        elif answer is not None and answer.total:
            measured.append((mount, answer))
    for filesystem in together(measured):
        _add(into, filesystem)
        _add_read_only(into, filesystem, known)


async def _ask(patience: Patience, mountpoint: str) -> Space | str | None:
    try:
        return await patience.call(f"mount {mountpoint}", lambda: space(mountpoint), TIMEOUT)
    except PermissionError:
        return None  # another user's mount, which no one here can write to either
    except OSError as error:  # TimeoutError is one
        return str(error)


def _add(into: Gathering, filesystem: Filesystem) -> None:
    labels, room = filesystem.labels, filesystem.space
    into.add("system.filesystem.utilization", room.utilization, **labels)
    into.add("system.filesystem.usage", room.total - room.free, **labels, state="used")
    into.add("system.filesystem.usage", room.available, **labels, state="free")
    if room.inodes:
        into.add("system.filesystem.inodes.utilization", 1 - room.inodes_free / room.inodes, **labels)


def _add_read_only(into: Gathering, filesystem: Filesystem, known: Writable) -> None:
    ours = [mount for mount in filesystem.mounts if mount.key in known.keys]
    if not ours:
        return
    value = float(any(mount.read_only for mount in ours))
    if known.is_news(filesystem.mounts[0].key, value, into.now):
        into.add("system.filesystem.readonly", value, **filesystem.labels)


def _say_too_many(watched: list[Mount], known: Writable) -> None:
    if (many := len(watched) > MOST) and not known.too_many:
        left = ", ".join(mount.mountpoint for mount in watched[MOST : MOST + 3])
        log.warning("of %d mounts the %d with the shortest paths are measured; not %s, ...", len(watched), MOST, left)
    known.too_many = many
