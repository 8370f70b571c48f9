"""The shift `collect-metrics`."""

from __future__ import annotations

from prefect import flow

from flows.shifts import stand_scheduled


@flow(name="collect-metrics", flow_run_name="collect-metrics")
async def collect_metrics() -> str:
    """Samples this machine and Forewatch itself, stores the points and evaluates the rules.

    One run is one watch: it goes on until the next run relieves it. Cancelling it puts a spare on watch.
    """
    return await stand_scheduled("collect-metrics")
