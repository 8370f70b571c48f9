"""How a changed configuration comes into force: the supervisor watches the files and stores each good version; all
processes follow the newest version stored."""

from __future__ import annotations

import asyncio
import glob
import logging
import os
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from forewatch.clock import Clock, SystemClock
from forewatch.config.check import check
from forewatch.config.crosscheck_remedies import RunbookJudge
from forewatch.config.defaults import effective
from forewatch.config.files import ConfigFiles, Reading, Sight, read_tree
from forewatch.config.models import Config
from forewatch.config.parsed_cache import keep, parsed
from forewatch.config.runbook_names import runbook_names
from forewatch.errors import ConfigError, NotFound, StoreUnavailable
from forewatch.store import components, config_versions
from forewatch.store.engine import Store

COMPONENT = "configuration"
LOOK_EVERY = 0.5
"""Seconds between two looks at the newest stored version."""

_TRIES = 20
"""Stored versions tried, from the newest back, until one can be parsed."""

_log = logging.getLogger(__name__)


class Configuration:
    """The configuration in force, for one process; any of its threads may ask."""

    def __init__(self, store: Store, clock: Clock | None = None) -> None:
        self._store = store
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._looked_at: float | None = None
        self._newest: int | None = None
        self._good: tuple[int, Config] | None = None
        self.trouble: str | None = None
        """Why the newest stored version is not the one in force here; None while it is."""

    def current(self) -> tuple[int, Config]:
        """(version, configuration with what is implied). Looks into the store at most every `LOOK_EVERY`.

        A version this process cannot parse, or a store that does not answer, leaves the last good one in force; so does
        a new one while it is parsed, for who asks on an event loop: thousands of services take seconds. Raises NotFound
        where none is stored yet; ConfigError or StoreUnavailable where there is no good one at all.
        """
        good = self._good
        if not self._lock.acquire(blocking=good is None or not _on_a_loop()):
            assert good is not None
            return good
        try:
            now = self._clock.monotonic()
            if self._good is None or self._looked_at is None or now - self._looked_at >= LOOK_EVERY:
                self._good = self._look()
                self._looked_at = now
            return self._good
        finally:
            self._lock.release()

    def _look(self) -> tuple[int, Config]:
        try:
            with self._store.read() as conn:
                newest = config_versions.newest_version(conn)
        except StoreUnavailable as error:
            if self._good is None:
                raise
            self._say(f"the configuration cannot be looked up, version {self._good[0]} stays in force: {error}")
            self._newest = None
            return self._good
        if newest is None:
            raise NotFound("no configuration is stored yet; `forewatch up` reads one and stores it")
        if self._good is not None and newest == self._newest:
            return self._good
        if self._good is not None and _on_a_loop():
            threading.Thread(target=self._catch_up, name="parse the configuration", daemon=True).start()
            return self._good
        found = self._parse_newest(newest)
        self._newest = newest
        return found

    def _catch_up(self) -> None:
        with self._lock:
            try:
                self._good = self._look()
            except StoreUnavailable as error:
                self._say(f"the new configuration cannot be read, the last one stays in force: {error}")

    def _parse_newest(self, newest: int) -> tuple[int, Config]:
        """The newest version that can be parsed here: not below the one in force."""
        refused: ConfigError | None = None
        for version in range(newest, max(newest - _TRIES, 0), -1):
            if self._good is not None and version <= self._good[0]:
                found = self._good
                break
            with self._store.read() as conn:
                stored = config_versions.get(conn, version)
            if stored is None:
                continue
            try:
                found = (
                    version,
                    effective(parsed(self._store.home, ConfigFiles.from_json(stored.files), stored.remedies_off)),
                )
                break
            except ConfigError as error:
                refused = refused or error
        else:
            raise refused or NotFound(f"configuration version {newest} is not in the store")
        if refused is None:
            self.trouble = None
        else:
            self._say(f"configuration version {newest} cannot be used here, {found[0]} is in force: {_brief(refused)}")
        return found

    def _say(self, trouble: str) -> None:
        if trouble != self.trouble:
            self.trouble = trouble
            _log.error(trouble)


@dataclass(frozen=True)
class Changed:
    """This version is in force now: new, or again after the files had been broken."""

    version: int


@dataclass(frozen=True)
class Refused:
    """The files changed and are broken: one line a problem. The last good version stays in force."""

    problems: list[str]


class ConfigWatcher:
    """Watches the configuration's files and stores each good version. Belongs to the supervisor.

    A change is looked at when it has stood still from one `poll` to the next, so that a file half written by an editor
    raises no alarm.
    """

    def __init__(self, path: Path, store: Store, clock: Clock, judge: RunbookJudge | None = None) -> None:
        self._path = path
        self._store = store
        self._clock = clock
        self._judge = judge
        self._sight = Sight()
        self._glimpse = Sight()
        self._refused = False
        self.remarks: list[str] = []
        """What is to be said of the configuration in force, a line each: remedies that are off, and warnings."""

    def load_first(self) -> int:
        """Read and store the configuration; returns its version. Raises ConfigError, StoreUnavailable."""
        reading = read_tree(self._path)
        version, _ = self._store_version(reading)
        self._settle(reading, refused=False)
        return version

    def poll(self) -> Changed | Refused | None:
        """What became of a change of the files; None without one. Each broken text is refused once.

        Raises StoreUnavailable where the outcome cannot be stored; the next poll tries again.
        """
        before, self._glimpse = self._glimpse, self._sight.again()
        if self._glimpse == self._sight or self._glimpse != before:
            return None
        reading = read_tree(self._path)
        try:
            version, new = self._store_version(reading)
        except ConfigError as error:
            with self._store.decide() as conn:
                components.report(conn, COMPONENT, "down", f"refused: {_brief(error)}", self._clock.now())
            self._settle(reading, refused=True)
            return Refused(error.problems)
        again = self._refused
        self._settle(reading, refused=False)
        return Changed(version) if new or again else None

    def _settle(self, reading: Reading, *, refused: bool) -> None:
        self._sight = self._glimpse = reading.sight
        self._refused = refused

    def _store_version(self, reading: Reading) -> tuple[int, bool]:
        """(version, whether it is a new one). Raises ConfigError, StoreUnavailable."""
        files = reading.config_files()

        def known(folders: Sequence[str]) -> Collection[str]:
            # A runbook that comes, goes or is mended is a change to look at, as an included file is.
            for folder in folders:
                reading.sight.watch_content(os.path.join(glob.escape(folder), "*.py"))
            return runbook_names(folders)

        found = check(files, known, self._judge)
        if found.config is None:
            raise ConfigError(found.problems)
        keep(self._store.home, files, found.config)
        with self._store.decide() as conn:
            before = config_versions.newest_version(conn)
            version = config_versions.add(conn, files.files, self._clock.now(), found.config.remedies_off)
            components.report(conn, COMPONENT, "ok", f"version {version} is in force", self._clock.now())
        self.remarks = [*map(str, found.config.remedies_off), *found.unneeded, *found.warnings]
        return version, version != before


def _on_a_loop() -> bool:
    """Whether this thread runs an event loop at the moment, which would stand still meanwhile."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _brief(error: ConfigError) -> str:
    more = len(error.problems) - 1
    return error.problems[0] + (f" (and {more} more)" if more else "")
