"""What `forewatch status` and `forewatch incidents list` show, read with nothing but Python's own SQLite.

SQLAlchemy and the configuration's models take a second to import, and somebody at a terminal would wait for them each
time. So the few questions of these two commands are asked here in plain SQL; a test holds each answer against the
modules of the store that own the tables.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forewatch.store.revisions import REVISIONS

WAIT = 5.0
"""Seconds to wait for a file that another process has locked."""

_INCIDENTS = """
    SELECT id, status, severity, service, title, opened_at,
           (SELECT count(DISTINCT alerts.service) FROM alerts WHERE alerts.incident_id = incidents.id) AS services
      FROM incidents {where} ORDER BY opened_at DESC, id DESC LIMIT ?
"""
_OLDEST_DUE = """
    SELECT min(CASE state WHEN 'claimed' THEN claimed_until ELSE not_before END) FROM outbox
     WHERE (state IN ('held', 'due', 'failed') AND not_before <= :now) OR (state = 'claimed' AND claimed_until <= :now)
"""


@dataclass(frozen=True)
class Shift:
    shift: str
    term: int
    holder: str
    beat: int
    beat_at: int


@dataclass(frozen=True)
class Part:
    """A part of Forewatch itself: `since` is when it came into this state, `at` when it was last reported."""

    name: str
    state: str
    reason: str
    since: int
    at: int


_NEWEST = frozenset(known[-1] for known in REVISIONS.values())


@contextmanager
def looking(path: Path) -> Iterator[sqlite3.Connection]:
    """One consistent view of a file of the store that nothing can be written through.

    Raises sqlite3.Error, also for a file of another version than this code knows.
    """
    conn = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=WAIT, isolation_level=None)
    try:
        conn.row_factory = sqlite3.Row
        conn.execute("PRAGMA query_only=ON")
        conn.execute("BEGIN")
        if conn.execute("SELECT version_num FROM alembic_version").fetchone()[0] not in _NEWEST:
            raise sqlite3.DatabaseError("the file is of another version")
        yield conn
    finally:
        conn.close()


def incidents(conn: sqlite3.Connection, *, open_only: bool, limit: int) -> list[dict[str, Any]]:
    """The newest, newest first, each with how many services it has alerts of."""
    where = "WHERE status <> 'resolved'" if open_only else ""
    return [dict(row) for row in conn.execute(_INCIDENTS.format(where=where), (limit,))]


def shifts(conn: sqlite3.Connection) -> list[Shift]:
    return [Shift(*row) for row in conn.execute("SELECT shift, term, holder, beat, beat_at FROM shifts ORDER BY shift")]


def parts(conn: sqlite3.Connection) -> list[Part]:
    return [Part(*row) for row in conn.execute("SELECT name, state, reason, since, at FROM components ORDER BY name")]


def remedies_off(conn: sqlite3.Connection) -> list[dict[str, Any]]:
    """The remedies of the newest configuration that are wrong, and so not in force."""
    row = conn.execute("SELECT remedies_off FROM config_versions ORDER BY version DESC LIMIT 1").fetchone()
    return list(json.loads(row["remedies_off"])) if row is not None and row["remedies_off"] is not None else []


def configuration_version(conn: sqlite3.Connection) -> int | None:
    """The newest one's number."""
    return _one(conn, "SELECT max(version) FROM config_versions")


def is_on(conn: sqlite3.Connection, switch: str) -> bool:
    """A switch that was never turned is on."""
    found = conn.execute("SELECT state FROM switches WHERE name = ?", (switch,)).fetchone()
    return found is None or found[0] == "on"


def alerts_firing(conn: sqlite3.Connection) -> int:
    return _one(conn, "SELECT count(*) FROM alerts WHERE status = 'firing'") or 0


def runs_under_way(conn: sqlite3.Connection) -> int:
    return _one(conn, "SELECT count(*) FROM runs WHERE state IN ('claimed', 'started')") or 0


def oldest_due(conn: sqlite3.Connection, now: int) -> int | None:
    """Since when the longest waiting notification that could go out has been due; None if none is."""
    found = conn.execute(_OLDEST_DUE, {"now": now}).fetchone()[0]
    return None if found is None else int(found)


def checks(conn: sqlite3.Connection) -> list[dict[str, Any]]:
    """How each check is, of `metrics.db`."""
    return [
        dict(row)
        for row in conn.execute(
            'SELECT service, "check", instance, status, since, reason FROM check_states'
            ' ORDER BY service, "check", instance'
        )
    ]


def _one(conn: sqlite3.Connection, question: str) -> int | None:
    found: int | None = conn.execute(question).fetchone()[0]
    return found
