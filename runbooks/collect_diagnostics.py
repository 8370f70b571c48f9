"""Collect what a person would look at first, and attach it to the incident."""

from __future__ import annotations

from forewatch.guard.redact import redact
from forewatch.runbook import attach, current_run, runbook, step
from tasks.act.records import Records
from tasks.diagnostics import collect


@step(changes=False, timeout=30)
async def look_at_machine(service: str | None) -> dict[str, str]:
    """Take top processes, sockets, disks, memory, load and the service's recent output."""
    texts = await collect(service, Records(current_run().runtime.home.started))
    # Command lines and logs hold secrets, and a step's result is kept in its receipt.
    return {name: redact(text) for name, text in texts.items()}


@runbook(title="Collect diagnostics", timeout=60)
async def collect_diagnostics(service: str | None = None) -> str:
    """Attach top processes, sockets, disks, memory, load and a service's recent output. Changes nothing.

    Args:
        service: The service whose output is taken too; default the run's own.
    """
    texts = await look_at_machine(service or current_run().service)
    for name, text in texts.items():
        await attach(name, text)
    return f"attached {', '.join(texts)}"
