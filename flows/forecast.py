"""The flow `forecast`: the next hour of every series, how well the last ones came true, and which disk will be full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from prefect import flow, task
from prefect.artifacts import acreate_markdown_artifact
from prefect.cache_policies import NO_CACHE

from forewatch.clock import seconds
from forewatch.config.models import Config
from forewatch.deciding import decide, wake
from forewatch.detection.band import NotYet
from forewatch.detection.quantity import show, unit_of
from forewatch.incidents.events import AlertCleared, AlertRaised
from forewatch.notifying.content import Links
from forewatch.runtime import Runtime, runtime
from forewatch.units import format_duration

if TYPE_CHECKING:
    from tasks.forecast_series import Row

BUDGET = 200.0
"""Seconds a run works at most; what it does not reach is first in the next one."""
BATCH = 20
ROWS_SHOWN = 300


@flow(name="forecast", flow_run_name="forecast")
async def forecast() -> str:
    """Forecasts every series an hour ahead, scores the forecasts that came due and warns of disks that will be full."""
    # Imported here: statsmodels weighs 120 MB, and every process forked for other work would carry it (preload.py).
    from tasks.forecast_series import disk_events

    context = runtime()
    version, config = context.configuration.current()
    rows = await forecast_series()
    for event in await context.store.run(disk_events, context.store, rows, context.clock.now()):
        await _decide(context, event, (version, config))
    await acreate_markdown_artifact(
        key="forecast",
        markdown=_page(rows, context.clock.now(), Links.of(config, context.home).forewatch),
        description="Every series an hour ahead, with its 95 % band",
    )
    made = sum(not isinstance(row.outcome, NotYet) for row in rows)
    return f"{made} of {len(rows)} series forecast"


@task(name="forecast series", cache_policy=NO_CACHE, persist_result=False)
async def forecast_series() -> list[Row]:
    """Score, then forecast batch by batch on the store's thread until done or out of time."""
    from tasks.forecast_series import due, forecast_batch, score_due

    context = runtime()
    store, begun = context.store, context.clock.monotonic()
    coverage = await store.run(score_due, store, context.clock.now())
    waiting = await store.run(due, store, context.clock.now())
    rows: list[Row] = []
    for first in range(0, len(waiting), BATCH):
        if context.clock.monotonic() - begun > BUDGET:
            break
        batch = waiting[first : first + BATCH]
        rows += await store.run(forecast_batch, store, batch, coverage, context.clock.now())
    return rows


async def _decide(context: Runtime, event: AlertRaised | AlertCleared, config: tuple[int, Config]) -> None:
    outcome = await context.store.run(decide, context.store, event, config=config, now=context.clock.now())
    wake(context.home, outcome)


def _page(rows: Sequence[Row], now: int, address: str) -> str:
    """A markdown table; disks that fill first, then series with a forecast, then those that have none yet, by name."""
    rank = sorted(rows, key=lambda row: (row.full is None, isinstance(row.outcome, NotYet), _name(row)))
    lines = [
        "| series | now | in an hour | 95 % band | model | coverage | full in | picture |",
        "|---|---|---|---|---|---|---|---|",
        *(_line(row, now, address) for row in rank[:ROWS_SHOWN]),
    ]
    if len(rank) > ROWS_SHOWN:
        lines.append(f"\n{len(rank) - ROWS_SHOWN} more are forecast, but not shown here.")
    return "\n".join(lines) if rank else "No series was due."


def _line(row: Row, now: int, address: str) -> str:
    unit = unit_of(row.series.metric)
    value = "-" if row.value is None else show(row.value, unit)
    coverage = "-" if row.coverage is None else show(row.coverage, "ratio")
    full = "-" if row.full is None else format_duration(max(0.0, seconds(row.full.at - now)))
    picture = f"[picture]({address}/pictures/forecast/{row.series.id}.svg)"
    if isinstance(row.outcome, NotYet):
        cells = [_name(row), value, "-", "-", f"not yet: {row.outcome.reason}", coverage, full, picture]
    else:
        made = row.outcome
        band = f"{show(made.lower[-1], unit)} to {show(made.upper[-1], unit)}"
        cells = [_name(row), value, show(made.mean[-1], unit), band, made.model, coverage, full, picture]
    return "| " + " | ".join(cells) + " |"


def _name(row: Row) -> str:
    labels = ", ".join(f"{name}={value}" for name, value in sorted(row.series.labels.items()))
    return f"{row.series.metric} {{{labels}}}".replace("|", "\\|")
