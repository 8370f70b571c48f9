"""Our own troubles as they are told over HTTP: what they are, not where on this machine our files lie."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from forewatch.home import Home

RETRY_AFTER = {"Retry-After": "5"}


def without_paths(trouble: object, home: Home) -> str:
    """A sentence in which files of the state folder go by their names."""
    root = str(home.root)
    return str(trouble).replace(f"{root}/", "").replace(root, "the state folder")


async def store_unavailable(request: Request, error: Exception) -> Response:
    """The answer of a page that cannot be put together now. The app's state knows the state folder."""
    said = without_paths(error, request.app.state.home)
    return PlainTextResponse(f"{said}\n", 503, RETRY_AFTER)
