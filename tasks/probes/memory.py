"""What the store remembers of the checks: two points a result, certificates and phases now and then, and a state row a
check."""

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
PHASE = "check.phase.duration"
"""Seconds of one phase of an `http` check, which the label `phase` names: dns, connect, tls, first_byte, transfer."""
CERTIFICATE = "check.certificate.left"
"""Seconds until the certificate a server showed expires; negative once it has."""
CERTIFICATE_EVERY = 600.0
"""Seconds between two points of a certificate: it ages at a rate everybody knows."""
PHASES_EVERY = 60.0
"""Seconds between two looks at a check's phases: they are to explain what its duration shows."""
PHASES_AT_ONCE = 100
"""Checks whose phases are in one batch at most; the others' follow in the next ones."""

Told = dict[series.Key, int]
"""When what is told now and then was told last, in microseconds."""


def write(conn: Connection, results: Sequence[CheckResult], told: Told | None = None) -> None:
    """Store a batch of results: all their points, and the last state of each check.

    `told` is kept by the caller from batch to batch.
    """
    told = {} if told is None else told
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
