"""The SQLite files behind one door: connections, transactions, upkeep, and what can go wrong with a file.

All SQLite-only SQL of Forewatch is in this module; PostgreSQL can take its place here and nowhere else.

A transaction is opened by us, not by the driver: Python's sqlite3 begins one at the first write only, so a SELECT
before it reads outside the transaction and a stale read gets committed. Here `BEGIN IMMEDIATE` takes the write lock
first, and everything read after it still holds at commit.

`decisions.db` and `intake.db` are synced to disk at every commit. `metrics.db` is not: a power cut may cost its last
second.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import is_dataclass
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.exc import DBAPIError

from forewatch.errors import StoreBusy, StoreError, StoreTooNew, StoreUnavailable
from forewatch.guard.safe_files import create, whole
from forewatch.home import Home
from forewatch.store.quick import quicken
from forewatch.store.revisions import REVISIONS, File

P = ParamSpec("P")
T = TypeVar("T")

BUSY_TIMEOUT = 5.0
"""Seconds a transaction waits for the write lock before it gives up."""

MIGRATION_TIMEOUT = 60.0
"""Seconds a process waits for another one that is migrating the same file."""

_SYNCHRONOUS: dict[File, str] = {"decisions": "FULL", "metrics": "NORMAL", "intake": "FULL"}
_LEVELS = {"OFF": 0, "NORMAL": 1, "FULL": 2}

# Primary result codes of SQLite (sqlite.org/rescode.html) -> what a person is told, and whether waiting can help.
_TROUBLE: dict[int, tuple[str, bool]] = {
    sqlite3.SQLITE_BUSY: (f"another process has held its lock for more than {BUSY_TIMEOUT:g}s; try again", False),
    sqlite3.SQLITE_LOCKED: ("another connection holds its lock; try again", False),
    sqlite3.SQLITE_FULL: ("the disk is full; free some space", False),
    sqlite3.SQLITE_READONLY: ("it cannot be written; make the file and its folder writable for this user", False),
    sqlite3.SQLITE_IOERR: ("the disk reports an error; look at the disk's health and free space", False),
    sqlite3.SQLITE_CANTOPEN: ("it cannot be opened; look at the folder's permissions and free space", False),
    sqlite3.SQLITE_PERM: ("permission denied; make the file and its folder writable for this user", False),
    sqlite3.SQLITE_CORRUPT: ("the file is damaged; restore it from the backups folder", True),
    sqlite3.SQLITE_NOTADB: ("the file is not a database; restore it from the backups folder", True),
}


class Store:
    """The files of one state folder, for one process: open it after any fork.

    Every method raises StoreUnavailable (locked, disk full, read-only, damaged) naming the file, and StoreError where a
    forked child uses its parent's.
    """

    def __init__(self, home: Home) -> None:
        self.home = home
        self._pid = os.getpid()
        self._paths = {file: path_of(home, file) for file in REVISIONS}
        self._engines = {file: make_engine(path, _SYNCHRONOUS[file]) for file, path in self._paths.items()}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")

    @classmethod
    def open(cls, home: Home, *, migrate: bool = False) -> Store:
        """The store of a state folder; with `migrate`, made or brought up to date first (the supervisor does that).

        Raises StoreError where it is missing or outdated, StoreTooNew where a newer Forewatch wrote it.
        """
        store = cls(home)
        try:
            for file in REVISIONS:
                if migrate:
                    store._migrate(file)
                store._check_revision(file)
        except BaseException:
            store.close()
            raise
        return store

    @contextmanager
    def decide(self) -> Iterator[Connection]:
        """A write transaction on `decisions.db`, alone among all processes; commits at the end, or rolls all back."""
        with self._transaction("decisions", "BEGIN IMMEDIATE") as conn:
            yield conn

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view of `decisions.db`. Waits for nobody, and nothing written in it stays."""
        with self._transaction("decisions", "BEGIN") as conn:
            yield conn

    @contextmanager
    def measure(self) -> Iterator[Connection]:
        """A write transaction on `metrics.db`, as `decide` is on `decisions.db`."""
        with self._transaction("metrics", "BEGIN IMMEDIATE") as conn:
            yield conn

    @contextmanager
    def read_metrics(self) -> Iterator[Connection]:
        """One consistent view of `metrics.db`."""
        with self._transaction("metrics", "BEGIN") as conn:
            yield conn

    @contextmanager
    def intake(self) -> Iterator[Connection]:
        """A write transaction on `intake.db`; what it writes is on the disk when it ends. Waits for no decision."""
        with self._transaction("intake", "BEGIN IMMEDIATE") as conn:
            yield conn

    @contextmanager
    def read_intake(self) -> Iterator[Connection]:
        """One consistent view of `intake.db`."""
        with self._transaction("intake", "BEGIN") as conn:
            yield conn

    async def run(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """`fn(*args, **kwargs)` on the store's own thread, one at a time: the event loop never waits for a disk.

        A cancelled caller does not stop `fn`: what it began it commits.
        """
        self._same_process()
        call = partial(contextvars.copy_context().run, partial(fn, *args, **kwargs))
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    def close(self) -> None:
        """Let a running `run` end, then close every connection. Harmless in a forked child."""
        if self._pid == os.getpid():
            self._thread.shutdown(wait=True)
            for engine in self._engines.values():
                engine.dispose()

    def vacuum_slice(self, file: File, seconds: float = 0.1) -> int:
        """Give free pages back to the disk for about `seconds`, in bites so that no writer waits long.

        Returns how many pages are left to free; 0 means done.
        """
        until = time.monotonic() + seconds
        with self._autocommit(file) as conn:
            while True:
                free = int(conn.exec_driver_sql("PRAGMA freelist_count").scalar_one())
                if free == 0 or time.monotonic() >= until:
                    return free
                # The pragma frees one page a row that is fetched, rows without columns that SQLAlchemy does not know.
                raw: Any = conn.connection.driver_connection
                raw.execute("PRAGMA incremental_vacuum(64)").fetchall()

    def integrity(self, file: File) -> list[str]:
        """What SQLite finds wrong with a file's structure; nothing if it is sound. Takes seconds on a large file."""
        with self._autocommit(file) as conn:
            found = [str(row[0]) for row in conn.exec_driver_sql("PRAGMA quick_check")]
        return [] if found == ["ok"] else found

    def backup(self, file: File, target: Path) -> None:
        """A consistent copy of a file while others go on writing; `target` appears only when it is whole."""
        try:
            with whole(target, 0o600) as part:
                self._copy(file, part, target)
                with part.open("rb") as written:
                    os.fsync(written.fileno())
        except OSError as error:
            raise StoreUnavailable(f"{target}: cannot be written: {error.strerror or error}") from error

    def _copy(self, file: File, part: Path, target: Path) -> None:
        with self._autocommit(file) as conn:
            copy = sqlite3.connect(part)
            try:
                source: Any = conn.connection.driver_connection
                source.backup(copy)
                # A lone file, without the -wal and -shm a copy of WAL mode would come with.
                copy.execute("PRAGMA journal_mode=DELETE")
            except sqlite3.Error as error:
                raise explain(error, target) or error from error
            finally:
                copy.close()

    @contextmanager
    def _transaction(self, file: File, begin: str) -> Iterator[Connection]:
        self._same_process()
        with explained(self._paths[file]), self._engines[file].connect() as conn:
            conn = conn.execution_options(begin=begin)
            transaction = conn.begin()
            try:
                yield conn
            except BaseException:
                transaction.rollback()
                raise
            if begin == "BEGIN":
                transaction.rollback()
            else:
                try:
                    transaction.commit()
                except BaseException:
                    # SQLAlchemy counts it as ended and would give the connection back with its write lock held.
                    conn.invalidate()
                    raise

    @contextmanager
    def _autocommit(self, file: File) -> Iterator[Connection]:
        """A connection without a transaction, for upkeep that cannot run in one."""
        self._same_process()
        with explained(path_of(self.home, file)), self._engines[file].connect() as conn:
            yield conn.execution_options(begin="")

    def _same_process(self) -> None:
        if self._pid != os.getpid():
            raise StoreError(
                f"the store in {self.home.root} was opened by process {self._pid} and is used in its fork "
                f"{os.getpid()}: open it after the fork"
            )

    def _migrate(self, file: File) -> None:
        # Alembic is loaded by the one process that migrates, not by every child.
        from forewatch.store.migrate import upgrade

        path = path_of(self.home, file)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"{path.parent}: cannot make the state folder: {error.strerror}") from error
        _make_private_file(path)
        with explained(path), self._engines[file].connect() as conn:
            conn.detach()  # its long time-out must not come back from the pool
            _prepare_file(conn)
            stored = _stored_revision(conn)
            conn.rollback()
            if stored is not None and stored not in REVISIONS[file]:
                raise _too_new(path, stored, REVISIONS[file][-1])
            if stored == REVISIONS[file][-1]:
                return
            with conn.begin():
                upgrade(conn, file)

    def _check_revision(self, file: File) -> None:
        path, known = path_of(self.home, file), REVISIONS[file]
        if not path.exists():
            raise StoreError(f"there is no {path.name} in {self.home.root}: run `forewatch up` once to make it")
        with self._transaction(file, "BEGIN") as conn:
            stored = _stored_revision(conn)
        if stored is None or stored in known[:-1]:
            raise StoreError(
                f"{path} is at revision {stored or 'none'} and this Forewatch needs {known[-1]}: "
                "run `forewatch up` once to bring it up to date"
            )
        if stored not in known:
            raise _too_new(path, stored, known[-1])


