"""What a process works with: its state folder, its store, its clock and the configuration in force.

Opened once a process, after any fork: SQLite connections must not cross one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from forewatch.clock import Clock, SystemClock
from forewatch.config.reload import Configuration
from forewatch.home import Home
from forewatch.store.engine import Store


@dataclass(frozen=True)
class Runtime:
    home: Home
    store: Store
    clock: Clock
    configuration: Configuration


_current: tuple[int, Runtime] | None = None


def open_runtime(home: Home, clock: Clock | None = None) -> Runtime:
    """A runtime on a state folder whose store is there already (the supervisor migrates it)."""
    store = Store.open(home)
    return Runtime(home, store, clock or SystemClock(), Configuration(store))


def runtime() -> Runtime:
    """This process's runtime, opened on first use from `FOREWATCH_HOME`."""
    global _current
    if _current is None or _current[0] != os.getpid():
        _current = (os.getpid(), open_runtime(Home.from_env()))
    return _current[1]


def use_runtime(value: Runtime) -> None:
    """Let this process work with `value` (tests, the CLI)."""
    global _current
    _current = (os.getpid(), value)
