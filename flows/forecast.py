"""The flow `forecast`: what every series will do, how good its forecasts were so far, and what will be used up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from prefect import flow, task
from prefect.artifacts import acreate_markdown_artifact
from prefect.cache_policies import NO_CACHE

from forewatch.config.models import Config
from forewatch.deciding import decide, wake
from forewatch.detection.band import NotYet
from forewatch.incidents.events import AlertCleared, AlertRaised
from forewatch.notifying.content import Links
from forewatch.runtime import Runtime, runtime

if TYPE_CHECKING:
    from tasks.forecasting.capacity import Watched
    from tasks.forecasting.scores import Changed
    from tasks.forecasting.series import Row

BUDGET = 200.0
"""Seconds a run works at most; what it does not reach is first in the next one."""
KNOWN_BATCH = 200
"""Series forecast with their models while the store's thread is held."""
FIT_BATCH = 20
"""And series fitted."""

# What forecasts is imported late: it weighs 100 MB, and every process forked for other work would carry it
# (preload.py).


@flow(name="forecast", flow_run_name="forecast")
async def forecast() -> str:
    """Forecasts every series as far as its history allows, scores what came due, and warns of what will be used up."""
    from tasks.forecasting.capacity import exhausted
    from tasks.forecasting.counting import settle
    from tasks.forecasting.scores import score_due

    context = runtime()
    store = context.store
    await store.run(settle, store, context.configuration.current()[1].counters, context.clock.now())
    changed = await store.run(score_due, store, context.clock.now())
    watched = await look_at_capacities(context)
    made, left = await forecast_series(exhausted(watched))
    await publish(context, watched, changed, left)
    return f"{made} forecasts made" + (f", {left} left for the next run" if left else "")


async def look_at_capacities(context: Runtime) -> list[Watched]:
    """See when everything that can run out does, and process the alerts that follow from it."""
    from tasks.forecasting.capacity import BATCH, all_watches, events, look_at

    version, config = context.configuration.current()
    store, begun = context.store, context.clock.monotonic()
    every = await store.run(all_watches, store, config)
    found: list[Watched] = []
    for first in range(0, len(every), BATCH):
        if context.clock.monotonic() - begun > BUDGET / 4:
            break
        found += await store.run(look_at, store, every[first : first + BATCH], context.clock.now())
    for event in await store.run(events, store, every, found, context.clock.now()):
        await _decide(context, event, (version, config))
    return found


@task(name="forecast series", cache_policy=NO_CACHE, persist_result=False)
async def forecast_series(used_up: dict[int, int]) -> tuple[int, int]:
    """Forecast batch by batch on the store's thread until done or out of time; how many were made and are left.

    `used_up`: when what runs out is, series -> instant.
    """
    from forewatch.detection.holidays import calendar_of
    from tasks.forecasting.pool import MANY, fit_in_processes
    from tasks.forecasting.series import due, fit_anew, go_on

    context = runtime()
    _, config = context.configuration.current()
    store, begun, now = context.store, context.clock.monotonic(), context.clock.now()
    calendar = calendar_of(config.holidays, now)
    waiting = await store.run(due, store, now)
    anew = [one for one in waiting if one.needs_fit(now)]
    known = [one for one in waiting if not one.needs_fit(now)]
    made = 0
    # What has a model is a matter of seconds, and comes first: a fit that has to wait holds up nobody's forecast.
    for first in range(0, len(known), KNOWN_BATCH):
        batch = known[first : first + KNOWN_BATCH]
        rows, outgrown = await store.run(go_on, store, batch, calendar, used_up, context.clock.now())
        made += _made(rows)
        anew += outgrown
    if len(anew) >= MANY:
        rows, anew = await fit_in_processes(
            context.home, anew, calendar, used_up, context.clock.now(), BUDGET - (context.clock.monotonic() - begun)
        )
        made += _made(rows)
    while anew and context.clock.monotonic() - begun < BUDGET:
        batch, anew = anew[:FIT_BATCH], anew[FIT_BATCH:]
        made += _made(await store.run(fit_anew, store, batch, calendar, used_up, context.clock.now()))
    return made, len(anew)


async def publish(context: Runtime, watched: list[Watched], changed: list[Changed], left: int) -> None:
    """Leave the page behind."""
    from forewatch.reports.upkeep import maintenance_list, markdown
    from tasks.forecasting.page import Report, page
    from tasks.forecasting.report import gathered, trends

    _, config = context.configuration.current()
    now = context.clock.now()
    found = await context.store.run(gathered, context.store, now)
    report = Report(
        found,
        watched,
        changed,
        notes={"Trends": await context.store.run(trends, context.store, found, now)},
        maintenance=markdown(await context.store.run(maintenance_list, context.store, now)),
        left=left,
    )
    await acreate_markdown_artifact(
        key="forecast",
        markdown=page(report, now, Links.of(config, context.home).forewatch),
        description="What every series will do, with 95 % bands, and what will be used up",
    )


def _made(rows: Sequence[Row]) -> int:
    return sum(not isinstance(row.outcome, NotYet) for row in rows)


async def _decide(context: Runtime, event: AlertRaised | AlertCleared, config: tuple[int, Config]) -> None:
    outcome = await context.store.run(decide, context.store, event, config=config, now=context.clock.now)
    wake(context.home, outcome)
