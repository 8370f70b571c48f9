"""Where other tools send their alerts in their own words: `/intake/<source>`, PagerDuty's and Uptime Kuma's paths.

The answer that a sender takes for success is given when its events are on the disk, and each refusal has the form the
sender's protocol knows. Of a request with some bad alerts the good ones are stored and the bad ones named.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from forewatch.config.sources import Source
from forewatch.console.admission import Admission, RequestRefused, read_body
from forewatch.console.public_errors import RETRY_AFTER, without_paths
from forewatch.errors import SecretError, StoreUnavailable
from forewatch.home import Home
from forewatch.incidents.events import Event
from forewatch.intake.lanes import parts_of_events
from forewatch.intake.parsers import PARSERS
from forewatch.intake.sources import kuma, pagerduty, sentry
from forewatch.intake.sources.making import Parsed
from forewatch.intake.sources.pagerduty import InvalidEvent
from forewatch.intake.writer import Writer
from forewatch.runtime import Runtime

KINDS = ("alertmanager_webhook", "grafana", "sentry", "json")
"""What may be sent to `/intake/<source>`."""
AT_ONCE = 20
"""Events that are encoded on the event loop itself."""

log = logging.getLogger("forewatch.intake")

_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The body, or some alert in it, is wrong; the good alerts are stored"},
    401: {"description": "The token or the signature is missing or wrong"},
    403: {"description": "Without a token: from another machine, for another host, or of another site's page"},
    404: {"description": "There is no such source"},
    408: {"description": "The body did not come"},
    413: {"description": "The body is too long"},
    415: {"description": "The encoding of the body is not known, or without a token: it was not sent as JSON"},
    429: {"description": "The source sends too much"},
    503: {"description": "Nothing can be stored now; send it again"},
}
_ANY_JSON: dict[str, Any] = {"requestBody": {"content": {"application/json": {"schema": {}}}}}


def router(runtime: Runtime, admission: Admission, writer: Writer) -> APIRouter:
    routes = APIRouter(tags=["intake"])

    @routes.post("/intake/{name}", responses=_REFUSALS, openapi_extra=_ANY_JSON)
    async def intake(name: str, request: Request) -> JSONResponse:
        try:
            source = _named(runtime, name)
            if source.kind == "sentry":
                body = await _signed_body(source, request)
                admission.count(source)
            else:
                admission.admit(source.kind, request.scope, request.headers, name=name)
                body = await read_body(request.receive, request.headers, source.max_body)
            headers = {key.lower(): value for key, value in request.headers.items()}
            parsed = await asyncio.to_thread(PARSERS[source.kind], body, headers, source, runtime.clock.now())
            await _store(writer, source, parsed.events)
        except RequestRefused as error:
            return JSONResponse({"error": str(error)}, error.status, error.headers)
        except StoreUnavailable as error:
            return JSONResponse({"error": without_paths(error, runtime.home)}, 503, RETRY_AFTER)
        except ValueError as error:
            return JSONResponse({"error": str(error), "stored": 0}, 400)
        return _said(parsed)

    @routes.post("/v2/enqueue", status_code=202, responses=_REFUSALS, openapi_extra=_ANY_JSON)
    async def enqueue(request: Request) -> JSONResponse:
        """PagerDuty's Events API v2: alert events."""
        try:
            body = await read_body(request.receive, request.headers, pagerduty.LARGEST)
            message = await asyncio.to_thread(pagerduty.read_event, body)
            source = admission.admit("pagerduty", request.scope, request.headers, token=message.routing_key)
            await _store(writer, source, pagerduty.events_of(message, source, runtime.clock.now()))
        except (RequestRefused, InvalidEvent, StoreUnavailable) as error:
            return _not_enqueued(error, runtime.home)
        return JSONResponse({"status": "success", "message": "Event processed", "dedup_key": message.key}, 202)

    @routes.post("/v2/change/enqueue", status_code=202, responses=_REFUSALS, openapi_extra=_ANY_JSON)
    async def enqueue_change(request: Request) -> JSONResponse:
        """PagerDuty's Events API v2: change events."""
        try:
            body = await read_body(request.receive, request.headers, pagerduty.LARGEST)
            message = await asyncio.to_thread(pagerduty.read_change, body)
            source = admission.admit("pagerduty", request.scope, request.headers, token=message.routing_key)
            await _store(writer, source, [pagerduty.change_of(message, source, runtime.clock.now())])
        except (RequestRefused, InvalidEvent, StoreUnavailable) as error:
            return _not_enqueued(error, runtime.home)
        return JSONResponse({"status": "success", "message": "Change event processed"}, 202)

    up: set[str] = set()
    """Sources whose last push, stored by this process, said up: another one is no news."""

    async def push(token: str, request: Request) -> JSONResponse:
        """Uptime Kuma's push URL."""
        try:
            source = admission.admit("kuma", request.scope, request.headers, token=token)
            query = dict(request.query_params)
            if not (kuma.is_up(query) and source.name in up):
                up.discard(source.name)
                await _store(writer, source, kuma.parse_push(query, source, runtime.clock.now()).events)
                if kuma.is_up(query):
                    up.add(source.name)
        except RequestRefused as error:
            status = 429 if error.status == 429 else 404
            sentence = str(error) if status == 429 else "there is no push source with this token"
            return JSONResponse({"ok": False, "msg": sentence}, status, error.headers if status == 429 else None)
        except StoreUnavailable as error:
            return JSONResponse({"ok": False, "msg": without_paths(error, runtime.home)}, 503, RETRY_AFTER)
        except ValueError as error:
            return JSONResponse({"ok": False, "msg": str(error)}, 400)
        return JSONResponse({"ok": True})

    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"):
        routes.add_api_route(
            "/api/push/{token}",
            push,
            methods=[method],
            responses={status: _REFUSALS[status] for status in (400, 404, 429, 503)},
            operation_id=f"push_{method.lower()}",
        )
    return routes


