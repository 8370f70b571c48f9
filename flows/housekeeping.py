"""Nightly housekeeping: roll-ups, retention, space given back, integrity, backups.

Each part is a task run of its own, so a person sees which one failed; the others are done all the same.
"""

from __future__ import annotations

from typing import Any

from prefect import Task, flow, task
from prefect.artifacts import acreate_markdown_artifact
from prefect.cache_policies import NO_CACHE

from forewatch.clock import iso
from forewatch.errors import StoreError
from forewatch.runtime import runtime
from forewatch.store import backup, ballast
from forewatch.store import housekeeping as upkeep
from forewatch.store.engine import path_of
from forewatch.store.revisions import REVISIONS
from forewatch.store.slices import Report
from forewatch.units import format_bytes


@flow(name="housekeeping", flow_run_name="housekeeping", persist_result=False)
async def housekeeping() -> str:
    """Keeps the store's files small, sound and backed up. Harmless at any time: shifts go on beside it."""
    began = runtime().clock.now()
    outcomes = {act.name: await _outcome(act) for act in (roll_up, retain, vacuum, check_integrity, back_up)}
    table = "\n".join(
        f"| {name} | {'done' if ok else '**failed**'} | {text} |" for name, (ok, text) in outcomes.items()
    )
    await acreate_markdown_artifact(
        f"# Housekeeping of {iso(began)}\n\n| part | | |\n|---|---|---|\n{table}\n",
        key="housekeeping",
        description="What the last housekeeping did.",
    )
    failed = [f"{name}: {text}" for name, (ok, text) in outcomes.items() if not ok]
    if failed:
        raise StoreError("housekeeping failed in part: " + "; ".join(failed))
    return f"all {len(outcomes)} parts done"


@task(name="roll up", cache_policy=NO_CACHE, persist_result=False)
async def roll_up() -> str:
    """Five-minute and hourly roll-ups of everything that has ended."""
    context = runtime()
    return _told(await context.store.run(upkeep.roll_up, context.store, context.clock.now()))


@task(name="retain", cache_policy=NO_CACHE, persist_result=False)
async def retain() -> str:
    """Delete what is older than `retention` says and matters no more."""
    context = runtime()
    _, config = context.configuration.current()
    now = context.clock.now()
    metrics = await context.store.run(upkeep.retain_metrics, context.store, config.retention, now)
    decisions = await context.store.run(upkeep.retain_decisions, context.store, config.retention, now)
    intake = await context.store.run(upkeep.retain_intake, context.store)
    return f"metrics: {_told(metrics)}; decisions: {_told(decisions)}; intake: {_told(intake)}"


@task(name="vacuum", cache_policy=NO_CACHE, persist_result=False)
async def vacuum() -> str:
    """Give free pages back to the disk, in slices of 100 ms."""
    store = runtime().store
    sizes = []
    for file in REVISIONS:
        await store.run(upkeep.vacuum, store, file)
        path = path_of(store.home, file)
        sizes.append(f"{path.name} {format_bytes(path.stat().st_size)}")
    return ", ".join(sizes)


@task(name="check integrity", cache_policy=NO_CACHE, persist_result=False)
async def check_integrity() -> str:
    """Look through the structure of the files."""
    store = runtime().store
    for file in REVISIONS:
        wrong = await store.run(store.integrity, file)
        if wrong:
            path = path_of(store.home, file)
            raise StoreError(f"{path} is damaged ({wrong[0]}): stop Forewatch and restore it from {store.home.backups}")
    return "all files are sound"


@task(name="back up", cache_policy=NO_CACHE, persist_result=False)
async def back_up() -> str:
    """Copy the files while they are in use, look the copies through, and let go of old ones."""
    context = runtime()
    _, config = context.configuration.current()
    now = context.clock.now()
    made = await context.store.run(backup.make, context.store, now)
    gone = await context.store.run(backup.prune, context.home, config.retention.backups, now)
    held = await context.store.run(ballast.ensure, context.home)
    kept = f"{', '.join(path.name for path in made)} made, {len(gone)} old removed"
    return kept if held else f"{kept}; no room for the ballast file: free some space"


async def _outcome(act: Task[[], Any]) -> tuple[bool, str]:
    """Whether a part went well, and what it has to say."""
    try:
        return True, str(await act())
    except Exception as error:  # noqa: BLE001 the other parts are done all the same; the flow fails with it at the end
        return False, f"{error}"


def _told(report: Report) -> str:
    rows = ", ".join(f"{count:,} {kind}" for kind, count in sorted(report.removed.items())) or "nothing to remove"
    return f"{rows} ({report.slices} transactions, the longest {report.longest * 1000:.0f} ms)"
