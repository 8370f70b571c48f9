"""Who may send to us and how much: the token of a source, the rate it may send at, the size of what it sends.

A source without a token is for this machine alone, and for requests that were meant for us (`own_names`). Tokens come
as `Authorization: Bearer`, as the password of basic authentication, or where a protocol has its own place for them;
they are compared in constant time, as SHA-256.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import ipaddress
import logging
import zlib
from dataclasses import dataclass
from functools import lru_cache

from starlette.datastructures import Headers
from starlette.types import Receive, Scope

from forewatch.config.secrets import reveal
from forewatch.config.sources import Source
from forewatch.console.own_names import READING, Foreign, OwnNames
from forewatch.console.refusals import Refusals
from forewatch.errors import ForewatchError, SecretError
from forewatch.runtime import Runtime

PATIENCE = 30.0
"""Seconds a sender may take over its body."""
MOST_HELD = 256 << 20
"""Bytes of bodies on their way in, of all senders together."""

JSON_KINDS = ("alertmanager_webhook", "grafana", "json", "pagerduty")
"""Kinds whose requests have a JSON body; the routes of the Alertmanager API see to theirs."""

log = logging.getLogger("forewatch.intake")

_held = 0


class RequestRefused(ForewatchError):
    """An HTTP request that is answered with `status`, the sentence, and `headers`."""

    def __init__(self, status: int, sentence: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(sentence, permanent=status < 500 and status != 429)
        self.status = status
        self.headers = headers or {}


@dataclass
class _Bucket:
    """How many requests a source may make at once: refilled steadily, up to one minute's worth."""

    left: float
    at: float


class Admission:
    """The door of one process; every way in asks the same one, so that a source's rate is one."""

    def __init__(self, runtime: Runtime, names: OwnNames, refusals: Refusals) -> None:
        self._runtime = runtime
        self._names = names
        self._refusals = refusals
        self._version = -1
        self._sources: dict[str, list[tuple[Source, bytes | None]]] = {}
        self._buckets: dict[str, _Bucket] = {}

    def admit(
        self, kind: str, scope: Scope, headers: Headers, *, name: str | None = None, token: str | None = None
    ) -> Source:
        """The source of `kind` (and `name`, where the address has one) that sends this; counted against its rate.

        `token`: where the protocol carries it elsewhere than in `Authorization`. Raises RequestRefused: 404 where no
        such source is configured, 401 without the right token, 403 where one without a token is reached from another
        machine, by another host's name or from another site's page, 415 where its body is not JSON, 429 beyond the
        rate.
        """
        source = self._known(kind, scope, headers, name, token)
        self.count(source)
        return source

    def check_page(self, scope: Scope, headers: Headers) -> None:
        """Raises RequestRefused: 403 for a request without a token that was not meant for us."""
        given = presented(headers)
        changes = scope["method"] not in READING
        if given is None or not self._has_source(_digest(given)):
            self._refuse(self._names.foreign(scope, headers, changes=changes))
        elif changes:
            self._refuse_foreign_page(scope, headers)

    def _has_source(self, digest: bytes) -> bool:
        known = [digest for sources in self._current().values() for _, digest in sources if digest is not None]
        return any([hmac.compare_digest(digest, one) for one in known])  # noqa: C419 every one, as above

    def count_wrong_type(self) -> None:
        """A request is refused because its body was not sent as JSON."""
        self._refusals.note_wrong_type()

    def _known(self, kind: str, scope: Scope, headers: Headers, name: str | None, token: str | None) -> Source:
        of_kind = self._current().get(kind, [])
        if name is not None:
            of_kind = [(source, digest) for source, digest in of_kind if source.name == name]
        if not of_kind:
            called = f" called {name}" if name is not None else ""
            raise RequestRefused(
                404,
                f"no source{called} of the kind {kind} is configured; add one to `sources` in forewatch.yaml, such as "
                f"`- {{name: {name or kind.replace('_', '-')}, {kind}: {{}}, token: !secret env:INTAKE_TOKEN}}`",
            )
        given = token if token is not None else presented(headers)
        changes = scope["method"] not in READING or kind == "kuma"
        if given is not None:
            digest = _digest(given)
            # Every one is compared, so that the time tells nothing of which comes first.
            fitting = [source for source, known in of_kind if known is not None and hmac.compare_digest(digest, known)]
            if fitting:
                if changes and token is None:
                    self._refuse_foreign_page(scope, headers)
                return fitting[0]
        open_ones = [source for source, _ in of_kind if source.is_open]
        if not open_ones:
            raise RequestRefused(
                401,
                "the token is missing or wrong; send the one of the source as `Authorization: Bearer TOKEN`",
                {"WWW-Authenticate": 'Basic realm="forewatch"'},
            )
        if not _from_here(scope):
            raise RequestRefused(
                403, f"the source {open_ones[0].name} has no token, so it is only taken from this machine; give it one"
            )
        self._refuse(self._names.foreign(scope, headers, changes=changes))
        if kind in JSON_KINDS:
            self._demand_json(headers)
        return open_ones[0]

    def _refuse_foreign_page(self, scope: Scope, headers: Headers) -> None:
        """A browser sends a password it has once been given with every request, whichever site's page makes it."""
        if headers.get("authorization", "").lower().startswith("basic "):
            self._refuse(self._names.foreign_page(scope, headers))

    def _refuse(self, foreign: Foreign | None) -> None:
        if foreign is not None:
            self._refusals.note(foreign)
            raise RequestRefused(403, str(foreign))

    def _demand_json(self, headers: Headers) -> None:
        """What a page of another site may send without asking is never JSON."""
        if not is_json(headers.get("content-type", "")):
            self.count_wrong_type()
            raise RequestRefused(
                415,
                "without a token only `Content-Type: application/json` is taken; send that, or give the source a token",
            )

    def _current(self) -> dict[str, list[tuple[Source, bytes | None]]]:
        """The sources of each kind, with the digests of their tokens."""
        version, config = self._runtime.configuration.current()
        if version != self._version:
            self._sources = {}
            for source in config.sources:
                self._sources.setdefault(source.kind, []).append((source, _secret_digest(source)))
            self._version = version
        return self._sources

    def count(self, source: Source) -> None:
        """One more request of a source that proved who it is in another way. Raises RequestRefused: 429."""
        if source.per_minute is None:
            return
        now = self._runtime.clock.monotonic()
        bucket = self._buckets.setdefault(source.name, _Bucket(source.per_minute, now))
        rate = source.per_minute / 60
        bucket.left = min(source.per_minute, bucket.left + (now - bucket.at) * rate)
        bucket.at = now
        if bucket.left < 1:
            wait = str(max(1, round((1 - bucket.left) / rate)))
            raise RequestRefused(
                429, f"{source.name} sends more than {source.per_minute} requests a minute", {"Retry-After": wait}
            )
        bucket.left -= 1


