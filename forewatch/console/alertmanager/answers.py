"""The forms of Alertmanager's answers: a plain text as a JSON string for what it refuses itself, `{code, message}` for
what its HTTP layer refuses."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.responses import Response

from forewatch.console.admission import RequestRefused
from forewatch.console.public_errors import without_paths
from forewatch.errors import ForewatchError
from forewatch.home import Home

JSON = "application/json"
RETRY_AFTER = {"Retry-After": "2"}


class Refusal(Exception):
    """What a client did wrong, said as Alertmanager would; `code` where its HTTP layer would say it."""

    def __init__(self, status: int, text: str, code: int | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.code = code

    def response(self) -> Response:
        said = str(self) if self.code is None else {"code": self.code, "message": str(self)}
        return answer(said, self.status)


def answer(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type=JSON)


def refused(error: RequestRefused) -> Response:
    return Response(
        orjson.dumps({"code": error.status, "message": str(error)}), error.status, error.headers, media_type=JSON
    )


def unavailable(error: ForewatchError, home: Home) -> Response:
    """Nothing can be stored now: the client keeps it and tries again."""
    said = {"code": 503, "message": without_paths(error, home)}
    return Response(orjson.dumps(said), 503, RETRY_AFTER, media_type=JSON)


def wrong_media_type(content_type: str) -> Refusal:
    said = content_type or "application/octet-stream"
    return Refusal(415, f'unsupported media type "{said}", only [application/json] are allowed', 415)
