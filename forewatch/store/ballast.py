"""Ballast: 64 MiB in the state folder for the day the disk is full, to be dropped so that decisions can be kept."""

from __future__ import annotations

import os
import shutil

from forewatch.errors import StoreBusy, StoreUnavailable
from forewatch.home import Home

SIZE = 64 * 1024 * 1024
"""Bytes."""

_ROOM = 2 * SIZE  # free space without which ballast would only bring the full disk nearer


def ensure(home: Home) -> bool:
    """Have the ballast on disk, recreated once there is room again. True if it is there."""
    if held(home):
        return True
    part = home.ballast.with_name(home.ballast.name + ".part")
    try:
        if shutil.disk_usage(home.root).free < SIZE + _ROOM:
            return False
        with part.open("wb") as file:
            _allocate(file.fileno())
        part.replace(home.ballast)
    except OSError:
        # No room after all, or a read-only folder: there is no ballast then, which is what the caller is told.
        part.unlink(missing_ok=True)
        return False
    return held(home)


def held(home: Home) -> bool:
    """Whether the ballast is there and takes up real blocks."""
    try:
        stat = home.ballast.stat()
    except OSError:
        return False
    return stat.st_size >= SIZE and stat.st_blocks * 512 >= SIZE


def free(home: Home) -> bool:
    """Drop the ballast. True if that gave space back."""
    had = held(home)
    try:
        home.ballast.unlink()
    except OSError:
        return False
    return had


def make_room(home: Home, trouble: StoreUnavailable) -> bool:
    """Drop the ballast where that may help a store that refuses writes: not where it only is busy, for the ballast is
    not made again before the night. True if that gave space back."""
    return not isinstance(trouble, StoreBusy) and free(home)


def _allocate(descriptor: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, SIZE)
    else:  # macOS
        block = b"\0" * (1 << 20)
        for _ in range(SIZE // len(block)):
            os.write(descriptor, block)
    os.fsync(descriptor)
