"""A JSON POST by HTTP, signed where the notifier has a secret. Redirects are not followed: they may lead anywhere."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx

from forewatch import __version__
from forewatch.alerting.notification import Notification
from forewatch.config.models import Webhook
from forewatch.config.secrets import reveal
from forewatch.errors import DeliveryFailed
from forewatch.guard.redact import redact
from forewatch.notifying.sender import Receipt, Rendered
from forewatch.units import format_duration
from notifiers.webhook import alertmanager
from notifiers.webhook.signature import sign

VERSION = "1"
"""Of the body; fields may be added without a new one, so receivers must ignore what they do not know."""

RETRIED = (408, 425, 429)
"""Refusals that may pass, beside every 5xx."""

LARGEST_ANSWER = 2_000
"""Bytes read of an answer: enough to quote it."""

_PERMANENT = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL)


class WebhookSender:
    templates = Path(__file__).with_name("templates")

    def __init__(self, name: str, webhook: Webhook) -> None:
        self._name = name
        self._webhook = webhook

    async def send(self, notification: Notification, content: Mapping[str, Any], rendered: Rendered) -> Receipt:
        began = time.monotonic()
        content_bytes = json.dumps(self._body(content, rendered), ensure_ascii=False).encode(errors="replace")
        url = reveal(self._webhook.url)
        headers = self._headers(content["key"], content_bytes)
        try:
            async with asyncio.timeout(self._webhook.timeout):
                answer = await _post(url, headers, content_bytes, self._webhook.timeout)
        except (TimeoutError, httpx.TimeoutException) as error:
            patience = format_duration(self._webhook.timeout)
            raise self._failed(f"{_host(url)} did not answer within {patience}") from error
        except _PERMANENT as error:
            raise self._failed(f"its url or a header of it cannot be sent: {error}", permanent=True) from error
        except (httpx.TransportError, OSError) as error:
            raise self._failed(f"{_host(url)} cannot be reached: {error or type(error).__name__}") from error
        except ValueError as error:  # a header that is not ASCII
            raise self._failed(f"its url or a header of it cannot be sent: {error}", permanent=True) from error
        return self._receipt(answer, time.monotonic() - began)

    def _body(self, content: Mapping[str, Any], rendered: Rendered) -> dict[str, Any]:
        if self._webhook.format == "alertmanager":
            return alertmanager.body(self._name, content, rendered, self._webhook.max_alerts)
        return body(content, rendered, self._webhook.max_alerts)

    def _headers(self, key: str, content: bytes) -> dict[str, str]:
        headers = {name: reveal(value) for name, value in self._webhook.headers.items()}
        timestamp = str(int(time.time()))
        headers |= {
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"forewatch/{__version__}",
            "Idempotency-Key": key,
            "X-Forewatch-Timestamp": timestamp,
        }
        if self._webhook.secret is not None:
            headers["X-Forewatch-Signature"] = sign(self._webhook.secret.reveal(), timestamp, content)
        return headers

    def _receipt(self, answer: _Answer, took: float) -> Receipt:
        """What the answer means. Raises DeliveryFailed for all but 2xx."""
        said = f"answered {answer.status}" + (f": {answer.text}" if answer.text else "")
        if 200 <= answer.status < 300:
            return Receipt(self._name, f"{answer.status} in {format_duration(took)}")
        if answer.status in RETRIED or answer.status >= 500:
            raise self._failed(f"the receiver {said}", retry_after=answer.retry_after)
        if 300 <= answer.status < 400:
            said = f"answered {answer.status}, and redirects are not followed: set url to the final address"
        raise self._failed(f"the receiver {said}", permanent=True)

    def _failed(self, why: str, *, permanent: bool = False, retry_after: float | None = None) -> DeliveryFailed:
        return DeliveryFailed(redact(f"{self._name}: {why}"), permanent=permanent, retry_after=retry_after)


def body(content: Mapping[str, Any], rendered: Rendered, max_alerts: int = 0) -> dict[str, Any]:
    """The JSON that is posted: the completed content, with the rendered message as `title` and `text`."""
    return {
        "version": VERSION,
        "id": content["id"],
        "key": content["key"],
        "kind": content["kind"],
        "status": content["status"],
        "severity": content["severity"],
        "service": content["service"],
        "title": rendered.title,
        "text": rendered.text,
        "reason": content["reason"],
        "runbook": content["runbook"],
        "incident": {"id": content["incident_id"], "key": content["incident_key"]} if content["incident_id"] else None,
        "incidents": content["incidents"],
        "named": content["named"],
        "update": content["update"],
        "ended": content["ended"],
        "run": {"id": content["run_id"]} if content["run_id"] else None,
        "alert": content["alert"],
        "group": _group(content, max_alerts) if content["group_key"] is not None else None,
        "links": content["links"],
        "created_at": content["created_at"],
    }


def _group(content: Mapping[str, Any], max_alerts: int) -> dict[str, Any]:
    alerts, truncated = alertmanager.shortened(content, max_alerts)
    return {
        "key": content["group_key"],
        "labels": content["group_labels"],
        "common_labels": content["common_labels"],
        "common_annotations": content["common_annotations"],
        "alerts": alerts,
        "truncated_alerts": truncated,
    }


class _Answer:
    def __init__(self, status: int, retry_after: float | None, text: str) -> None:
        self.status = status
        self.retry_after = retry_after
        self.text = text


async def _post(url: str, headers: Mapping[str, str], content: bytes, timeout: float) -> _Answer:
    async with (
        httpx.AsyncClient(verify=_trust(), follow_redirects=False, timeout=timeout) as client,
        client.stream("POST", url, headers=dict(headers), content=content) as response,
    ):
        text = "" if response.is_success else await _beginning(response)
        return _Answer(response.status_code, _retry_after(response.headers.get("Retry-After")), text)


async def _beginning(response: httpx.Response) -> str:
    """The first line or so of an answer, for the error; the status already says what matters."""
    read = b""
    with contextlib.suppress(httpx.HTTPError, TimeoutError):
        async with asyncio.timeout(1.0):
            async for part in response.aiter_raw(LARGEST_ANSWER):
                read += part
                if len(read) >= LARGEST_ANSWER:
                    break
    return " ".join(read.decode(errors="replace").split())[:200]


def _retry_after(header: str | None) -> float | None:
    """Seconds to wait, from either form of the header (RFC 9110, 10.2.3); None for neither."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _host(url: str) -> str:
    """Where it went, without path, query and credentials, which may be secret."""
    parsed = httpx.URL(url)
    return f"{parsed.host}:{parsed.port}" if parsed.port else parsed.host


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    # Reading the certificates takes 20 ms; a client per request is otherwise cheap.
    return httpx.create_ssl_context()
