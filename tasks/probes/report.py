"""Probing on demand, for `forewatch probe [SERVICE[/CHECK]]`."""

from __future__ import annotations

import asyncio
import difflib
from dataclasses import dataclass
from pathlib import Path

from forewatch.checking.results import Monitor, ProbeResult, monitors
from forewatch.config.models import Config
from forewatch.errors import NotFound
from forewatch.runtime import Runtime
from forewatch.units import format_duration
from tasks.probes import ProbeContext, probe
from tasks.probes.calls import Calls

AT_ONCE = 50
"""Probes under way at the same time: thousands at once would time out on this machine, not on their targets."""


@dataclass(frozen=True)
class Row:
    """One line of the table; `target` is what was probed, with the instance's address filled in."""

    service: str
    check: str
    instance: str
    target: str
    result: ProbeResult


async def probe_now(
    config: Config, target: str | None = None, folder: Path | None = None, runtime: Runtime | None = None
) -> list[Row]:
    """Probe every check that `SERVICE` or `SERVICE/CHECK` names, by default all there are, up to `AT_ONCE` at once.

    Rows stand in the order of the configuration. Nothing is stored, no alert is raised. Raises NotFound naming what
    there is. `folder` defaults to the config's own;
    `runtime` knows the calls of jobs that must call in.
    """
    chosen = _chosen(monitors(config), target)
    where = folder or Path(getattr(config, "folder", None) or ".")
    calls = Calls(runtime.store, runtime.clock, watches=False) if runtime is not None else None
    gate = asyncio.Semaphore(AT_ONCE)
    async with ProbeContext(where, calls) as context:

        async def probed(monitor: Monitor) -> ProbeResult:
            async with gate:
                return await probe(monitor.check, monitor.instance, context)

        results = await asyncio.gather(*map(probed, chosen))
    return [Row(*one.key, _target(one), result) for one, result in zip(chosen, results, strict=True)]


def _chosen(watched: list[Monitor], target: str | None) -> list[Monitor]:
    if target is None:
        return watched
    service, _, check = target.partition("/")
    of_service = [one for one in watched if one.key.service == service]
    if not of_service:
        raise NotFound(f"no service {service} with checks {_instead(service, [one.key.service for one in watched])}")
    chosen = [one for one in of_service if not check or one.key.check == check]
    if not chosen:
        raise NotFound(
            f"service {service} has no check {check} {_instead(check, [one.key.check for one in of_service])}"
        )
    return chosen


def _instead(name: str, known: list[str]) -> str:
    if not known:
        return "(the configuration has no checks)"
    near = difflib.get_close_matches(name, known, n=1)
    return f"(did you mean {near[0]}?)" if near else f"(there are: {', '.join(dict.fromkeys(known))})"


def _target(monitor: Monitor) -> str:
    check = monitor.check
    if check.process is not None:
        named = check.process
        return named.name or named.pidfile or f"port {named.port}"
    if check.systemd is not None:
        return check.systemd.unit
    if check.heartbeat is not None:
        return check.heartbeat.cron or f"every {format_duration(check.heartbeat.period or 0)}"
    if check.sql is not None:
        return check.sql.query
    text = check.http or check.tcp or " ".join(check.command or check.addressed)
    address = monitor.instance.address if monitor.instance else None
    return text.replace("{address}", address) if address else text
