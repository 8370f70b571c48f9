"""Standing a shift, with a flow run or without one.

A scheduled run relieves the holder of the watch and then stands it until it is relieved itself. A stand-in takes a
watch that nobody holds, needing neither a flow run nor the server, and asks Prefect for a run to relieve it as soon
as Prefect answers. Neither leaves before it is relieved.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

from prefect.artifacts import TableArtifact, acreate_table_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.runtime import flow_run as current

from forewatch.clock import from_datetime
from forewatch.orchestration.flow_jobs import AWAY, server_listens
from forewatch.orchestration.watch import BEAT_EVERY, Duty, Watch, relieve, stand_in
from forewatch.runs import parent_link
from forewatch.runtime import Runtime, runtime
from forewatch.store.shifts import Fence
from tasks.shifts.check_health import CheckHealth
from tasks.shifts.collect_metrics import CollectMetrics
from tasks.shifts.page_people import PagePeople

log = logging.getLogger("forewatch.shifts")

PUBLISH_EVERY = 60.0
PUBLISH_TIMEOUT = 10.0
ASK_RELIEF_EVERY = 5.0
RELIEF_PATIENCE = 20.0
"""Seconds a run that was asked for gets to come; it takes two as a rule. Doubled each time none came: where it takes
longer, the machine is busy, and more runs would not make it less so."""
LONGEST_RELIEF_PATIENCE = 300.0
COLLECT_AFTER = (10_000, 20, 20)
"""Thresholds of the garbage collector while a shift stands."""


class ShownDuty(Duty, Protocol):
    """A duty that has a table for people."""

    def rows(self) -> list[dict[str, Any]]: ...


DUTIES: dict[str, Callable[[Runtime, Fence], ShownDuty]] = {
    "check-health": CheckHealth,
    "collect-metrics": CollectMetrics,
    "page-people": PagePeople,
}


async def watch(shift: str, instead_of: str) -> None:
    """Stand in for a holder (see `stand_in`): take the watch as it is and hold it until a flow run relieves it."""
    context = runtime()
    life = asyncio.create_task(_show_life(shift))
    try:
        await asyncio.to_thread(context.configuration.current)
        fence = await stand_in(context, shift, instead_of)
    finally:
        life.cancel()
    if fence is None:
        log.info("%s: another was faster to stand in", shift)
        return
    relief = asyncio.create_task(_ask_for_relief(shift))
    try:
        await _stand(context, fence, DUTIES[shift](context, fence))
    finally:
        relief.cancel()


async def _show_life(shift: str) -> None:
    """While a stand-in prepares: to read a large configuration takes time, and nobody else is sent meanwhile."""
    while True:
        parent_link.tell_beat(shift)
        await asyncio.sleep(BEAT_EVERY)


async def stand_scheduled(shift: str) -> str:
    """The body of a shift's flow: relieve, stand, publish. Returns how the watch ended."""
    context = runtime()
    scheduled_for = from_datetime(current.get_scheduled_start_time() or datetime.now(UTC))
    # Before the watch is ours: whoever has it stands it well meanwhile.
    await asyncio.to_thread(context.configuration.current)
    fence = await relieve(context, shift, scheduled_for)
    if fence is None:
        return "not needed: a run scheduled no earlier has the watch"
    duty = DUTIES[shift](context, fence)
    published: dict[str, UUID] = {}
    publisher = asyncio.create_task(_publish_now_and_then(shift, duty, published))
    try:
        return await _stand(context, fence, duty, flow_run_id=str(current.get_id()))
    finally:
        publisher.cancel()
        await _publish(shift, duty, published)


async def _stand(context: Runtime, fence: Fence, duty: Duty, flow_run_id: str | None = None) -> str:
    # The configuration is as old as the watch: gone through again and again, it would cost each check a quarter more.
    # And little of what a watch makes needs the collector, each full pass of which holds up the loop for 0.1 s.
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    watch = Watch(
        context,
        fence,
        on_beat=lambda: parent_link.tell_beat(fence.shift),
        flow_run_id=flow_run_id,
        stopping=parent_link.asked_to_stop,
    )
    return await watch.stand(duty)


async def _ask_for_relief(shift: str) -> None:
    """Ask Prefect for a run of this shift, which relieves the stand-in as any run would; again where none comes.

    A run that was asked for may be lost: the server can stand still while the run is handed out, and then it counts as
    crashed. Runs that come in vain end by themselves.
    """
    asked = 0
    while True:
        patience = ASK_RELIEF_EVERY
        if await server_listens():
            try:
                async with asyncio.timeout(PUBLISH_TIMEOUT), get_client() as client:
                    deployment = await client.read_deployment_by_name(f"{shift}/{shift}")
                    await client.create_flow_run_from_deployment(deployment.id)
                patience = min(RELIEF_PATIENCE * 2**asked, LONGEST_RELIEF_PATIENCE)
                asked += 1
            except Exception as error:  # noqa: BLE001 - whatever Prefect's trouble is, relief must be asked for again
                level = logging.DEBUG if isinstance(error, AWAY) else logging.WARNING
                log.log(level, "%s: no relief yet: %s", shift, error)
        await asyncio.sleep(patience)


async def _publish_now_and_then(shift: str, duty: ShownDuty, published: dict[str, UUID]) -> None:
    while True:
        await asyncio.sleep(PUBLISH_EVERY)
        await _publish(shift, duty, published)


async def _publish(shift: str, duty: ShownDuty, published: dict[str, UUID]) -> None:
    """The shift's tables as artifacts, by key in `published`; a server that is away costs the picture, not the watch.

    Each is brought up to date from then on: one more every minute would be 60 MB a day that nobody looks at.
    """
    try:
        async with asyncio.timeout(PUBLISH_TIMEOUT):
            if await server_listens():
                more = duty.tables() if isinstance(duty, CollectMetrics) else {}
                for key, rows in {shift: duty.rows(), **more}.items():
                    await _show(key, rows, published)
    except Exception as error:  # noqa: BLE001 - no trouble of a picture may become the watch's
        log.warning("%s: the table was not published: %s", shift, error or type(error).__name__)


async def _show(key: str, rows: list[dict[str, Any]], published: dict[str, UUID]) -> None:
    if (artifact := published.pop(key, None)) is None:
        published[key] = await acreate_table_artifact(table=rows, key=key, description=DESCRIPTIONS[key])
        return
    async with get_client() as client:
        await client.update_artifact(artifact, ArtifactUpdate(data=await TableArtifact(table=rows).aformat()))
    # Only now: of one that is gone, or may be, another is made the next time.
    published[key] = artifact


DESCRIPTIONS = {
    "check-health": "What every check said last.",
    "collect-metrics": "The last sample of this machine and of Forewatch itself.",
    "page-people": "Notifications since this watch began.",
    "anomalies": "What was unusual in the last day, by each series' own history.",
    "objectives": "How objectives stand, and what is left of the error budgets.",
}
