"""The HTTP application. One router a concern; each reads the store and answers, or takes in what others send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.exceptions import HTTPException

from forewatch import __version__
from forewatch.console import anomaly_pictures, health, incident_pages, metrics_page, pictures, pings, webhooks
from forewatch.console.admission import Admission
from forewatch.console.alertmanager import api as alertmanager
from forewatch.console.alertmanager.posting import FastPath, Posting
from forewatch.console.described import ANYWHERE, not_allowed
from forewatch.console.own_names import OwnNames
from forewatch.console.public_errors import store_unavailable
from forewatch.console.refusals import Refusals
from forewatch.console.trusted_host import TrustedHost
from forewatch.errors import StoreUnavailable
from forewatch.intake.writer import Writer
from forewatch.orchestration.settings import DEFAULT_PORT, Settings
from forewatch.runtime import Runtime


def make_app(runtime: Runtime) -> FastAPI:
    """The application on a runtime. No interactive docs from a CDN: what we serve is ours."""
    settings = Settings.read(runtime.home)
    writer = Writer(runtime.store, runtime.clock)
    refusals = Refusals(runtime, writer)
    names = OwnNames(runtime, settings.port if settings is not None else DEFAULT_PORT)
    admission = Admission(runtime, names, refusals)
    posting = Posting(admission, writer, runtime)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        writer.start()
        settling = asyncio.create_task(refusals.run())
        yield
        settling.cancel()
        await asyncio.wait([settling])
        await refusals.settle()
        await writer.close()

    app = FastAPI(title="Forewatch", version=__version__, docs_url=None, redoc_url=None, lifespan=lifespan)
    for part in (health, pictures, anomaly_pictures, incident_pages, pings):
        app.include_router(part.router(runtime), responses=ANYWHERE)
    app.include_router(metrics_page.router(runtime, refusals), responses=ANYWHERE)
    app.include_router(webhooks.router(runtime, admission, writer), responses=ANYWHERE)
    app.include_router(alertmanager.router(runtime, admission, posting))
    app.add_middleware(TrustedHost, admission=admission)
    app.add_exception_handler(StoreUnavailable, store_unavailable)
    app.add_exception_handler(HTTPException, not_allowed)
    app.state.posting = posting
    app.state.home = runtime.home
    app.state.refusals = refusals
    return app


def with_fast_path(app: FastAPI) -> FastPath:
    """What a server is to run: the application, and before all of it the way for alerts."""
    return FastPath(app, app.state.posting)
