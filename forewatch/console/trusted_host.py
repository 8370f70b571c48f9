"""What stands before every page: a request for another host is refused, unless it brings a token of ours.

The ways in for what others send are let through, for `Admission` asks the same there, once it knows the token that a
path or a body may hold.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from forewatch.console.admission import Admission, RequestRefused

DOORS = (
    "/intake/", "/v2/enqueue", "/v2/change/enqueue", "/api/push/", "/api/v2/", "/-/reload",
    "/ping/",  # of no use without a job's token
)  # fmt: skip


class TrustedHost:
    """The application behind that question."""

    def __init__(self, app: ASGIApp, admission: Admission) -> None:
        self._app = app
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].startswith(DOORS):
            try:
                self._admission.check_page(scope, Headers(scope=scope))
            except RequestRefused as error:
                await PlainTextResponse(f"{error}\n", error.status)(scope, receive, send)
                return
        await self._app(scope, receive, send)
