"""`/ping/<token>`: where jobs that must call in do so, in the form of healthchecks' ping API.

`HEAD`, `GET` or `POST` to `/ping/<token>`, `/ping/<token>/start`, `/fail`, `/log` or `/<exit code>`; `?rid=<uuid>`
tells overlapping runs apart. A call is on the disk before it is answered with 200.
"""

from __future__ import annotations

import asyncio
import logging
import re
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import PlainTextResponse

from forewatch.checking.heartbeats import (
    Heartbeat,
    Ping,
    certain_a_minute,
    clipped,
    key_of,
    last_words,
    matters,
    receive,
)
from forewatch.config.models import Config
from forewatch.config.secrets import reveal
from forewatch.config.targets import HeartbeatTarget, is_token
from forewatch.errors import SecretError, StoreUnavailable
from forewatch.guard.redact import redact
from forewatch.runtime import Runtime
from forewatch.store import pings

log = logging.getLogger("forewatch.pings")

BODY_LIMIT = 10_000
"""Bytes of a call's body that are kept."""
BODY_READ = 1_000_000
"""Bytes of it that are read at all; who sends more finds the connection closed."""
BODY_PATIENCE = 10.0
"""Seconds a body gets to arrive; what has come by then counts."""

_ACTION = re.compile(r"start|fail|log|[0-9]{1,6}")
_METHODS = ["GET", "HEAD", "POST"]

# Said in the description alone: what is none of these is answered as healthchecks answers it.
_UUID = {"type": "string", "format": "uuid"}
Token = Annotated[str, Path(json_schema_extra=_UUID)]
Action = Annotated[str, Path(json_schema_extra={"pattern": "^(start|fail|log|[0-9]{1,2})$"})]
RunId = Annotated[str | None, Query(json_schema_extra={"anyOf": [_UUID, {"type": "null"}]})]


def router(runtime: Runtime) -> APIRouter:
    routes = APIRouter()
    jobs = _Jobs(runtime)

    async def ping(request: Request, token: Token, rid: RunId = None) -> PlainTextResponse:
        return await answer(request, token, "0", rid)

    async def ping_with_action(request: Request, token: Token, action: Action, rid: RunId = None) -> PlainTextResponse:
        return await answer(request, token, action, rid)

    async def answer(request: Request, token: str, action: str, rid: str | None) -> PlainTextResponse:
        if not is_token(token) or not _ACTION.fullmatch(action) or (action.isdigit() and int(action) > 255):
            return _said(400, "invalid url format")
        if rid is not None and not _is_uuid(rid):
            return _said(400, "invalid uuid format")
        body = redact(await _body(request)) if request.method == "POST" else ""
        call = _ping(action, rid and str(UUID(rid)), last_words(body))
        try:
            status = await runtime.store.run(jobs.take, token, call, body)
        except StoreUnavailable as error:
            log.error("a call cannot be stored: %s", error)
            return _said(503, "the call could not be stored, try again")
        return _said(status, _SAID[status])

    for path, endpoint in (("/ping/{token}", ping), ("/ping/{token}/{action}", ping_with_action)):
        for method in _METHODS:
            # One route a method, each with an id of its own: the API's description wants them apart.
            name = f"{endpoint.__name__}_{method.lower()}"
            routes.add_api_route(
                path,
                endpoint,
                methods=[method],
                operation_id=name,
                response_class=PlainTextResponse,
                responses=_ANSWERS,
            )
        routes.add_api_route(f"{path}/", endpoint, methods=_METHODS, include_in_schema=False)
    return routes


_TEXT = {"text/plain": {"schema": {"type": "string"}}}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The path or `rid` is none of a job's.", "content": _TEXT},
    404: {"description": "No job has this token.", "content": _TEXT},
    429: {"description": "More calls than the job needs.", "content": _TEXT},
    503: {"description": "The call cannot be stored now, try again.", "content": _TEXT},
}
_SAID = {
    200: "OK",
    404: "not found",
    429: "rate limit exceeded: more calls a minute than this job needs",
    503: "the token cannot be looked up at present, try again",
}


def _said(status: int, text: str) -> PlainTextResponse:
    headers = {
        "Ping-Body-Limit": str(BODY_LIMIT),
        "Access-Control-Allow-Origin": "*",
        "Cache-Control": "no-store",
    }
    return PlainTextResponse(text, HTTPStatus(status), headers)


def _ping(action: str, rid: str | None, words: str) -> Ping:
    if action.isdigit():
        return Ping("fail", rid, int(action), words) if int(action) else Ping("success", rid, 0, words)
    return Ping("start" if action == "start" else "fail" if action == "fail" else "log", rid, None, words)


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


async def _body(request: Request) -> str:
    """The body's beginning, as text; the rest is read and thrown away."""
    kept, read = bytearray(), 0
    try:
        async with asyncio.timeout(BODY_PATIENCE):
            async for chunk in request.stream():
                kept += chunk[: BODY_LIMIT - len(kept)]
                read += len(chunk)
                if read > BODY_READ:
                    break
    except TimeoutError:
        log.warning("the body of a call did not arrive within %gs; what came of it is kept", BODY_PATIENCE)
    return kept.decode(errors="replace")


class _Jobs:
    """The jobs of the configuration in force, by token. For the store's thread alone."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._version: int | None = None
        self._known: dict[str, HeartbeatTarget] = {}
        self._unreadable = False

    def take(self, token: str, ping: Ping, body: str) -> int:
        """Store a call; the HTTP status to answer with. Raises StoreUnavailable."""
        key = key_of(token)
        target = self._find(key)
        if target is None:
            return 503 if self._unreadable else 404
        now = self._runtime.clock.now()
        with self._runtime.store.decide() as conn:
            before = clipped(pings.get(conn, key) or Heartbeat(now), now)
            if pings.within_a_minute(conn, key, now) >= certain_a_minute(target) and not matters(
                before, target, ping, now
            ):
                return 429
            after = receive(before, target, ping, now)
            finished = ping.kind in ("success", "fail")
            pings.put(conn, key, after)
            pings.add(conn, key, ping, body, after.duration if finished else None, now)
        return 200

    def _find(self, key: str) -> HeartbeatTarget | None:
        version, config = self._runtime.configuration.current()
        if version != self._version or self._unreadable:
            self._read(config)
            self._version = version
        return self._known.get(key)

    def _read(self, config: Config) -> None:
        self._known, self._unreadable = {}, False
        for service in config.services:
            for check in service.checks:
                if check.heartbeat is None:
                    continue
                try:
                    self._known[key_of(reveal(check.heartbeat.token))] = check.heartbeat
                except SecretError as error:
                    self._unreadable = True
                    log.error("calls for check %s of %s cannot be taken: %s", check.label, service.name, error)
