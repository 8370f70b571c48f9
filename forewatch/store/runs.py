"""Runs: executions of runbooks; the row of a waiting run is the order to the worker to start it.

waiting ─claim─> claimed ─start─> started ─> acted ─> done | failed; `release` puts one back to waiting.

A run shows life by raising `beat`. Whoever watches compares the counter on its own monotonic clock, so that no wall
clock can make a living run look dead.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields

from sqlalchemy import Connection, and_, bindparam, insert, or_, select, update

from forewatch.errors import TransitionRefused
from forewatch.remedy.run import UNDER_WAY, UNRECORDED, Run, RunKind, RunState
from forewatch.store.schema import runs

_COLUMNS = [runs.c[field.name] for field in fields(Run)]
_BY_ID = select(*_COLUMNS).where(runs.c.id == bindparam("of"))
_OF_INCIDENT = select(*_COLUMNS).where(runs.c.incident_id == bindparam("of")).order_by(runs.c.created_at, runs.c.id)
_COUNTED = (
    select(*_COLUMNS)
    .where(
        or_(
            and_(
                runs.c.remedy == bindparam("of"),
                runs.c.autonomy != "shadow",
                or_(
                    runs.c.started_at >= bindparam("since"),
                    runs.c.acted_at >= bindparam("since"),
                    runs.c.state.in_(UNDER_WAY),
                ),
            ),
            and_(
                runs.c.remedy.is_(None),
                runs.c.service + "/" + runs.c.runbook == bindparam("of"),
                runs.c.state.in_(UNDER_WAY),
            ),
        ),
    )
    .order_by(runs.c.created_at, runs.c.id)
)
# All of them: few runs are under way at once, and a list of services would be another statement each time.
_AT_WORK = (
    select(*_COLUMNS)
    .where(or_(*(runs.c.state == state for state in sorted(UNDER_WAY))), runs.c.remedy.is_not(None))
    .order_by(runs.c.created_at, runs.c.id)
)
_WAITING = select(runs.c.kind).where(runs.c.state == "waiting")
_INSERT = insert(runs)
_REPLACE = update(runs).where(runs.c.id == bindparam("of"), runs.c.state == bindparam("expected"))


def get(conn: Connection, run_id: str) -> Run | None:
    row = conn.execute(_BY_ID, {"of": run_id}).one_or_none()
    return Run(**row._mapping) if row is not None else None


def of_incident(conn: Connection, incident_id: str) -> list[Run]:
    """Oldest first."""
    return [Run(**row._mapping) for row in conn.execute(_OF_INCIDENT, {"of": incident_id})]


def of_flow_run(conn: Connection, flow_run_id: str) -> Run | None:
    """The newest run a flow run has taken or asked for."""
    found = (
        select(*_COLUMNS)
        .where(runs.c.flow_run_id == flow_run_id)
        .order_by(runs.c.created_at.desc(), runs.c.id.desc())
        .limit(1)
    )
    row = conn.execute(found).one_or_none()
    return Run(**row._mapping) if row is not None else None


def listing(conn: Connection, *, states: Collection[RunState] | None = None, limit: int = 50) -> list[Run]:
    """The newest, newest first; of some states where they are given."""
    found = select(*_COLUMNS).order_by(runs.c.created_at.desc(), runs.c.id.desc()).limit(limit)
    if states is not None:
        found = found.where(runs.c.state.in_(states))
    return [Run(**row._mapping) for row in conn.execute(found)]


def counted(conn: Connection, remedy: str, since: int) -> list[Run]:
    """What limits count: runs of a remedy that started or acted at `since` or later, or are under way. Oldest first.

    There is no upper bound, so rows dated in the future by a clock that was set back count. One that started and failed
    counts too: it may have acted before it could say so. Shadow runs do not act and are left out. The same runbook that
    a person has at work on the service is among them: two at once would be in each other's way.
    """
    return [Run(**row._mapping) for row in conn.execute(_COUNTED, {"of": remedy, "since": since})]


def at_work(conn: Connection, services: Collection[str]) -> list[Run]:
    """The runs under way of remedies of some services, oldest first."""
    return [Run(**row._mapping) for row in conn.execute(_AT_WORK) if row.service in services]


def put(conn: Connection, run: Run, expected: str | None = None) -> None:
    """Store a new run (`expected` None), or replace the stored one where it still is in state `expected`.

    Raises TransitionRefused where it is not.
    """
    if expected is None:
        conn.execute(_INSERT, vars(run))
        return
    if not conn.execute(_REPLACE, {**vars(run), "of": run.id, "expected": expected}).rowcount:
        stored = get(conn, run.id)
        found = f"it is {stored.state}" if stored else "there is no such run"
        raise TransitionRefused(f"{run.id} cannot go from {expected} to {run.state}: {found}")


def claim(conn: Connection, worker: str, now: int, limit: int, only: RunKind | None = None) -> list[Run]:
    """Take up to `limit` waiting runs, oldest first, `only` of one kind, each an attempt more."""
    waiting = select(runs.c.id).where(runs.c.state == "waiting").order_by(runs.c.created_at, runs.c.id).limit(limit)
    if only is not None:
        waiting = waiting.where(runs.c.kind == only)
    ids = conn.execute(waiting).scalars().all()
    if not ids:
        return []
    taken = conn.execute(
        update(runs)
        .where(runs.c.id.in_(ids))
        .values(state="claimed", claimed_by=worker, claimed_at=now, attempts=runs.c.attempts + 1)
        .returning(*_COLUMNS)
    )
    claimed = {row.id: Run(**row._mapping) for row in taken}
    return [claimed[id] for id in ids]


def any_waiting(conn: Connection, only: RunKind | None = None) -> bool:
    """Whether `claim` would find one; asked in a read transaction it costs no lock."""
    return any(only in (None, row.kind) for row in conn.execute(_WAITING))


def unrecorded(conn: Connection, limit: int) -> list[Run]:
    """Runs that are over and were carried out while Prefect was away, which has yet to be told; oldest first."""
    found = (
        select(*_COLUMNS)
        .where(runs.c.flow_run_id.startswith(UNRECORDED), runs.c.finished_at.is_not(None))
        .order_by(runs.c.created_at, runs.c.id)
        .limit(limit)
    )
    return [Run(**row._mapping) for row in conn.execute(found)]


def recorded(conn: Connection, run: Run, flow_run_id: str) -> bool:
    """Prefect knows a run by this flow run now. False where it is somebody else's by now."""
    meant = and_(runs.c.id == run.id, runs.c.flow_run_id == run.flow_run_id)
    return bool(conn.execute(update(runs).where(meant).values(flow_run_id=flow_run_id)).rowcount)


