"""The HTTP application. One router a concern; each reads the store and answers, or takes in what others send."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from forewatch import __version__
from forewatch.console import anomaly_pictures, health, incident_pages, metrics_page, pictures, pings, webhooks
from forewatch.console.admission import Admission
from forewatch.console.alertmanager import api as alertmanager
from forewatch.console.alertmanager.posting import FastPath, Posting
from forewatch.intake.writer import Writer
from forewatch.runtime import Runtime


def make_app(runtime: Runtime) -> FastAPI:
    """The application on a runtime. No interactive docs from a CDN: what we serve is ours."""
    admission = Admission(runtime)
    writer = Writer(runtime.store, runtime.clock)
    posting = Posting(admission, writer, runtime.clock)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        writer.start()
        yield
        await writer.close()

    app = FastAPI(title="Forewatch", version=__version__, docs_url=None, redoc_url=None, lifespan=lifespan)
    for part in (health, metrics_page, pictures, anomaly_pictures, incident_pages, pings):
        app.include_router(part.router(runtime))
    app.include_router(webhooks.router(runtime, admission, writer))
    app.include_router(alertmanager.router(runtime, admission, posting))
    app.state.posting = posting
    return app


def with_fast_path(app: FastAPI) -> FastPath:
    """What a server is to run: the application, and before all of it the way for alerts."""
    return FastPath(app, app.state.posting)
