"""What the store remembers of the checks: two points a result, certificates now and then, and a state row a check."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from forewatch.checking.restarts import SPAN
from forewatch.checking.results import CheckKey, CheckResult, CheckState, Monitor
from forewatch.clock import micros, seconds
from forewatch.store import check_states, points, series

UP = "check.up"
"""1.0 for a pass, 0.0 for a failure."""
DURATION = "check.duration"
"""Seconds, of passes and failures alike; of none that our own loop was too late to time."""
CERTIFICATE = "check.certificate.left"
"""Seconds until the certificate a server showed expires; negative once it has."""
CERTIFICATE_EVERY = 600.0
"""Seconds between two points of a certificate: it ages at a rate everybody knows."""
RESTARTS = "check.unit.restarts"
"""systemd's count of a unit's restarts, as each watch sees it first and whenever it changes."""


def write(
    conn: Connection,
    results: Sequence[CheckResult],
    certificates: dict[CheckKey, int] | None = None,
    restarts: dict[CheckKey, str] | None = None,
) -> None:
    """Store a batch of results: all their points, and the last state of each check.

    The caller keeps two things from batch to batch: when each check's certificate was written last, and what was
    written of its unit's restarts.
    """
    written = {} if certificates is None else certificates
    counted = {} if restarts is None else restarts
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
        count = one.result.details.get("restarts")
        if count is not None and counted.get(one.key) != count:
            batch.append(points.Point(RESTARTS, labels, service, one.at, float(count)))
            counted[one.key] = count
    points.write(conn, batch)
    check_states.put_many(conn, [_row(one) for one in last.values()])


def load(conn: Connection) -> dict[CheckKey, CheckState]:
    """The states the watch before left."""
    return {
        CheckKey(*row.key): CheckState(row.status, row.failures, row.successes, row.since, row.at, row.reason)
        for row in check_states.get_all(conn)
    }


def restarted(
    conn: Connection, watched: Iterable[Monitor], now: int
) -> dict[tuple[str, bool], list[tuple[float, int]]]:
    """What earlier watches saw of units' restarts within the hour: by unit, seconds ago (as negative) and count."""
    keys = {monitor.key: monitor.check.systemd for monitor in watched if monitor.check.systemd is not None}
    if not keys:
        return {}
    known = {one.id: CheckKey(**one.labels) for one in series.find(conn, RESTARTS)}
    found = points.window(conn, [number for number, key in known.items() if key in keys], now - micros(SPAN), now)
    seen: dict[tuple[str, bool], list[tuple[float, int]]] = {}
    for number, values in found.items():
        unit = keys[known[number]]
        seen[unit.unit, unit.user] = [(seconds(at - now), int(value)) for at, value in values]
    return seen


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
