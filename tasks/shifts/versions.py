"""A new configuration comes into force: what fires already is told by its routes and asked of its remedies, once a
version, whoever has the watch."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from forewatch.alerting.route_change import rerouted
from forewatch.config.models import Config
from forewatch.errors import ForewatchError
from forewatch.incidents.events import Event, RemediesChanged, RoutesChanged
from forewatch.remedy.changed import changed_remedies
from forewatch.runtime import Runtime
from forewatch.store import alerts, config_versions, ids
from forewatch.store.shifts import Fence, check_fence
from forewatch.trials.replay.replay import stored_configurations

MARK = "remedies.version"
"""The newest configuration that was settled with what fired when it came into force. Named so when that was all."""

Decide = Callable[[Event], Awaitable[object]]


async def settle(runtime: Runtime, fence: Fence, decide: Decide, version: int, config: Config) -> None:
    """Decide upon what a version changes for what fires, if it is newer than the one that was settled last. The first
    of all changes nothing; where none was settled yet and there was one before, what fires goes by that.

    Decided twice after a crash in between, which does no harm: who was told is not told again, and a remedy under way
    is not sent again.
    """

    def settled() -> int:
        with runtime.store.read() as conn:
            return ids.mark(conn, MARK) or config_versions.before(conn, version) or 0

    def note() -> None:
        with runtime.store.decide() as conn:
            check_fence(conn, fence)
            ids.put_mark(conn, MARK, version)

    before = await runtime.store.run(settled)
    if before >= version:
        return
    if before:
        # In a thread: thousands of services take seconds to read.
        known = await asyncio.to_thread(_configuration, runtime, before)
        if moved := await runtime.store.run(_moved, runtime, known, config):
            await decide(RoutesChanged(moved, version, runtime.clock.now()))
        if services := _with_other_remedies(known, config):
            await decide(RemediesChanged(services, version, runtime.clock.now()))
    await runtime.store.run(note)


def _configuration(runtime: Runtime, version: int) -> Config | None:
    """The configuration of a version; None where it cannot be read any more."""
    try:
        return stored_configurations(runtime.store)(version)
    except ForewatchError:
        return None


def _moved(runtime: Runtime, known: Config | None, config: Config) -> list[str]:
    """What fires that `config` leads to others than `known`."""
    with runtime.store.read() as conn:
        firing = alerts.all_firing(conn)
    return rerouted(known, config, firing) if known is not None else [alert.id for alert in firing]


def _with_other_remedies(known: Config | None, config: Config) -> list[str]:
    if known is None:
        return [service.name for service in config.services if service.remedies]
    return changed_remedies(known, config)
