"""What the API's description says of answers that several routes give, and which methods a path takes."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import Response
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.routing import compile_path

_DETAIL = {"type": "object", "properties": {"detail": {"type": "string"}}, "required": ["detail"]}
NOT_FOUND: dict[int | str, dict[str, Any]] = {
    404: {"description": "There is no such thing.", "content": {"application/json": {"schema": _DETAIL}}}
}
ANYWHERE: dict[int | str, dict[str, Any]] = {
    403: {"description": "The request is for another host, or comes from another site's page."},
    503: {"description": "The store cannot be read or written now; try again."},
}
"""What every route may answer."""


class Svg(Response):
    media_type = "image/svg+xml"


async def not_allowed(request: Request, error: Exception) -> Response:
    """405 with all methods the path takes: each of them has a route of its own, and the first one knows but its own."""
    assert isinstance(error, StarletteHTTPException)
    answer = await http_exception_handler(request, HTTPException(error.status_code, error.detail, error.headers))
    if error.status_code == 405 and (methods := _taken(request.app, request.url.path)):
        answer.headers["Allow"] = ", ".join(sorted(methods))
    return answer


def _taken(app: FastAPI, path: str) -> set[str]:
    """The methods that the description has of a path; none of a path it does not have."""
    return {
        method.upper()
        for template, methods in app.openapi()["paths"].items()
        if compile_path(template)[0].match(path)
        for method in methods
    }
