"""What runbooks started, kept so that the next restart knows the process for its own.

One small JSON file a service in the state folder, written whole or not at all: it must be readable when the store is
not, and it outlives Forewatch as the services do.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from forewatch.guard.safe_files import create, part_beside
from tasks.act.processes import Identity, alive, session_members


@dataclass(frozen=True)
class Started:
    """One start of a service. `leader` is what we executed, first of a session of its own; `main` is the process its
    pid file named afterwards, where the command left the work to another. `at` in microseconds UTC."""

    service: str
    run: str
    command: tuple[str, ...]
    output: str
    at: int
    leader: Identity
    main: Identity | None = None

    def processes(self) -> list[Identity]:
        """All of it that still lives: both sessions, and the main process wherever it went."""
        found = {member.pid: member for member in session_members(self.leader)}
        if self.main is not None and alive(self.main):
            found[self.main.pid] = self.main
            # A command that made itself a daemon leads a session of its own, begun by us all the same.
            found |= {member.pid: member for member in session_members(self.main)}
        return list(found.values())

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Records:
    """The folder of those files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, key: str) -> Started | None:
        """The last start under a key; None if there was none or the file is not one of ours."""
        return _read(self._path(key))

    def of_service(self, service: str) -> Iterator[Started]:
        """The last starts of a service, one a pid file."""
        for path in sorted(self._folder.glob(f"{_slug(service)}-*.json")):
            started = _read(path)
            if started is not None and started.service == service:
                yield started

    def put(self, key: str, started: Started) -> None:
        """Remember a start in place of the one before. Raises OSError where the folder cannot be written."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(self._path(key), json.dumps(started.as_json()))

    def note_main(self, key: str, main: Identity) -> None:
        """Add the process that the pid file named, once it is known."""
        started = self.of(key)
        if started is not None:
            self.put(key, replace(started, main=main))

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.json"


def key_of(service: str, pidfile: Path | None) -> str:
    """What tells one started process from another: its service, and its pid file where it has one. The command is no
    part of it, so that editing the command does not make us forget whom to stop."""
    digest = hashlib.sha256(json.dumps([service, str(pidfile or "")]).encode()).hexdigest()[:12]
    return f"{_slug(service)}-{digest}"


def write_whole(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Write a file so that a reader sees the old text or the new, never a part, whatever crashes."""
    part = part_beside(path)
    try:
        with os.fdopen(create(part, mode), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def _read(path: Path) -> Started | None:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return Started(
            service=str(data["service"]),
            run=str(data["run"]),
            command=tuple(str(part) for part in data["command"]),
            output=str(data["output"]),
            at=int(data["at"]),
            leader=Identity.from_json(data["leader"]),
            main=Identity.from_json(data["main"]) if data["main"] else None,
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        # A damaged memory is no memory: nobody is signalled on its word.
        return None


def _slug(service: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", service.lower())[:40] or "service"
