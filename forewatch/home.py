"""The state folder (`.forewatch/` by default): where every file of a Forewatch lies.

Processes find it by the environment variable `FOREWATCH_HOME`, which the supervisor sets for all it starts.
"""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from forewatch.errors import HomeNotOurs

VARIABLE = "FOREWATCH_HOME"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_private(root: Path) -> None:
    """Take from others what they may do with a folder and all below it. Raises HomeNotOurs where it is not ours."""
    owner = root.stat().st_uid
    if owner != os.geteuid():
        raise HomeNotOurs(
            f"{root} belongs to the user {_name(owner)}, who could change what is in it, and Forewatch runs as "
            f"{_name(os.geteuid())}; run it as {_name(owner)}, or choose another folder with --home"
        )
    _take_from_others(root)
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            _take_from_others(Path(folder, name))


def _take_from_others(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
        # Links have no mode of their own, and what they lead to is not ours to judge.
        if (stat.S_ISDIR(mode) or stat.S_ISREG(mode)) and mode & _OTHERS:
            path.chmod(stat.S_IMODE(mode) & ~_OTHERS)
    except FileNotFoundError:
        return  # those who still run may remove what was there a moment ago


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


@dataclass(frozen=True)
class Home:
    """Paths below one state folder. Nothing is made until `create`."""

    root: Path

    @classmethod
    def from_env(cls) -> Home:
        """The folder `FOREWATCH_HOME` names, else `./.forewatch`."""
        return cls(Path(os.environ.get(VARIABLE, ".forewatch")).resolve())

    def create(self) -> None:
        """Make the folders, and see that nobody but their owner can read them or a file in them.

        Raises HomeNotOurs for a folder of somebody else's, OSError where it cannot be made.
        """
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        make_private(self.root)
        for folder in (self.run, self.logs, self.backups, self.prefect):
            folder.mkdir(mode=0o700, exist_ok=True)

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
