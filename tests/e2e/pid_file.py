"""A process that a test knows by its pid file, below the folder of the configuration."""

from __future__ import annotations

from pathlib import Path


class WithPidFile:
    name: str
    folder: Path

    @property
    def pidfile(self) -> Path:
        return self.folder / "run" / f"{self.name}.pid"

    @property
    def pid(self) -> int:
        return int(self.pidfile.read_text(encoding="ascii"))