def path_of(home: Home, file: File) -> Path:
    paths: dict[File, Path] = {"decisions": home.decisions_db, "metrics": home.metrics_db, "intake": home.intake_db}
    return paths[file]


def make_engine(path: Path, synchronous: str) -> Engine:
    """An engine on one SQLite file that leaves every BEGIN to us. Connects to nothing yet."""
    engine = create_engine(
        f"sqlite+pysqlite:///{path}",
        poolclass=QueuePool,
        pool_size=2,
        max_overflow=8,
        pool_timeout=BUSY_TIMEOUT,
        connect_args={"isolation_level": None, "timeout": BUSY_TIMEOUT, "check_same_thread": False},
        json_serializer=to_json,
    )
    quicken(engine)

    @event.listens_for(engine, "connect")
    def _set_up(raw: sqlite3.Connection, _record: object) -> None:
        raw.execute(f"PRAGMA synchronous={synchronous}")
        # SQLite passes over a pragma it does not know; a promise kept on a disk is worth a look.
        level = raw.execute("PRAGMA synchronous").fetchone()[0]
        if level != _LEVELS[synchronous]:
            raise StoreError(
                f"{path}: SQLite syncs at level {level} and not at {synchronous}; nothing is written to it"
            )
        raw.execute("PRAGMA foreign_keys=ON")
        # After a burst the log shrinks back to this instead of keeping its largest size for ever.
        raw.execute("PRAGMA journal_size_limit=67108864")

    @event.listens_for(engine, "begin")
    def _begin(conn: Connection) -> None:
        begin = conn.get_execution_options().get("begin", "BEGIN")
        if begin:
            conn.exec_driver_sql(begin)

    return engine


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's complaints about a file into StoreUnavailable; any other error passes as it is."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        trouble = explain(error.orig if isinstance(error, DBAPIError) else error, path)
        if trouble is None:
            raise
        raise trouble from error


