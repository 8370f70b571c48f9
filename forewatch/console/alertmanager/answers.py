"""The forms of Alertmanager's answers: a plain text as a JSON string for what it refuses itself, `{code, message}` for
what its HTTP layer refuses."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.responses import Response

from forewatch.console.admission import RequestRefused

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


def unavailable(error: Exception) -> Response:
    """Nothing can be stored now: the client keeps it and tries again."""
    return Response(orjson.dumps({"code": 503, "message": str(error)}), 503, RETRY_AFTER, media_type=JSON)


def is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() in (JSON, "")


def wrong_media_type(content_type: str) -> Refusal:
    return Refusal(415, f'unsupported media type "{content_type}", only [application/json] are allowed', 415)
