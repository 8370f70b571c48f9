"""The HTTP application. One router a concern; each reads the store and answers."""

from __future__ import annotations

from fastapi import FastAPI

from forewatch import __version__
from forewatch.console import health, incident_pages, metrics_page, pictures, pings
from forewatch.runtime import Runtime


def make_app(runtime: Runtime) -> FastAPI:
    """The application on a runtime. No interactive docs from a CDN: what we serve is ours."""
    app = FastAPI(title="Forewatch", version=__version__, docs_url=None, redoc_url=None)
    for part in (health, metrics_page, pictures, incident_pages, pings):
        app.include_router(part.router(runtime))
    return app
