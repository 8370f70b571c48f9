"""Runs of load tests: what was measured, with which load, and what was said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from forewatch.store.schema import benchmark_runs

c = benchmark_runs.c


@dataclass(frozen=True)
class BenchmarkRun:
    """One run of a service's benchmark."""

    service: str
    benchmark: str
    at: int
    """When it began."""
    load: Mapping[str, Any]
    """What was sent: runs of another load are not compared with."""
    measured: Mapping[str, Any]
    """As `Measured.as_json` writes it, with a histogram that can be merged and a median for each second."""
    judgement: Mapping[str, Any]
    """`state` and `reason`; `since`, while it is slower; `base`: runs before then are no longer compared with."""
    id: int | None = None


def add(conn: Connection, run: BenchmarkRun) -> int:
    """Store a run; returns its number."""
    result = {"load": run.load, "measured": run.measured, "judgement": run.judgement}
    row = {"service": run.service, "benchmark": run.benchmark, "at": run.at, "result": result}
    return int(conn.execute(insert(benchmark_runs).values(row).returning(c.id)).scalar_one())


def newest(conn: Connection, service: str, benchmark: str, limit: int) -> list[BenchmarkRun]:
    """The last runs, oldest first."""
    of = select(benchmark_runs).where(c.service == service, c.benchmark == benchmark)
    return [_run(row) for row in conn.execute(of.order_by(c.at.desc(), c.id.desc()).limit(limit))][::-1]


def last_at(conn: Connection) -> dict[tuple[str, str], int]:
    """When each benchmark ran last, by service and name."""
    found = select(c.service, c.benchmark, func.max(c.at)).group_by(c.service, c.benchmark)
    return {(service, benchmark): at for service, benchmark, at in conn.execute(found)}


def judge(conn: Connection, number: int, judgement: Mapping[str, Any]) -> None:
    """Say something else of a run."""
    row = conn.execute(select(benchmark_runs).where(c.id == number)).one()
    result = {**row.result, "judgement": judgement}
    conn.execute(update(benchmark_runs).where(c.id == number).values(result=result))


def remove_before(conn: Connection, before: int, most: int) -> int:
    """Delete some of the runs that began before an instant; how many."""
    some = select(c.id).where(c.at < before).limit(most).scalar_subquery()
    return conn.execute(delete(benchmark_runs).where(c.id.in_(some))).rowcount


def _run(row: Row[Any]) -> BenchmarkRun:
    return BenchmarkRun(row.service, row.benchmark, row.at, **row.result, id=row.id)
