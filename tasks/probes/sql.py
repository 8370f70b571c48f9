"""The `sql` check: does a database answer a query, and as expected?

Without `expect` any answer passes. `expect.value` is the first column of the first row, `expect.rows` how many rows
there are; a comparison belongs in the query (`SELECT count(*) < 1000 FROM jobs`, `value: true`). The query goes to the
database as it stands: colons, percent signs, backslashes and question marks are the query's own.

Each try has a connection of its own, which never commits, and of SQLite and PostgreSQL may only read. It runs in a
thread of its own, which a database that hangs may keep, and the loop does not wait for. PostgreSQL goes by asyncpg,
which comes with Forewatch; other databases need the driver that their URL names.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, NullPool, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, ResourceClosedError
from sqlalchemy.ext.asyncio import create_async_engine

from forewatch.config.secrets import reveal
from forewatch.guard.redact import redact, remember
from tasks.probes import words
from tasks.probes.attempt import Answer, Attempt, Failing
from tasks.probes.words import spoken

MOST_ROWS = 10_000
"""Rows read at most; who expects more counts them in the query."""
_SHOWN = 80
_OPCODES = 10_000  # of SQLite's machine, between two looks at the clock


async def attempt(a: Attempt) -> Answer:
    target = a.check.sql
    if target is None:
        raise Failing("the check names no database")
    url = _url(a.filled(reveal(target.url)), a.context.folder)
    where = _where(url)
    a.waiting_for = f"answer from {where}"
    # What a driver does to cancel and to hang up may hang as well; the loop waits in any case only this long.
    key = f"{where} for check {id(a.check)} {a.instance.name if a.instance else ''}"
    try:
        rows = await a.context.patience.call(key, lambda: _ask(url, target.query, a.check.timeout), a.check.timeout)
    except TimeoutError:
        if a.elapsed() < a.check.timeout / 2:
            raise Failing(f"{where} has not answered since an earlier try", timed_out=True) from None
        raise
    expect = a.check.expect
    counted = f"{len(rows)}{' or more' if len(rows) == MOST_ROWS else ''} row{'' if len(rows) == 1 else 's'}"
    found = rows[0][0] if rows and rows[0] else None
    details = {"rows": len(rows), "value": _shown(found)}
    if expect.rows is not None and len(rows) != expect.rows:
        raise Failing(f"the query found {counted}, expected {expect.rows}", details)
    if expect.value is not None and not rows:
        raise Failing(f"the query found nothing, expected {_shown(expect.value)}", details)
    if expect.value is not None and not _same(found, expect.value):
        raise Failing(f"the query found {_shown(found)}, expected {_shown(expect.value)}", details)
    return Answer(f"{counted} after {spoken(a.elapsed())}", details)


def _url(written: str, folder: Path) -> URL:
    """Raises Failing, never with the URL in it."""
    remember(written)
    try:
        url = make_url(written)
    except (ArgumentError, ValueError) as error:
        raise Failing("the database's URL is not one (try postgresql://USER@HOST/DATABASE)") from error
    if url.password:
        remember(str(url.password))
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+asyncpg")
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        # A database that is not there is not to be made by looking at it.
        path = folder / url.database
        url = url.set(database=f"file:{quote(str(path))}", query={**url.query, "mode": "ro", "uri": "true"})
    return url


def _where(url: URL) -> str:
    if url.host is None:
        return (url.database or url.get_backend_name()).removeprefix("file:")
    return f"{url.host}:{url.port}" if url.port else url.host


def _ask(url: URL, query: str, timeout: float) -> Sequence[Sequence[Any]]:
    """The rows of a query, in a thread of its own. Raises Failing in the driver's words."""
    try:
        if url.get_dialect().is_async:
            return asyncio.run(_ask_async(url, query, timeout))
        return _ask_sync(url, query, timeout)
    except ResourceClosedError:
        return []  # a statement that gives no rows
    except NoSuchModuleError as error:
        raise Failing(f"could not be checked: no database is called {url.drivername}") from error
    except ModuleNotFoundError as error:
        raise Failing(
            f"could not be checked: {url.drivername} needs the Python package {error.name}, which is not installed"
        ) from error
    except TimeoutError:
        raise
    except OSError as error:
        raise Failing(words.of_os_error(error, url.host or "", url.port or 0)) from error
    except DBAPIError as error:
        raise Failing(_said(error.orig or error)) from error
    except Exception as error:  # each driver has its own, not all of which SQLAlchemy wraps
        raise Failing(_said(error)) from error


async def _ask_async(url: URL, query: str, timeout: float) -> Sequence[Sequence[Any]]:
    engine = create_async_engine(url, poolclass=NullPool, connect_args=_arguments(url, timeout))
    async with asyncio.timeout(timeout):
        try:
            async with engine.connect() as conn:
                return await conn.run_sync(_rows, query)
        finally:
            await engine.dispose()


def _ask_sync(url: URL, query: str, timeout: float) -> Sequence[Sequence[Any]]:
    engine = create_engine(url, poolclass=NullPool, connect_args=_arguments(url, timeout))
    if engine.dialect.name == "sqlite":
        _end_in_time(engine, time.monotonic() + timeout)
    try:
        with engine.connect() as conn:
            return _rows(conn, query)
    finally:
        engine.dispose()


def _rows(conn: Connection, query: str) -> Sequence[Sequence[Any]]:
    _read_only(conn)
    # With parameters, even none of them, some drivers would take a percent sign for a place to put one.
    as_it_stands = conn.execution_options(stream_results=True, no_parameters=True)
    return as_it_stands.exec_driver_sql(query).fetchmany(MOST_ROWS)


def _arguments(url: URL, timeout: float) -> dict[str, Any]:
    if url.drivername == "postgresql+asyncpg":
        return {"timeout": timeout, "command_timeout": timeout, "server_settings": {"application_name": "forewatch"}}
    if url.get_backend_name() == "sqlite":
        return {"timeout": timeout}
    return {}


def _read_only(conn: Connection) -> None:
    """SQLite was opened so; of other databases than PostgreSQL the user must be one who may only read."""
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql("SET TRANSACTION READ ONLY")


def _end_in_time(engine: Any, until: float) -> None:
    """SQLite goes on with a long query in its thread unless it is told to stop."""

    @event.listens_for(engine, "connect")
    def _set_up(raw: Any, _record: object) -> None:
        raw.set_progress_handler(lambda: time.monotonic() > until, _OPCODES)


def _same(found: Any, wanted: Any) -> bool:
    """Numbers by value, all else by what it reads as; SQLite's 1 and 0 are true and false."""
    return bool(found == wanted) or str(found) == str(wanted)


def _shown(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    said = redact(str(value))
    return said if len(said) <= _SHOWN else said[: _SHOWN - 1] + "…"


def _said(error: BaseException) -> str:
    """A driver's first line, without the class names it puts before."""
    lines = str(error).strip().splitlines()
    said = lines[0] if lines else type(error).__name__
    if said.startswith("<class "):
        said = said.partition(">: ")[2] or said
    return redact(f"the database says: {said}")
