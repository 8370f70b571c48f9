"""A lock file a shift, held by the process that stands its watch: who stands is known where the store takes no writes.

The kernel lets go of it when the process ends, however it ends. While the store answers, the term fences and not this.
"""

from __future__ import annotations

import fcntl
import logging
import os
from pathlib import Path

from forewatch.home import Home

log = logging.getLogger("forewatch.shift_lock")

_held: dict[Path, int] = {}
"""File descriptors of the locks this process holds: a lock belongs to a process, not to a call."""
_cannot_open: set[Path] = set()
"""Said once each: a holder tries again with every beat."""


def take(home: Home, shift: str) -> bool:
    """Hold the post; True if this process has it, also from before. False where another process of this host does."""
    path = _path(home, shift)
    if path in _held:
        return True
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        if path not in _cannot_open:
            _cannot_open.add(path)
            log.warning("%s: its lock file cannot be opened: %s", shift, error)
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        return False
    _held[path] = file
    return True


def leave(home: Home, shift: str) -> None:
    """Let go of it; nothing where this process does not hold it."""
    file = _held.pop(_path(home, shift), None)
    if file is not None:
        os.close(file)


def _path(home: Home, shift: str) -> Path:
    return home.run / f"{shift}.watch"
