"""What the store remembers of the checks: two points a result, certificates and phases now and then, and a state row a
check."""

from __future__ import annotations

import functools
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
PHASE = "check.phase.duration"
"""Seconds of one phase of an `http` check, which the label `phase` names: dns, connect, tls, first_byte, transfer."""
CERTIFICATE = "check.certificate.left"
"""Seconds until the certificate a server showed expires; negative once it has."""
CERTIFICATE_EVERY = 600.0
"""Seconds between two points of a certificate: it ages at a rate everybody knows."""
RESTARTS = "check.unit.restarts"
"""systemd's count of a unit's restarts, as each watch sees it first and whenever it changes."""
PHASES_EVERY = 60.0
"""Seconds between two looks at a check's phases: they are to explain what its duration shows."""
PHASES_AT_ONCE = 100
"""Checks whose phases are in one batch at most; the others' follow in the next ones."""

Told = dict[series.Key, int]
"""When what is told now and then was told last, in microseconds."""
Restarts = dict[CheckKey, str]
"""What was written last of a unit's restarts."""


def write(
    conn: Connection, results: Sequence[CheckResult], told: Told | None = None, restarts: Restarts | None = None
) -> None:
    """Store a batch of results: all their points, and the last state of each check.

    `told` and `restarts` are kept by the caller from batch to batch.
    """
    told = {} if told is None else told
    counted = {} if restarts is None else restarts
    batch: list[points.Row] = []
    last: dict[CheckKey, CheckResult] = {}
    phased = 0
    for one in results:
        key, at, result = one.key, one.at, one.result
        last[key] = one
        if result.late:
            continue  # no verdict: neither a pass nor a failure
        batch.append((_series(UP, key), at, 1.0 if result.ok else 0.0))
        details = result.details
        if not result.untimed:
            duration = _series(DURATION, key)
            batch.append((duration, at, result.duration))
            phases = details.get("phases")
            if phases is not None and phased < PHASES_AT_ONCE and _due(told, duration, at, PHASES_EVERY):
                phased += 1
                batch += [(_phase(name, key), at, took) for name, took in phases.items()]
        left = details.get("certificate_left")
        if left is not None and _due(told, certificate := _series(CERTIFICATE, key), at, CERTIFICATE_EVERY):
            batch.append((certificate, at, float(left)))
        count = details.get("restarts")
        if count is not None and counted.get(one.key) != count:
            batch.append((_series(RESTARTS, key), at, float(count)))
            counted[one.key] = count
    points.write_rows(conn, batch)
    check_states.put_many(conn, [_row(one) for one in last.values()])


def _due(told: Told, key: series.Key, at: int, every: float) -> bool:
    before = told.get(key)
    if before is not None and 0 <= at - before < micros(every):
        return False
    told[key] = at
    return True


@functools.lru_cache(maxsize=65536)
def _series(metric: str, key: CheckKey) -> series.Key:
    return series.key_of(metric, key.labels(), key.service)


@functools.lru_cache(maxsize=65536)
def _phase(phase: str, key: CheckKey) -> series.Key:
    return series.key_of(PHASE, {**key.labels(), "phase": phase}, key.service)


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