def explain(error: BaseException | None, path: Path) -> StoreUnavailable | None:
    """The sentence for an error of SQLite's about the file itself; None for one about a statement."""
    extended = getattr(error, "sqlite_errorcode", None)
    if extended is None or (code := extended & 0xFF) not in _TROUBLE:
        return None
    sentence, permanent = _TROUBLE[code]
    kind = StoreBusy if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) else StoreUnavailable
    return kind(f"{path}: {sentence}", permanent=permanent)


def _make_private_file(path: Path) -> None:
    """Where there is no file yet, an empty one for us alone: SQLite would let others read it and what it writes beside
    it. What cannot be made SQLite says itself."""
    try:
        os.close(create(path, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise StoreUnavailable(f"{path}: cannot be made: {error.strerror}") from error


def _prepare_file(conn: Connection) -> None:
    """What a file remembers and must be told outside a transaction; the first of two processes does it for both."""
    conn.execution_options(begin="")
    conn.exec_driver_sql("PRAGMA auto_vacuum=INCREMENTAL")  # heeded only before the first table
    until = time.monotonic() + MIGRATION_TIMEOUT
    while True:
        try:
            conn.exec_driver_sql("PRAGMA journal_mode=WAL")
            break
        except DBAPIError as error:
            # This pragma does not wait for a lock of its own accord.
            busy = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > until:
                raise
            time.sleep(0.05)
    conn.rollback()
    conn.exec_driver_sql(f"PRAGMA busy_timeout={round(MIGRATION_TIMEOUT * 1000)}")
    conn.rollback()
    conn.execution_options(begin="BEGIN IMMEDIATE")


def _stored_revision(conn: Connection) -> str | None:
    """The Alembic revision a file is at; None for a new one."""
    if not conn.dialect.has_table(conn, "alembic_version"):
        return None
    revision = conn.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return None if revision is None else str(revision)


def _too_new(path: Path, stored: str, known: str) -> StoreTooNew:
    return StoreTooNew(
        f"{path} was written by a newer Forewatch (revision {stored}, this one knows up to {known}): "
        "upgrade Forewatch, or restore the file from the backups folder"
    )


def to_json(value: object) -> str:
    """What stands in a JSON column for a value: dataclasses as mappings of their fields."""
    return _JSON.encode(value)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if is_dataclass(value):
        return vars(value)
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} cannot be stored as JSON")


_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_plain)
