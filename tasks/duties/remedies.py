"""A new configuration with other remedies: what fires now is asked anew, once a version, whoever has the watch."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from forewatch.config.models import Config
from forewatch.errors import ForewatchError
from forewatch.incidents.events import Event, RemediesChanged
from forewatch.remedy.changed import changed_remedies
from forewatch.replaying import stored_configurations
from forewatch.runtime import Runtime
from forewatch.store import ids
from forewatch.store.shifts import Fence, check_fence

MARK = "remedies.version"
"""The newest configuration whose remedies have been asked for what fired when it came into force."""


async def ask_other_remedies(
    runtime: Runtime, fence: Fence, decide: Callable[[Event], Awaitable[object]], version: int, config: Config
) -> list[str]:
    """Have the remedies asked that this version has changed; the services they are of. Asked twice after a crash in
    between, which does no harm: a remedy under way is not sent again."""

    def asked() -> int:
        with runtime.store.read() as conn:
            return ids.mark(conn, MARK)

    before = await runtime.store.run(asked)
    if before >= version:
        return []
    services = await asyncio.to_thread(_changed_since, runtime, before, config) if before else []
    if services:
        await decide(RemediesChanged(services, version, runtime.clock.now()))

    def mark() -> None:
        with runtime.store.decide() as conn:
            check_fence(conn, fence)
            ids.put_mark(conn, MARK, version)

    await runtime.store.run(mark)
    return services


def _changed_since(runtime: Runtime, before: int, config: Config) -> list[str]:
    try:
        return changed_remedies(stored_configurations(runtime.store)(before), config)
    except ForewatchError:
        # What it was cannot be read any more: any remedy may be another.
        return [service.name for service in config.services if service.remedies]
