"""The `http` check: one request, judged by its answer.

Without `expect.status`, 200 to 399 pass; a redirect is itself the answer unless `follow_redirects` is set, and then the
last answer counts. `expect.body` and `expect.headers` pass where the text is contained, `expect.json` where the value
at each path is equal. At most 1 MiB of body is read; a larger one fails (`method: HEAD` asks for none).

Rides on aiohttp alone: httpx's pool is quadratic in the number of origins (15 requests a second over 1,000 of them).
"""

from __future__ import annotations

import ssl
from typing import Any

import aiohttp
from yarl import URL

from forewatch.config.secrets import reveal
from tasks.probes import certificate, words
from tasks.probes.attempt import Answer, Attempt, Failing
from tasks.probes.authorities import trusting
from tasks.probes.context import tls
from tasks.probes.judge import judge_body, judge_headers, judge_status

BODY_CAP = 1024 * 1024
REDIRECTS = 10


async def attempt(a: Attempt) -> Answer:
    check = a.check
    url = _url(a.filled(check.http or ""))
    details: dict[str, Any] = {}
    try:
        async with a.context.session.request(
            check.method,
            url,
            headers={name: reveal(value) for name, value in check.headers.items()},
            data=check.body,
            ssl=_tls(a) if url.scheme == "https" or check.follow_redirects else True,
            allow_redirects=check.follow_redirects,
            max_redirects=REDIRECTS,
        ) as response:
            details["status"] = response.status
            judge_status(response.status, check.expect, a.elapsed(), details)
            judge_headers(response.headers, check.expect, details)
            a.waiting_for = "end of the body"
            body = await _read(response, details)
    except aiohttp.TooManyRedirects as error:
        raise Failing(f"more than {REDIRECTS} redirects", details) from error
    except (aiohttp.ClientError, OSError) as error:
        raise await _failing(error, url, details) from error
    judge_body(body, response.charset, check.expect, details)
    _judge_certificate(response, a, details)
    return Answer(f"{response.status} after {words.spoken(a.elapsed())}", details)


def _tls(a: Attempt) -> ssl.SSLContext:
    return trusting(a.context.folder, a.check.ca) if a.check.verify_tls else tls(verify=False)


def _url(text: str) -> URL:
    try:
        url = URL(text)
        port = url.port
    except ValueError as error:
        raise Failing(f"{text} is not a URL: {error}") from error
    if url.scheme not in ("http", "https") or not url.host or not port:
        raise Failing(f"{text} is not a URL (try http://host:port/path)")
    return url


async def _read(response: aiohttp.ClientResponse, details: dict[str, Any]) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > BODY_CAP:
            raise Failing("body larger than 1 MiB", details)
    return bytes(body)


def _judge_certificate(response: aiohttp.ClientResponse, a: Attempt, details: dict[str, Any]) -> None:
    der = getattr(response, "certificate", None)
    wanted = a.check.expect.certificate_days
    if der is None:
        if wanted is not None:
            raise Failing("no certificate: the answer came over plain HTTP", details)
        return
    left = certificate.seconds_left(der)
    details.update(certificate.about(left))
    reason = certificate.too_short(left, wanted)
    if reason is not None:
        raise Failing(reason, details)


async def _failing(error: Exception, url: URL, details: dict[str, Any]) -> Failing:
    """What an error of aiohttp means for the target."""
    host, port = url.host or "", url.port or 0
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ClientConnectorCertificateError):
        # After a redirect, the one that failed need not be the one that was asked.
        host, port = error.host or host, error.port or port
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        cause = error.certificate_error
        if isinstance(cause, ssl.SSLError):
            return Failing(*await certificate.why_refused(cause, host, port))
        return Failing(str(cause))
    if isinstance(error, aiohttp.ClientConnectorError):
        return Failing(words.of_os_error(error.os_error, host, port), details)
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return Failing(f"{words.peer(host, port)} hung up without an answer", details)
    if isinstance(error, OSError):
        return Failing(words.of_os_error(error, host, port), details)
    if isinstance(error, aiohttp.ClientPayloadError):
        return Failing("body broke off before its end", details)
    if isinstance(error, aiohttp.InvalidURL):
        return Failing(f"redirected to {error.url}, which is not a URL", details)
    if isinstance(error, aiohttp.ClientResponseError):
        return Failing(f"{words.peer(host, port)} does not speak HTTP: {error.message.splitlines()[0]}", details)
    return Failing(f"{words.peer(host, port)}: {error or type(error).__name__}", details)
