"""The routes of the API. What a client sent is processed before it is shown again, or two seconds have passed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.responses import PlainTextResponse, Response

from forewatch.config.reload import COMPONENT
from forewatch.config.sources import Source
from forewatch.console.admission import Admission, RequestRefused, is_json, read_body
from forewatch.console.alertmanager import reading, shapes, silencing
from forewatch.console.alertmanager.answers import (
    Refusal,
    answer,
    refused,
    unavailable,
    wrong_media_type,
)
from forewatch.console.alertmanager.posting import KIND, PATH, Posting
from forewatch.console.alertmanager.reading import Wanted, matchers_of, receiver_of
from forewatch.console.alertmanager.status import receivers, status
from forewatch.deciding import wake
from forewatch.errors import ForewatchError
from forewatch.runtime import Runtime
from forewatch.store import components, inbox, silences

SETTLE = 2.0
"""Seconds a reader waits at most for what was sent before it asked."""
LOOK_EVERY = 0.02
READERS = 2
"""Answers put together at once; a long list of alerts must not take every thread there is."""

T = TypeVar("T")
Texts = Annotated[list[str], Query()]
_ANSWERS: dict[int | str, dict[str, Any]] = {
    400: {"description": "Bad request", "content": {"application/json": {"schema": {}}}},
    401: {"description": "The token is missing or wrong", "model": shapes.Said},
    403: {
        "description": "Without a token: from another machine, for another host, or of another site's page",
        "model": shapes.Said,
    },
    404: {"description": "Not found, or no source of the kind alertmanager is configured"},
    408: {"description": "The body did not come", "model": shapes.Said},
    413: {"description": "The body is too long", "model": shapes.Said},
    415: {"description": "Not sent as JSON", "model": shapes.Said},
    422: {"description": "A parameter has no such form", "model": shapes.Said},
    429: {"description": "More requests a minute than the source may send", "model": shapes.Said},
    503: {"description": "Nothing can be stored or read now", "model": shapes.Said},
}


def router(runtime: Runtime, admission: Admission, posting: Posting) -> APIRouter:
    routes = APIRouter(tags=["alertmanager"], responses=_ANSWERS)
    threads = ThreadPoolExecutor(READERS, thread_name_prefix="alertmanager")
    started_at = runtime.clock.now()

    async def off_loop(fn: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(threads, fn)

    async def served(request: Request, serve: Callable[[Source], Awaitable[Any]], *, settled: bool = False) -> Response:
        """Admit, wait where that is asked for, and put what goes wrong into Alertmanager's words."""
        try:
            source = admission.admit(KIND, request.scope, request.headers)
            if settled:
                await _settle(runtime, off_loop)
            found = await serve(source)
        except RequestRefused as error:
            return refused(error)
        except Refusal as error:
            return error.response()
        except ForewatchError as error:
            return unavailable(error, runtime.home)
        return found if isinstance(found, Response) else answer(found)

    def alerts_shown(wanted: Wanted, grouped: bool) -> list[dict[str, Any]]:
        now = runtime.clock.now()
        _, config = runtime.configuration.current()
        with runtime.store.read() as conn:
            found = reading.find(conn, config, wanted, now)
        return reading.groups(found, wanted, now) if grouped else [shown.as_json(now) for shown in found]

    @routes.get(PATH, responses={200: {"model": list[shapes.GettableAlert]}})
    async def get_alerts(
        request: Request,
        filter: Texts = [],  # noqa: B006 FastAPI copies it
        active: str = "true",
        silenced: str = "true",
        inhibited: str = "true",
        unprocessed: str = "true",
        receiver: str = "",
        receiver_matchers: Texts = [],  # noqa: B006
    ) -> Response:
        """What fires. Nothing is shown `unprocessed`: an alert is processed before it is shown."""

        async def serve(_: Source) -> list[dict[str, Any]]:
            wanted = _wanted(filter, active, silenced, inhibited, "true", receiver, receiver_matchers)
            return await off_loop(lambda: alerts_shown(wanted, grouped=False))

        return await served(request, serve, settled=True)

    @routes.post(
        PATH,
        response_class=Response,
        openapi_extra={"requestBody": _body({"type": "array", "items": _schema(shapes.PostableAlert)})},
    )
    async def post_alerts(request: Request) -> Response:
        """Take alerts in; answered when they are on the disk."""
        return await posting.response(request.scope, request.receive)

    @routes.get(f"{PATH}/groups", responses={200: {"model": list[shapes.AlertGroup]}})
    async def get_groups(
        request: Request,
        filter: Texts = [],  # noqa: B006
        active: str = "true",
        silenced: str = "true",
        inhibited: str = "true",
        muted: str = "true",
        receiver: str = "",
        receiver_matchers: Texts = [],  # noqa: B006
    ) -> Response:
        """What fires, grouped as people are told of it."""

        async def serve(_: Source) -> list[dict[str, Any]]:
            wanted = _wanted(filter, active, silenced, inhibited, muted, receiver, receiver_matchers)
            return await off_loop(lambda: alerts_shown(wanted, grouped=True))

        return await served(request, serve, settled=True)

    @routes.get("/api/v2/silences", responses={200: {"model": list[shapes.GettableSilence]}})
    async def get_silences(
        request: Request,
        filter: Texts = [],  # noqa: B006
        active: str = "true",
        pending: str = "true",
        expired: str = "true",
    ) -> Response:
        """Silences, expired ones for five days."""

        def find() -> list[dict[str, Any]]:
            asked = {"active": active, "pending": pending, "expired": expired}
            states = {state for state, flag in asked.items() if _yes(flag)}
            with runtime.store.read() as conn:
                return silencing.find(conn, matchers_of(filter), states, runtime.clock.now())

        return await served(request, lambda _: off_loop(find))

    @routes.post(
        "/api/v2/silences",
        responses={200: {"model": shapes.SilenceId}},
        openapi_extra={"requestBody": _body(_schema(shapes.PostableSilence))},
    )
    async def post_silence(request: Request) -> Response:
        """Set a silence, or edit one."""

        async def serve(source: Source) -> dict[str, str]:
            if not is_json(said := request.headers.get("content-type", "")):
                admission.count_wrong_type()
                raise wrong_media_type(said)
            body = await read_body(request.receive, request.headers, source.max_body)
            try:
                written = orjson.loads(body)
            except orjson.JSONDecodeError as error:
                raise Refusal(400, f"parsing silence body failed: {error}", 400) from None
            return await off_loop(lambda: put(written))

        def put(written: Any) -> dict[str, str]:
            silence = silencing.read(written, runtime.clock.now())
            config = runtime.configuration.current()
            with runtime.store.decide() as conn:
                silence_id, outcome = silencing.put(conn, silence, config, runtime.clock.now())
            wake(runtime.home, outcome)
            return {"silenceID": silence_id}

        return await served(request, serve)

    @routes.get("/api/v2/silence/{silence_id}", responses={200: {"model": shapes.GettableSilence}})
    async def get_silence(request: Request, silence_id: str) -> Response:
        def find() -> Response | dict[str, Any]:
            wanted = silencing.checked_id(silence_id)
            with runtime.store.read() as conn:
                silence = silences.get(conn, wanted)
            return Response(status_code=404) if silence is None else silencing.as_json(silence, runtime.clock.now())

        return await served(request, lambda _: off_loop(find))

    @routes.delete(
        "/api/v2/silence/{silence_id}", response_class=Response, responses={200: {"description": "It has ended"}}
    )
    async def delete_silence(request: Request, silence_id: str) -> Response:
        """End a silence now; it stays to be looked at."""

        def expire(source: Source) -> Response:
            wanted = silencing.checked_id(silence_id)
            config = runtime.configuration.current()
            with runtime.store.decide() as conn:
                outcome = silencing.expire(conn, wanted, source.name, config, runtime.clock.now())
            wake(runtime.home, outcome)
            return Response()

        return await served(request, lambda source: off_loop(lambda: expire(source)))

    @routes.get("/api/v2/receivers", responses={200: {"model": list[shapes.Receiver]}})
    async def get_receivers(request: Request, receiver_matchers: Texts = []) -> Response:  # noqa: B006
        """The notifiers."""

        def find() -> list[dict[str, str]]:
            wanted = Wanted(receiver_matchers=matchers_of(receiver_matchers))
            return [{"name": name} for name in receivers(runtime.configuration.current()[1]) if wanted.is_told(name)]

        return await served(request, lambda _: off_loop(find))

    @routes.get("/api/v2/status", responses={200: {"model": shapes.Status}})
    async def get_status(request: Request) -> Response:
        def say() -> dict[str, Any]:
            return status(runtime.configuration.current()[1], started_at)

        return await served(request, lambda _: off_loop(say))

    @routes.post(
        "/-/reload",
        response_class=Response,
        responses={500: {"description": "The changed configuration is broken", "content": {"text/plain": {}}}},
    )
    async def reload(request: Request) -> Response:
        """A changed configuration comes into force by itself; this says whether it did."""

        def look() -> Response:
            with runtime.store.read() as conn:
                part = components.get(conn, COMPONENT)
            if part is not None and part.state == "down":
                return PlainTextResponse(f"failed to reload config: {part.reason}", 500)
            return Response()

        return await served(request, lambda _: off_loop(look))

    for path in ("/-/healthy", "/-/ready"):
        for method in ("GET", "HEAD"):
            name = f"{path[3:]}_{method.lower()}"
            routes.add_api_route(path, _ok, methods=[method], operation_id=name, response_class=PlainTextResponse)
    return routes


