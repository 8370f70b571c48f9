"""The Prefect server, with less patience for its own SQLite lock: three seconds instead of sixty.

Now and then the server stood still for just a minute, mostly right after its start. Its stacks at such a moment: one
connection's thread is inside SQLite, and the main thread stands in the middle of plain Python code. What fits: the one
waits for the write lock and so holds the mutex of its connection; the other collects garbage, comes upon an old cursor
of that connection, and needs the mutex to close it; the task that has the write lock needs the main thread to go on.
Nobody moves until the wait for the lock is given up.

That wait is the server's `busy_timeout`, which no setting changes. When it ends the server answers 503, and whoever
asked tries again (`retry_at_once.py`).
"""

from __future__ import annotations

from prefect.cli import app

from forewatch.orchestration.prefect_private import wait_for_sqlite

BUSY_TIMEOUT = 3.0
"""Seconds. The slowest answer in 20 healthy starts on a busy machine took 0.8 s; our pings are patient for 5 s."""

if __name__ == "__main__":
    wait_for_sqlite(BUSY_TIMEOUT)
    app()
