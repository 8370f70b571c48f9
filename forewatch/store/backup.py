"""Backups of the files, made while others write: `backups/<file>-YYYYMMDD-HHMMSS.db`, times in UTC.

A backup is looked through before it counts, and only then do older ones go. To restore: stop Forewatch, put the backup
in the place of the file, remove the file's `-wal` and `-shm`, start again (`orchestration.damage` says the command).
"""

from __future__ import annotations

import os
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

from forewatch.clock import from_datetime, micros, to_datetime
from forewatch.errors import StoreUnavailable
from forewatch.home import Home
from forewatch.store.ballast import SIZE as BALLAST
from forewatch.store.engine import Store, path_of
from forewatch.store.revisions import REVISIONS, File
from forewatch.store.sqlite import faults
from forewatch.units import format_bytes

_NAME = re.compile(r"(decisions|metrics|intake)-(\d{8}-\d{6})\.db")
_STAMP = "%Y%m%d-%H%M%S"


def make(store: Store, now: int, folder: Path | None = None) -> list[Path]:
    """Back the files up, by default into the state folder's `backups/`; returns the backups, each found whole.

    Raises StoreUnavailable where the folder cannot be made or has no room, a file cannot be read, or a backup turns out
    damaged.
    """
    return [_make(store, file, now, folder or store.home.backups) for file in REVISIONS]


def prune(home: Home, keep: float, now: int) -> list[Path]:
    """Remove backups older than `keep` seconds and halves of unfinished ones; the newest of each file always stays."""
    for half in home.backups.glob("*.part*"):
        half.unlink(missing_ok=True)
    old = [path for file in REVISIONS for path in listing(home, file)[1:] if taken_at(path) < now - micros(keep)]
    for path in old:
        path.unlink(missing_ok=True)
    return old


def listing(home: Home, file: File) -> list[Path]:
    """The backups of one file, newest first."""
    found = [path for path in home.backups.glob(f"{file}-*.db") if _NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: path.name, reverse=True)


def newest_good(home: Home, file: File) -> Path | None:
    """The newest backup of a file that opens and is sound; None where there is none."""
    return next((path for path in listing(home, file) if not faults(path)), None)


def taken_at(backup: Path) -> int:
    """When a backup was made, by its name. Raises ValueError for a name that is none of ours."""
    found = _NAME.fullmatch(backup.name)
    if found is None:
        raise ValueError(f"{backup.name} is not the name of a backup")
    return from_datetime(datetime.strptime(found.group(2), _STAMP).replace(tzinfo=UTC))


def _make(store: Store, file: File, now: int, folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"{folder} cannot be made: {error.strerror}; name another folder") from error
    source = path_of(store.home, file)
    _check_room(folder, source.stat().st_size)
    target = folder / f"{file}-{to_datetime(now).strftime(_STAMP)}.db"
    store.backup(file, target)
    wrong = faults(target)
    if wrong:
        target.unlink()
        raise StoreUnavailable(f"the backup of {source} is damaged ({wrong[0]}): check the disk and the file itself")
    _sync(folder)
    return target


def _check_room(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    # A backup must not bring about the full disk that it is meant to help with.
    if free < size + BALLAST:
        raise StoreUnavailable(
            f"no room for a backup in {folder}: it needs {format_bytes(size + BALLAST)} and "
            f"{format_bytes(free)} are free; free some space or lower retention.backups"
        )


def _sync(folder: Path) -> None:
    """Make the new name itself outlast a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
