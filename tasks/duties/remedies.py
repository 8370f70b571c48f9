"""A new configuration with other remedies: what fires now is asked anew, once a version, whoever has the watch."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from forewatch.config.models import Config
from forewatch.incidents.events import Event, RemediesChanged
from forewatch.remedy.changed import changed_remedies
from forewatch.runtime import Runtime
from forewatch.store.shifts import Fence
from tasks.duties.versions import configuration_of, once_a_version

MARK = "remedies.version"
"""The newest configuration whose remedies have been asked for what fired when it came into force."""


async def ask_other_remedies(
    runtime: Runtime, fence: Fence, decide: Callable[[Event], Awaitable[object]], version: int, config: Config
) -> None:
    """Have the remedies asked that this version has changed. Asked twice after a crash in between, which does no harm:
    a remedy under way is not sent again."""

    async def ask(before: int) -> None:
        if services := await asyncio.to_thread(_changed_since, runtime, before, config):
            await decide(RemediesChanged(services, version, runtime.clock.now()))

    await once_a_version(runtime, fence, MARK, version, ask)


def _changed_since(runtime: Runtime, before: int, config: Config) -> list[str]:
    known = configuration_of(runtime, before)
    if known is None:  # any remedy may be another
        return [service.name for service in config.services if service.remedies]
    return changed_remedies(known, config)
