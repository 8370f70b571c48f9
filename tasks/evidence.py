"""Evidence for people who take over from automation: diagnostics, attached while they are on their way."""

from __future__ import annotations

import asyncio
import logging

from forewatch.errors import StoreError
from forewatch.guard.redact import redact
from forewatch.remedy.run import Run
from forewatch.runtime import Runtime
from forewatch.store import attachments
from tasks.act.records import Records
from tasks.diagnostics import collect

log = logging.getLogger("forewatch.evidence")

PATIENCE = 10.0
"""Seconds the evidence may take; late evidence is not waited for."""


async def attach_diagnostics(runtime: Runtime, run: Run) -> bool:
    """Attach the state of the machine to a run and its incident, redacted. False where that failed, which is logged."""
    try:
        async with asyncio.timeout(PATIENCE):
            texts = await collect(run.service, Records(runtime.home.started))
            await runtime.store.run(_write, runtime, run, texts)
    except (OSError, TimeoutError, StoreError) as error:
        log.warning("no diagnostics are attached to %s: %s", run.incident_id or run.id, error or "it took too long")
        return False
    return True


def _write(runtime: Runtime, run: Run, texts: dict[str, str]) -> None:
    now = runtime.clock.now()
    with runtime.store.decide() as conn:
        for name, text in texts.items():
            attachments.add(conn, name=name, text=redact(text), at=now, incident_id=run.incident_id, run_id=run.id)