def act(conn: Connection, run_id: str, now: int) -> None:
    """Note when a run took its first changing step: limits count from there."""
    conn.execute(update(runs).where(runs.c.id == run_id, runs.c.acted_at.is_(None)).values(acted_at=now))


def beat(conn: Connection, run_id: str, flow_run_id: str | None = None) -> bool:
    """Show life. False if the run is not under way any more, or belongs to another flow run by now: then stop."""
    ours = and_(runs.c.id == run_id, runs.c.state.in_(("started", "acted")))
    if flow_run_id is not None:
        ours = and_(ours, runs.c.flow_run_id == flow_run_id)
    return bool(conn.execute(update(runs).where(ours).values(beat=runs.c.beat + 1)).rowcount)


def under_way(conn: Connection) -> list[tuple[Run, int]]:
    """Runs that a process should be showing life for, each with its beat counter. Oldest first."""
    found = (
        select(*_COLUMNS, runs.c.beat)
        .where(runs.c.state.in_(("claimed", "started")))
        .order_by(runs.c.created_at, runs.c.id)
    )
    return [(Run(*row[:-1]), row[-1]) for row in conn.execute(found)]


def release(
    conn: Connection, run_id: str, expected: str, *, tried: bool = True, flow_run_id: str | None = None
) -> bool:
    """Put a run whose flow run died back to waiting. False if it is not in state `expected` any more, or not
    `flow_run_id`'s where that is given.

    `tried` False: no process ever got it, so the attempt does not count.
    """
    meant = and_(runs.c.id == run_id, runs.c.state == expected)
    if flow_run_id is not None:
        meant = and_(meant, runs.c.flow_run_id == flow_run_id)
    return bool(
        conn.execute(
            update(runs)
            .where(meant)
            .values(state="waiting", claimed_by=None, claimed_at=None, attempts=runs.c.attempts - (0 if tried else 1))
        ).rowcount
    )
