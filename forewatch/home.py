"""The state folder (`.forewatch/` by default): where every file of a Forewatch lies.

Processes find it by the environment variable `FOREWATCH_HOME`, which the supervisor sets for all it starts.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "FOREWATCH_HOME"


@dataclass(frozen=True)
class Home:
    """Paths below one state folder. Nothing is made until `create`."""

    root: Path

    @classmethod
    def from_env(cls) -> Home:
        """The folder `FOREWATCH_HOME` names, else `./.forewatch`."""
        return cls(Path(os.environ.get(VARIABLE, ".forewatch")).resolve())

    def create(self) -> None:
        """Make the folders, readable by their owner alone. Raises OSError where that cannot be."""
        for folder in (self.root, self.run, self.logs, self.backups, self.prefect):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def decisions_db(self) -> Path:
        return self.root / "decisions.db"

    @property
    def metrics_db(self) -> Path:
        return self.root / "metrics.db"

    @property
    def intake_db(self) -> Path:
        return self.root / "intake.db"

    @property
    def ballast(self) -> Path:
        return self.root / "ballast"

    @property
    def run(self) -> Path:
        """Lock, pids, sockets: nothing in it outlives a start."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def started(self) -> Path:
        """What runbooks started: one JSON file a service; it outlives us as the services do."""
        return self.root / "started"

    @property
    def backups(self) -> Path:
        return self.root / "backups"

    @property
    def prefect(self) -> Path:
        """The PREFECT_HOME of everything we start."""
        return self.root / "prefect"

    @property
    def keys(self) -> Path:
        """Made on first start, mode 0600: the Prefect login and encryption key."""
        return self.root / "keys.json"

    @property
    def damage_told(self) -> Path:
        """Whom a start has told that a file is damaged; gone with the first start that goes well."""
        return self.root / "damage-told.json"

    @property
    def settings(self) -> Path:
        """Ports and addresses of the running Forewatch, for the CLI and the other processes."""
        return self.run / "settings.json"
