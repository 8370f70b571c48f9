"""One service of the example shop: a real HTTP process that can be told to go wrong.

    python -m examples.shop.service stock --port 8003 --pidfile run/stock.pid
    python -m examples.shop.service catalogue --port 8002 --pidfile run/catalogue.pid --calls http://127.0.0.1:8003

`GET /` sells, calling the services below; `GET /health` says how this process itself is. Faults, until told otherwise
or restarted: `/fault/slow?ms=800`, `/fault/errors`, `/fault/hang`, `/fault/leak?mb=20` (a second), `/fault/die`,
`/fault/none`. With `--memory MB` it is killed once it uses more, as in a container with that limit. Standard library
only, so that it starts in a moment.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

HANG = 3600.0
CALL_TIMEOUT = 2.0
LEAK_LIMIT_MB = 2000
LEAK_EVERY = 0.25
KILLED = "killed: out of memory"
"""What its log says when the limit was reached."""


class Faults:
    """What is wrong with this process at present."""

    def __init__(self) -> None:
        self.slow = 0.0
        self.errors = False
        self.hang = False
        self._leak = 0
        self._leaked: list[bytearray] = []

    def set(self, name: str, query: dict[str, list[str]]) -> str:
        """Turn a fault on, or with `none` all off; returns what was done."""
        if name == "none":
            self.slow, self.errors, self.hang, self._leak = 0.0, False, False, 0
            self._leaked.clear()
        elif name == "slow":
            self.slow = int(query.get("ms", ["800"])[0]) / 1000
        elif name == "errors":
            self.errors = True
        elif name == "hang":
            self.hang = True
        elif name == "leak":
            self._leak = int(query.get("mb", ["20"])[0])
            threading.Thread(target=self._grow, daemon=True).start()
        elif name == "die":
            os._exit(1)
        else:
            return f"no fault {name}; try slow, errors, hang, leak, die, none"
        return f"{name} it is"

    def _grow(self) -> None:
        while self._leak and sum(map(len, self._leaked)) < LEAK_LIMIT_MB * 1_000_000:
            self._leaked.append(bytearray(os.urandom(1) * round(self._leak * 1_000_000 * LEAK_EVERY)))
            time.sleep(LEAK_EVERY)


def keep_below(limit: int) -> None:
    """Kill this process once it uses more than `limit` bytes, with as little notice as a kernel gives."""
    while True:
        if memory_used() > limit:
            print(f"{time.strftime('%H:%M:%S')} {KILLED} ({limit // 1_000_000} MB)", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.1)


def memory_used() -> int:
    """Bytes of memory this process holds."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def make_handler(name: str, calls: str | None, faults: Faults) -> type[BaseHTTPRequestHandler]:
    """The request handler of one service."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if url.path.startswith("/fault/"):
                self.answer(200, {"service": name, "fault": faults.set(url.path[7:], parse_qs(url.query))})
                return
            if faults.hang:
                time.sleep(HANG)
            time.sleep(faults.slow)
            if faults.errors:
                self.answer(500, {"service": name, "status": "error"})
            elif url.path == "/health":
                self.answer(200, {"service": name, "status": "ok", "pid": os.getpid()})
            else:
                self.sell()

        def sell(self) -> None:
            below: Any = None
            if calls is not None:
                try:
                    with urllib.request.urlopen(calls, timeout=CALL_TIMEOUT) as answer:
                        below = json.load(answer)
                except OSError as error:
                    self.answer(502, {"service": name, "status": "error", "because": str(error)})
                    return
            self.answer(200, {"service": name, "status": "ok", "calls": below})

        def answer(self, status: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            print(f"{time.strftime('%H:%M:%S')} {name} {format % args}", flush=True)

    return Handler


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description="One service of the example shop.")
    parser.add_argument("name")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--pidfile", type=Path)
    parser.add_argument("--calls", help="URL of the service below")
    parser.add_argument("--memory", type=int, help="MB it may use")
    options = parser.parse_args()
    server = Server(("127.0.0.1", options.port), make_handler(options.name, options.calls, Faults()))
    if options.pidfile is not None:
        options.pidfile.parent.mkdir(parents=True, exist_ok=True)
        options.pidfile.write_text(str(os.getpid()), encoding="ascii")
    if options.memory is not None:
        threading.Thread(target=keep_below, args=(options.memory * 1_000_000,), daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main()
