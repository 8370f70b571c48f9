"""The `http` check: one request, judged by its answer as a browser would.

Without `expect.status`, 200 to 399 pass; a redirect is itself the answer unless `follow_redirects` is set, and then the
last answer counts. `expect.body` and `expect.headers` pass where the text is contained, `expect.json` where the value
at each path is equal. The body counts where something is expected of it; at most 1 MiB of it is read.

The configured headers and the body go to the origin they are configured for, and to no other one a redirect leads to.
What is malformed and taken nonetheless is said as a remark.

Rides on libcurl alone (decision 14).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forewatch.config.secrets import reveal
from tasks.probes import certificate, words
from tasks.probes.attempt import Answer, Attempt, Failing
from tasks.probes.authorities import trusting
from tasks.probes.charset import text_of
from tasks.probes.encodings import Unreadable, decoded
from tasks.probes.exchange import Exchange
from tasks.probes.judge import judge_body, wants_body
from tasks.probes.request import Request, server_name
from tasks.probes.url import Url, parse, redirected

REDIRECTS = 10
SOON = 30 * 86400.0
"""Seconds an authority's certificate is still good for from which on a check that passes says so."""
_REPEATED = (307, 308)
"""Redirects that leave the method as it is."""


async def attempt(a: Attempt) -> Answer:
    check = a.check
    first = _url(a.filled(check.http or ""))
    headers = {name: reveal(value) for name, value in check.headers.items()}
    name = server_name(check.server_name, headers, first)
    trusted = trusting(a.context.folder, check.ca) if check.verify_tls and _may_need_tls(a, first) else None
    request = Request(first, check.method.upper(), headers, check.body, name)
    details: dict[str, Any] = {}
    for _ in range(REDIRECTS + 1):
        exchange = Exchange(a, request, trusted, details)
        await exchange.run()
        if exchange.location is None:
            return _judged(a, exchange, details)
        method, body = _after(exchange.head.status, request)
        url = _redirected(request.url, exchange.location, details)
        same = url.origin == first.origin
        request = Request(url, method, headers, body, name) if same else Request(url, method)
    raise Failing(f"more than {REDIRECTS} redirects", details)


def _may_need_tls(a: Attempt, url: Url) -> bool:
    return url.scheme == "https" or a.check.follow_redirects


def _url(text: str) -> Url:
    try:
        return parse(text)
    except ValueError as error:
        why = f": {error}" if str(error) else " (try http://host:port/path)"
        raise Failing(f"{text} is not a URL{why}") from error


def _redirected(url: Url, location: str, details: Mapping[str, Any]) -> Url:
    try:
        return redirected(url, location)
    except ValueError as error:
        raise Failing(f"redirected to {location}, which is not a URL", details) from error


def _after(status: int, request: Request) -> tuple[str, str | None]:
    """Method and body of the request that follows a redirect (WHATWG Fetch, HTTP-redirect fetch)."""
    if status in _REPEATED or request.method in ("GET", "HEAD") or (status != 303 and request.method != "POST"):
        return request.method, request.body
    return "GET", None


def _judged(a: Attempt, exchange: Exchange, details: dict[str, Any]) -> Answer:
    if wants_body(a.check.expect):
        judge_body(_text(exchange, details), a.check.expect, details)
    reason, remarks = f"{exchange.head.status} after {words.spoken(a.elapsed())}", exchange.remarks
    if exchange.request.url.scheme == "https":
        said, remark = _judge_certificate(a, exchange, details)
        reason += said
        remarks += remark
    elif a.check.expect.certificate_days is not None:
        raise Failing("no certificate: the answer came over plain HTTP", details)
    if remarks:
        details["remarks"] = remarks
        reason += f" (remark: {'; '.join(remarks)})"
    return Answer(reason, details)


def _text(exchange: Exchange, details: Mapping[str, Any]) -> str:
    if exchange.broken:
        raise Failing(f"body cannot be read: the answer has {exchange.broken}", details)
    if exchange.too_large:
        raise Failing("body larger than 1 MiB", details)
    try:
        body = decoded(exchange.body, exchange.head.all("Content-Encoding"))
    except Unreadable as error:
        raise Failing(str(error), details) from error
    return text_of(body, exchange.head.first("Content-Type"))


def _judge_certificate(a: Attempt, exchange: Exchange, details: dict[str, Any]) -> tuple[str, list[str]]:
    """What is to be said of it, and what to remark. Raises Failing where it is not good for as long as expected."""
    wanted = a.check.expect.certificate_days
    try:
        lifetime = certificate.lifetime(exchange.chain, exchange.trusted)
    except certificate.Unreadable as error:
        if wanted is None:
            return "", [str(error)]
        raise Failing(str(error), details) from error
    details.update(lifetime.about())
    reason = lifetime.too_short(wanted)
    if reason is not None:
        raise Failing(reason, details)
    worth_saying = lifetime.authority and lifetime.left < SOON
    return f"; {lifetime.good_for()}" if worth_saying else "", [lifetime.remark] if lifetime.remark else []
