"""The shift `page-people`."""

from __future__ import annotations

from prefect import flow

from flows.shifts import stand_scheduled


@flow(name="page-people", flow_run_name="page-people")
async def page_people() -> str:
    """Delivers what is due to people and lets timers run out.

    One run is one watch: it goes on until the next run relieves it. Cancelling it puts a spare on watch.
    """
    return await stand_scheduled("page-people")