def is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "application/json"


def presented(headers: Headers) -> str | None:
    """The token of an `Authorization` header: after `Bearer`, or the password of `Basic`. None without one, or with an
    empty one."""
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    match scheme.lower():
        case "bearer":
            return rest.strip() or None
        case "basic":
            try:
                return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[2] or None
            except (binascii.Error, UnicodeDecodeError):
                return None
        case _:
            return None


async def read_body(receive: Receive, headers: Headers, limit: int) -> bytes:
    """The body, unpacked where it is gzip, and never more than `limit` bytes of it in memory.

    Raises RequestRefused: 413 where it is longer, 415 for another encoding, 400 where it breaks off or cannot be
    unpacked, 408 where it does not come, 503 where too much is on its way already.
    """
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip", ""):
        raise RequestRefused(415, f"a body with Content-Encoding {encoding} is not taken; send it plain or as gzip")
    length = headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise _too_long(limit)
    unpack = zlib.decompressobj(16 + zlib.MAX_WBITS) if "gzip" in encoding else None
    parts: list[bytes] = []
    size = 0
    global _held
    try:
        async with asyncio.timeout(PATIENCE):
            more = True
            while more:
                message = await receive()
                if message["type"] != "http.request":
                    raise RequestRefused(400, "the body broke off")
                part = message.get("body", b"")
                if unpack is not None:
                    part = unpack.decompress(part, limit + 1 - size)
                parts.append(part)
                size += len(part)
                _held += len(part)
                if size > limit:
                    raise _too_long(limit)
                if _held > MOST_HELD:
                    raise RequestRefused(503, "too much is on its way in; try again in a moment", {"Retry-After": "2"})
                more = message.get("more_body", False)
    except TimeoutError as error:
        raise RequestRefused(408, f"the body did not come within {PATIENCE:g}s", {"Connection": "close"}) from error
    except zlib.error as error:
        raise RequestRefused(400, f"the body cannot be unpacked: {error}") from error
    finally:
        _held -= size
    if unpack is not None and size and not unpack.eof:
        raise RequestRefused(400, "the body breaks off in the middle of its gzip stream")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_long(limit: int) -> RequestRefused:
    # The rest of the body is still on its way: the connection is of no more use.
    return RequestRefused(
        413, f"the body is longer than {limit} bytes (max_body of the source)", {"Connection": "close"}
    )


def _from_here(scope: Scope) -> bool:
    client = scope.get("client")
    return client is not None and _is_loopback(client[0])


@lru_cache(maxsize=1024)
def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _secret_digest(source: Source) -> bytes | None:
    """None for a source without a token, or one whose token is empty or cannot be read: nobody has that one then."""
    if not source.token:
        return None
    try:
        token = reveal(source.token)
    except SecretError as error:
        log.error("source %s takes nothing: %s", source.name, error)
        return None
    return _digest(token) if token else None