async def _ok() -> Response:
    """This process answers."""
    return PlainTextResponse("OK")


async def _settle(runtime: Runtime, off_loop: Callable[[Callable[[], int]], Awaitable[int]]) -> None:
    """Wait until all is processed that was taken in before now, at most SETTLE seconds."""

    def newest() -> int:
        with runtime.store.read_intake() as conn:
            return inbox.newest(conn)

    def decided() -> int:
        with runtime.store.read() as conn:
            return inbox.mark(conn).seq

    wanted = await off_loop(newest)
    for _ in range(round(SETTLE / LOOK_EVERY)):
        if await off_loop(decided) > wanted:
            break
        await asyncio.sleep(LOOK_EVERY)


def _wanted(
    filter: list[str], active: str, silenced: str, inhibited: str, muted: str, receiver: str, of_receivers: list[str]
) -> Wanted:
    return Wanted(
        filter=matchers_of(filter),
        active=_yes(active),
        silenced=_yes(silenced),
        inhibited=_yes(inhibited),
        muted=_yes(muted),
        receiver=receiver_of(receiver),
        receiver_matchers=matchers_of(of_receivers),
    )


def _yes(flag: str) -> bool:
    return flag.lower() in ("true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled")


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    """What it refers to is among the document's components already."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    return schema


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}
