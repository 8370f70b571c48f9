"""POST /api/v2/alerts, past the web framework: what a Prometheus in trouble calls most, and must not wait for.

The answer is 200 when the alerts are on the disk. The good alerts of a request are stored even where others are bad;
the answer is 400 then, with everything that is wrong.
"""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from forewatch.console.admission import Admission, RequestRefused, is_json, read_body
from forewatch.console.alertmanager.answers import Refusal, refused, unavailable, wrong_media_type
from forewatch.errors import ForewatchError
from forewatch.intake.posted_alerts import Malformed, check
from forewatch.intake.writer import Writer
from forewatch.runtime import Runtime

PATH = "/api/v2/alerts"
KIND = "alertmanager"
LARGE = 128 << 10
"""Bytes from which on a body is looked through on another thread, so that other senders need not wait."""


class Posting:
    """Takes alerts in. `response` is the whole of it; as a middleware it stands before everything else."""

    def __init__(self, admission: Admission, writer: Writer, runtime: Runtime) -> None:
        self._admission = admission
        self._writer = writer
        self._runtime = runtime

    async def response(self, scope: Scope, receive: Receive) -> Response:
        headers = Headers(scope=scope)
        try:
            source = self._admission.admit(KIND, scope, headers)
            if not is_json(said := headers.get("content-type", "")):
                self._admission.count_wrong_type()
                raise wrong_media_type(said)
            body = await read_body(receive, headers, source.max_body)
            if not body:
                raise Refusal(400, "alerts in body is required", 602)
            now = self._runtime.clock.now()
            checked = await asyncio.to_thread(check, body, now) if len(body) >= LARGE else check(body, now)
            if checked.parts:
                await self._writer.put(source.name, KIND, *checked.parts)
            if checked.problems:
                raise Refusal(400, "; ".join(checked.problems))
        except RequestRefused as error:
            return refused(error)
        except Refusal as error:
            return error.response()
        except Malformed as error:
            return Refusal(400, str(error), 400).response()
        except ForewatchError as error:
            return unavailable(error, self._runtime.home)
        return Response()


class FastPath:
    """The application with `Posting` before it."""

    def __init__(self, app: ASGIApp, posting: Posting) -> None:
        self._app = app
        self._posting = posting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "POST":
            response = await self._posting.response(scope, receive)
            await response(scope, receive, send)
        else:
            await self._app(scope, receive, send)
