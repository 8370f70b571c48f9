"""The real store on SQLite in memory, with a yield point before, in and after every transaction.

A process may be killed before any statement, before a commit, or after it and before it hears of it; what it had begun
is rolled back then, as SQLite does after `kill -9`. Transactions are serial in production too, so switching between
processes only outside of them leaves nothing out.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from deterministic_loop import PROCESS
from history_plan import ROLES
from sqlalchemy import Connection, Engine, event

from forewatch.errors import StoreUnavailable, TransitionRefused
from forewatch.home import Home
from forewatch.store import schema, silences
from forewatch.store.engine import Store, make_engine, path_of
from forewatch.store.revisions import REVISIONS, File

if TYPE_CHECKING:
    from simulated_world import World

P = ParamSpec("P")
T = TypeVar("T")

HOME = Home(Path("/nonexistent/forewatch"))


class Killed(BaseException):
    """The process that works is no more."""


@cache
def engines() -> dict[File, Engine]:
    """One for all histories: what is compiled for it is compiled once."""
    made = {file: make_engine(Path(f"{_address(file)}&uri=true"), "OFF") for file in REVISIONS}
    for file, engine in made.items():
        _keepers()[file]  # first, for the files are gone with the last connection
        event.listen(engine, "before_cursor_execute", _before_statement)
        event.listen(engine, "commit", _before_commit)
        with engine.begin() as conn:
            getattr(schema, file).create_all(conn)
    return made


def _address(file: File) -> str:
    return f"file:simulated-{file}?mode=memory&cache=shared"


@cache
def _keepers() -> dict[File, sqlite3.Connection]:
    """A connection to each file that no code under test knows of: SQLAlchemy closes those in which something broke."""
    return {file: sqlite3.connect(_address(file), uri=True, isolation_level=None) for file in REVISIONS}


@cache
def _empty() -> dict[File, sqlite3.Connection]:
    engines()
    copies = {}
    for file, keeper in _keepers().items():
        copies[file] = sqlite3.connect(":memory:")
        keeper.backup(copies[file])
    return copies


def peek(question: str, file: File = "decisions") -> Any:
    """What a look into a file would give, without any of the code that is simulated."""
    answer = _keepers()[file].execute(question).fetchone()
    return answer[0] if answer is not None else None


def is_stored(notification_id: str) -> bool:
    """Whether a notification is in the outbox, committed."""
    try:
        return peek(f"SELECT 1 FROM outbox WHERE id = '{notification_id}'") == 1
    except sqlite3.OperationalError:
        return False  # the table is locked by a transaction that is not over


_worlds: list[World] = []


def current_world() -> World:
    """The world that lives now."""
    return _worlds[-1]


def _before_statement(
    conn: Connection, cursor: object, statement: str, parameters: Any, context: object, executemany: bool
) -> None:
    if _worlds:
        _worlds[-1].in_transaction(statement, parameters)


def _before_commit(conn: Connection) -> None:
    if _worlds:
        _worlds[-1].in_transaction("COMMIT", None)


@contextmanager
def fresh(world: World) -> Iterator[None]:
    """Empty files for one world, which hears of every statement."""
    empty = _empty()
    for engine in engines().values():
        engine.dispose()
    silences._index.clear()  # of another store at the same address
    for file, keeper in _keepers().items():
        empty[file].backup(keeper)
    _worlds.append(world)
    try:
        yield
    finally:
        _worlds.pop()


class SimulatedStore(Store):
    """For all processes of one world; `run` knows by its context which of them works."""

    def __init__(self, world: World) -> None:
        self.home = HOME
        self._world = world
        self._pid = os.getpid()
        self._paths = {file: path_of(HOME, file) for file in REVISIONS}
        self._engines = engines()

    async def run(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        process = PROCESS.get()
        await self._world.yields(fn)
        try:
            result = fn(*args, **kwargs)
        except Killed:
            if process is not None:
                process.alive = False
            for engine in engines().values():
                engine.dispose()  # its connections are gone with it, and SQLite undoes what they had begun
            await asyncio.Future()  # nobody goes on from here
            raise
        except TransitionRefused as error:
            if process is not None and process.name in ROLES:  # nobody asked for this step: it is our own mistake
                self._world.unexpected.append(f"{process}: {error}")
            raise
        await self._world.yields(fn)
        return result

    @contextmanager
    def decide(self) -> Iterator[Connection]:
        if self._world.disks_full:
            raise StoreUnavailable("decisions.db: the disk is full; free some space")
        with super().decide() as conn:
            yield conn

    def close(self) -> None:
        pass
