"""What the store remembers of the checks: two points a result, certificates now and then, and a state row a check."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from forewatch.checking.results import CheckKey, CheckResult, CheckState, Monitor
from forewatch.clock import micros
from forewatch.store import check_states, points

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
    batch: list[points.Point] = []
    last: dict[CheckKey, CheckResult] = {}
    for one in results:
        last[one.key] = one
        if one.result.late:
            continue  # no verdict: neither a pass nor a failure
        labels, service = one.key.labels(), one.key.service
        batch.append(points.Point(UP, labels, service, one.at, 1.0 if one.result.ok else 0.0))
        if not one.result.untimed:
            batch.append(points.Point(DURATION, labels, service, one.at, one.result.duration))
        left = one.result.details.get("certificate_left")
        before = written.get(one.key)
        if left is not None and (before is None or not 0 <= one.at - before < micros(CERTIFICATE_EVERY)):
            batch.append(points.Point(CERTIFICATE, labels, service, one.at, float(left)))
            written[one.key] = one.at
    points.write(conn, batch)
    check_states.put_many(conn, [_row(one) for one in last.values()])


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