def _named(runtime: Runtime, name: str) -> Source:
    _, config = runtime.configuration.current()
    source = next((one for one in config.sources if one.name == name), None)
    if source is None or source.kind not in KINDS:
        raise RequestRefused(
            404, f"no source called {name[:63]} takes requests here; `forewatch sources list` shows all"
        )
    return source


async def _signed_body(source: Source, request: Request) -> bytes:
    """The body of a webhook of Sentry's. Its signature is all that Sentry can send to prove who it is."""
    wanted = source.sentry.client_secret if source.sentry is not None else None
    if wanted is None:
        raise RequestRefused(404, f"the source {source.name} takes no webhooks: give its sentry a client_secret")
    body = await read_body(request.receive, request.headers, source.max_body)
    try:
        secret = wanted.reveal()
    except SecretError as error:
        log.error("source %s takes nothing: %s", source.name, error)
        raise RequestRefused(503, f"the source {source.name} cannot check signatures now", RETRY_AFTER) from error
    if not secret or not sentry.signed(body, request.headers, secret):
        raise RequestRefused(401, f"{sentry.SIGNATURE} is not what {source.name}'s client_secret gives for this body")
    return body


async def _store(writer: Writer, source: Source, events: Sequence[Event]) -> None:
    """Returns when the events are on the disk. Raises StoreUnavailable."""
    if events:
        # Ten thousand take a second, in which others want to be answered.
        large = len(events) > AT_ONCE
        parts = await asyncio.to_thread(parts_of_events, events) if large else parts_of_events(events)
        await writer.put(source.name, "events", *parts)


def _said(parsed: Parsed) -> JSONResponse:
    if parsed.refused:
        return JSONResponse({"error": "; ".join(parsed.refused[:20]), "stored": len(parsed.events)}, 400)
    return JSONResponse({"status": "ok", "stored": len(parsed.events)})


def _not_enqueued(error: RequestRefused | InvalidEvent | StoreUnavailable, home: Home) -> JSONResponse:
    """A refusal as PagerDuty words it: 400 is not sent again, 429 and 5xx are."""
    if isinstance(error, StoreUnavailable):
        return JSONResponse({"status": "error", "message": without_paths(error, home)}, 503, RETRY_AFTER)
    if isinstance(error, RequestRefused) and error.status == 429:
        return JSONResponse({"status": "throttle exceeded", "message": str(error)}, 429, error.headers)
    if isinstance(error, RequestRefused) and error.status in (408, 413, 415):
        return JSONResponse(
            {"status": "invalid event", "message": str(error), "errors": [str(error)]}, error.status, error.headers
        )
    errors = error.errors if isinstance(error, InvalidEvent) else [_stranger(error)]
    return JSONResponse({"status": "invalid event", "message": "Event object is invalid", "errors": errors}, 400)


def _stranger(error: RequestRefused) -> str:
    if error.status == 401:
        return "routing_key is not known here; use the token of a source of the kind pagerduty"
    return str(error)
