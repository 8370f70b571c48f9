"""`/healthz`: 200 while the shifts stand watch and the worker takes runs, else 503 with the reasons."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from forewatch import __version__
from forewatch.console.public_errors import without_paths
from forewatch.errors import StoreUnavailable
from forewatch.orchestration.readiness import assess
from forewatch.runtime import Runtime


def router(runtime: Runtime) -> APIRouter:
    routes = APIRouter()

    @routes.get("/healthz", responses={503: {"description": "Not all of it is up, and what is not."}})
    async def healthz() -> JSONResponse:
        try:
            readiness = await runtime.store.run(assess, runtime)
        except StoreUnavailable as error:
            said = without_paths(error, runtime.home)
            return JSONResponse({"status": "down", "problems": [said], "version": __version__}, 503)
        return JSONResponse(
            {
                "status": "ok" if readiness.ready else "down",
                "standing": list(readiness.standing),
                "problems": [without_paths(problem, runtime.home) for problem in readiness.problems],
                "version": __version__,
            },
            200 if readiness.ready else 503,
        )

    return routes
