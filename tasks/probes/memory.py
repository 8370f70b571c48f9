"""What the store remembers of the checks: two points a result, certificates now and then, and a state row a check."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from forewatch.checking.results import CheckKey, CheckResult, CheckState, Monitor
from forewatch.clock import micros
from forewatch.store import check_states, points, series

UP = "check.up"
"""1.0 for a pass, 0.0 for a failure."""
DURATION = "check.duration"
"""Seconds, of passes and failures alike; of none that our own loop was too late to time."""
CERTIFICATE = "check.certificate.left"
"""Seconds until the certificate a server showed expires; negative once it has."""
CERTIFICATE_EVERY = 600.0
"""Seconds between two points of a certificate: it ages at a rate everybody knows."""


def write(conn: Connection, results: Sequence[CheckResult], certificates: dict[CheckKey, int] | None = None) -> None:
    """Store a batch of results: all their points, and the last state of each check.

    `certificates` is kept by the caller from batch to batch: when each check's was written last.
    """
    written = {} if certificates is None else certificates
    batch: list[points.Row] = []
    last: dict[CheckKey, CheckResult] = {}
    for one in results:
        key, at, result = one.key, one.at, one.result
        last[key] = one
        if result.late:
            continue  # no verdict: neither a pass nor a failure
        batch.append((_series(UP, key), at, 1.0 if result.ok else 0.0))
        if not result.untimed:
            batch.append((_series(DURATION, key), at, result.duration))
        left = result.details.get("certificate_left")
        before = written.get(key)
        if left is not None and (before is None or not 0 <= at - before < micros(CERTIFICATE_EVERY)):
            batch.append((_series(CERTIFICATE, key), at, float(left)))
            written[key] = at
    points.write_rows(conn, batch)
    check_states.put_many(conn, [_row(one) for one in last.values()])


@functools.lru_cache(maxsize=65536)
def _series(metric: str, key: CheckKey) -> series.Key:
    return series.key_of(metric, key.labels(), key.service)


def load(conn: Connection) -> dict[CheckKey, CheckState]:
    """The states the watch before left."""
    return {
        CheckKey(*row.key): CheckState(row.status, row.failures, row.successes, row.since, row.at, row.reason)
        for row in check_states.get_all(conn)
    }


def forget_others(conn: Connection, watched: Iterable[Monitor]) -> None:
    """Remove the rows of checks that are no longer configured."""
    keys = {monitor.key for monitor in watched}
    check_states.remove(conn, [row.key for row in check_states.get_all(conn) if row.key not in keys])


def _row(one: CheckResult) -> check_states.CheckState:
    state = one.state
    return check_states.CheckState(
        *one.key,
        status=state.status,
        failures=state.failures,
        successes=state.successes,
        since=state.since,
        at=state.at,
        duration=one.result.duration,
        reason=state.reason,
    )
