"""Writing where others may have put something in our way: a link there must not lead us to another file.

In a folder that only its owner may write to, and that is ours or root's, links are somebody's own arrangement.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def create(path: Path, mode: int = 0o666) -> int:
    """A descriptor of a new file, for writing. Raises FileExistsError for whatever is there, a dangling link too."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)


def append(path: Path, mode: int = 0o600) -> int:
    """A descriptor of a file, made where there is none, for adding to its end.

    Raises OSError (ELOOP) for a link in a folder that others may write to.
    """
    follow = 0 if only_ours(path.parent) else os.O_NOFOLLOW
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | follow, mode)


def part_beside(path: Path) -> Path:
    """A name nobody can know beforehand, for the file that takes `path`'s place once it is whole."""
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")


@contextmanager
def whole(path: Path, mode: int = 0o666) -> Iterator[Path]:
    """A new empty file that takes `path`'s place, a link's too, once all is written; nothing is left of it otherwise.

    Raises OSError.
    """
    part = part_beside(path)
    os.close(create(part, mode))
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def only_ours(folder: Path) -> bool:
    """Whether nobody but us and root can put anything into a folder."""
    found = folder.stat()
    return found.st_uid in (0, os.geteuid()) and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
