"""What is to be done once for each version of the configuration, whoever has the watch when it comes into force."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from forewatch.config.models import Config
from forewatch.errors import ForewatchError
from forewatch.replaying import stored_configurations
from forewatch.runtime import Runtime
from forewatch.store import ids
from forewatch.store.shifts import Fence, check_fence


async def once_a_version(
    runtime: Runtime, fence: Fence, mark: str, version: int, act: Callable[[int], Awaitable[None]]
) -> None:
    """`act` upon the version for which it was done last, where a later one is in force, and note that under `mark`.
    After a crash in between it is done twice. The first version of all is nobody's change."""

    def noted() -> int:
        with runtime.store.read() as conn:
            return ids.mark(conn, mark)

    def note() -> None:
        with runtime.store.decide() as conn:
            check_fence(conn, fence)
            ids.put_mark(conn, mark, version)

    before = await runtime.store.run(noted)
    if before >= version:
        return
    if before:
        await act(before)
    await runtime.store.run(note)


def configuration_of(runtime: Runtime, version: int) -> Config | None:
    """The configuration of a version; None where it cannot be read any more."""
    try:
        return stored_configurations(runtime.store)(version)
    except ForewatchError:
        return None
