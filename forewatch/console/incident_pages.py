"""An incident's page: where the links in notifications lead. Its story, from stored rows, with links to Prefect."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, HTTPException
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader

from forewatch.clock import iso, seconds
from forewatch.console.described import NOT_FOUND
from forewatch.console.likely_causes import LikelyCauses
from forewatch.incidents.wording import summary
from forewatch.orchestration.settings import Settings
from forewatch.reports.explanation import incident_story
from forewatch.runtime import Runtime
from forewatch.store import attachments, incidents
from forewatch.units import format_duration

CAUSES_SHOWN = 3
"""Likely causes on an incident's page; `forewatch causes` prints more."""


def router(runtime: Runtime) -> APIRouter:
    routes = APIRouter()
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True
    )
    likely = LikelyCauses(runtime)
    templates.filters["iso"] = iso
    templates.filters["summary"] = summary
    templates.filters["clock"] = lambda microseconds: iso(microseconds)[11:-1]
    templates.filters["duration"] = lambda microseconds: format_duration(seconds(microseconds))

    @routes.get("/", response_class=RedirectResponse, status_code=307)
    async def front() -> RedirectResponse:
        return RedirectResponse("/incidents")

    @routes.get("/incidents", response_class=HTMLResponse)
    async def listing() -> HTMLResponse:
        def read() -> str:
            with runtime.store.read() as conn:
                found = incidents.listing(conn, open_only=False, limit=100)
            return templates.get_template("incidents.html").render(incidents=found, prefect_url=_prefect(runtime))

        return HTMLResponse(await runtime.store.run(read))

    @routes.get("/incidents/{incident_id}", response_class=HTMLResponse, responses=NOT_FOUND)
    async def page(incident_id: str) -> HTMLResponse:
        def read() -> str | None:
            with runtime.store.read() as conn:
                story = incident_story(conn, incident_id)
                attached = attachments.of_incident(conn, incident_id)
            if story is None:
                return None
            return templates.get_template("incident.html").render(
                story=story,
                attachments=attached,
                prefect_url=_prefect(runtime),
                ranking=likely.of(incident_id),
                causes_shown=CAUSES_SHOWN,
            )

        rendered = await runtime.store.run(read)
        if rendered is None:
            raise HTTPException(404, f"there is no incident {incident_id}")
        return HTMLResponse(rendered)

    return routes


def _prefect(runtime: Runtime) -> str:
    _, config = runtime.configuration.current()
    settings = Settings.read(runtime.home)
    return config.prefect_url or (settings.prefect_url if settings is not None else "")
