"""A real HTTP endpoint for webhooks: it keeps what arrives, with the moment it arrived, and can refuse."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    """One POST. `at` is on this machine's monotonic clock, in seconds."""

    at: float
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.raw)
        return parsed

    @property
    def kind(self) -> str:
        """`page`, `report`, `failure`, `resolved`."""
        return str(self.body["kind"])

    @property
    def service(self) -> str:
        return str(self.body["service"])

    @property
    def incident(self) -> str | None:
        incident = self.body["incident"]
        return str(incident["id"]) if incident else None

    def is_signed_with(self, secret: str) -> bool:
        """Checked as a receiver would: HMAC-SHA256 over `<timestamp>.<raw body>`."""
        signed = self.headers.get("x-forewatch-timestamp", "").encode() + b"." + self.raw
        wanted = "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        return hmac.compare_digest(self.headers.get("x-forewatch-signature", ""), wanted)


class Receiver:
    """Listens on a port of its own from `with` to its end. `status` is what it answers, 204 unless told otherwise."""

    def __init__(self) -> None:
        self.status = 204
        self._received: list[Received] = []
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    @property
    def received(self) -> list[Received]:
        """All so far, oldest first."""
        with self._changed:
            return list(self._received)

    def of(self, service: str, kind: str | None = None, since: float = 0.0) -> list[Received]:
        """What arrived about a service, perhaps of one kind, since a moment of the monotonic clock."""
        return [
            one
            for one in self.received
            if one.service == service and one.at >= since and (kind is None or one.kind == kind)
        ]

    def wait_for(self, service: str, kind: str, *, since: float, timeout: float) -> Received:
        """The first notification of a kind about a service. Fails with all that did arrive."""
        return self._wait(lambda: self.of(service, kind, since), f"{kind} about {service}", timeout)

    def _wait(self, look: Callable[[], list[Received]], what: str, timeout: float) -> Received:
        deadline = time.monotonic() + timeout
        while not (found := look()):
            left = deadline - time.monotonic()
            if left <= 0:
                there = [(one.kind, one.service, one.incident) for one in self.received]
                raise AssertionError(f"no {what} arrived within {timeout:.0f} s; all that did: {there}")
            with self._changed:
                self._changed.wait(min(left, 0.1))
        return found[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                if receiver.status < 300:
                    with receiver._changed:
                        receiver._received.append(Received(time.monotonic(), self.path, headers, raw))
                        receiver._changed.notify_all()
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler
