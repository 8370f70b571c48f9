"""Noticing that code on disk is not the code that runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import forewatch

PACKAGES = ("forewatch", "flows", "tasks", "runbooks", "notifiers")


def code_digest(runbook_folders: Iterable[str] = ()) -> str:
    """A digest of names, sizes and times of all our Python files and the users' runbooks."""
    root = Path(forewatch.__file__).parent.parent
    folders = [root / package for package in PACKAGES] + [Path(folder) for folder in runbook_folders]
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue
            digest.update(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()
