"""A new configuration with other routes: who is on them hears of what fires now, once a version."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from forewatch.alerting.rerouting import rerouted
from forewatch.config.models import Config
from forewatch.incidents.events import Event, RoutesChanged
from forewatch.runtime import Runtime
from forewatch.store import alerts
from forewatch.store.shifts import Fence
from tasks.duties.versions import configuration_of, once_a_version

MARK = "routes.version"
"""The newest configuration by whose routes what fired when it came into force has been told."""


async def tell_other_routes(
    runtime: Runtime, fence: Fence, decide: Callable[[Event], Awaitable[object]], version: int, config: Config
) -> None:
    """Have those told to whom this version leads what fires already. Decided twice after a crash in between, which does
    no harm: who was told is not told again."""

    async def tell(before: int) -> None:
        if moved := await asyncio.to_thread(_moved_since, runtime, before, config):
            await decide(RoutesChanged(moved, version, runtime.clock.now()))

    await once_a_version(runtime, fence, MARK, version, tell)


def _moved_since(runtime: Runtime, before: int, config: Config) -> list[str]:
    with runtime.store.read() as conn:
        firing = alerts.all_firing(conn)
    known = configuration_of(runtime, before)
    if known is None:  # any may be told to others
        return [alert.id for alert in firing]
    return rerouted(known, config, firing)
