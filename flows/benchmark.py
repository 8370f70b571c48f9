"""The flow `benchmark`: a load on each service whose turn it is, one at a time, compared with its runs before."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prefect import flow, task
from prefect.artifacts import acreate_markdown_artifact
from prefect.cache_policies import NO_CACHE

from forewatch.config.detection import Benchmark
from forewatch.deciding import decide, wake
from forewatch.errors import ForewatchError
from forewatch.runtime import Runtime, runtime

if TYPE_CHECKING:
    from forewatch.incidents.events import AlertCleared, AlertRaised

log = logging.getLogger("forewatch.benchmark")

BUDGET = 3600.0
"""Seconds after which a run begins no further load; what is left is first in the next one."""


@dataclass(frozen=True)
class Row:
    """What became of one benchmark in this run of the flow."""

    name: str
    outcome: str
    text: str


@flow(name="benchmark", flow_run_name="benchmark")
async def benchmark() -> str:
    """Puts the configured loads on services, one at a time, and says where one has become slower."""
    # Imported here: numpy would weigh on every process forked for other work (preload.py).
    from forewatch.load_tests.benchmarks import due, one_at_a_time, unwatched

    context = runtime()
    _, config = context.configuration.current()
    with one_at_a_time(context.home) as free:
        if not free:
            return "not needed: another load is under way"
        for event in await context.store.run(unwatched, context.store, config, context.clock.now()):
            await _decide(context, event)
        waiting = await context.store.run(due, context.store, config, context.clock.now())
        rows = await run_all(waiting)
    if rows:
        await acreate_markdown_artifact(
            key="benchmark", markdown=_page(rows), description="The load tests of this run, and what they say"
        )
    ran = sum(row.outcome not in ("skipped", "failed") for row in rows)
    return f"{ran} of {len(waiting)} due benchmarks run"


async def run_all(waiting: list[tuple[str, Benchmark]]) -> list[Row]:
    """One after the other, as long as the budget lasts; what has a reason not to run now is skipped, with it."""
    from forewatch.load_tests.benchmarks import why_not

    context = runtime()
    begun, rows = context.clock.monotonic(), []
    for service, one in waiting:
        if context.clock.monotonic() - begun > BUDGET:
            break
        name = f"{service}/{one.name}"
        _, config = context.configuration.current()
        reason = await context.store.run(why_not, context.store, config, service, context.clock.now())
        if reason is not None:
            log.info("%s is skipped: %s", name, reason)
            rows.append(Row(name, "skipped", reason))
            continue
        try:
            rows.append(await put_load(service, one))
        except ForewatchError as error:
            log.warning("%s: %s", name, error)
            rows.append(Row(name, "failed", str(error)))
    return rows


@task(name="load", task_run_name="load {service}/{one.name}", cache_policy=NO_CACHE, persist_result=False)
async def put_load(service: str, one: Benchmark) -> Row:
    """Put one load on, store what came of it, and process what it says."""
    from forewatch.load_tests.benchmarks import load_of, record
    from forewatch.load_tests.runner import run

    context = runtime()
    measured = await run(load_of(one), context.clock)
    _, config = context.configuration.current()
    ran = await context.store.run(record, context.store, config, service, one, measured, context.clock.now())
    if ran.event is not None:
        await _decide(context, ran.event)
    return Row(f"{service}/{one.name}", ran.judgement.state, ran.text)


async def _decide(context: Runtime, event: AlertRaised | AlertCleared) -> None:
    config = context.configuration.current()
    outcome = await context.store.run(decide, context.store, event, config=config, now=context.clock.now)
    wake(context.home, outcome)


def _page(rows: list[Row]) -> str:
    lines = ["| benchmark | | |", "|---|---|---|"]
    lines += [f"| {row.name} | {row.outcome} | {row.text.replace('|', '/')} |" for row in rows]
    return "\n".join(lines)
