"""The shift `check-health`."""

from __future__ import annotations

from prefect import flow

from flows.shifts import stand_scheduled


@flow(name="check-health", flow_run_name="check-health")
async def check_health() -> str:
    """Probes every service at its own beat and decides at once what a change means.

    One run is one watch: it goes on until the next run relieves it. Cancelling it puts a spare on watch.
    """
    return await stand_scheduled("check-health")
