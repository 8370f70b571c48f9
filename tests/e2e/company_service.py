"""One process of the small company: `python company_service.py front|app|cache --port N --pidfile F ...`.

* `cache` takes TCP connections.
* `app` is well where its database and its cache take connections; `/fault/errors|hang|slow|leak|none` as its name says.
* `front` speaks TLS: `/static` is its own, everything else the app's, with 502 and 504 as nginx answers them.

Standard library only, so that it starts in a moment.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import socketserver
import sqlite3
import ssl
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SLOW = 1.5
LEAK = 4_000_000
"""Bytes at a time."""
MOST_LEAKED = 256_000_000
KILLED = "out of memory: killed"
UPSTREAM_TIMEOUT = 2.0


class Answering(BaseHTTPRequestHandler):
    def answer(self, status: int, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


class App(Answering):
    fault = "none"
    database = ""
    cache = 0
    leaks_every = 0.5

    def do_GET(self) -> None:
        if self.path.startswith("/fault/"):
            App.fault = self.path.removeprefix("/fault/")
            if App.fault == "leak":
                threading.Thread(target=leak, daemon=True).start()
            self.answer(200, App.fault)
        elif App.fault == "hang":
            time.sleep(3600)
        elif App.fault == "errors":
            self.answer(500, json.dumps({"status": "error", "why": "told to"}))
        else:
            time.sleep(SLOW if App.fault == "slow" else 0)
            wrong = self.wrong()
            self.answer(503 if wrong else 200, json.dumps({"status": wrong or "ok"}))

    def wrong(self) -> str:
        """What it cannot reach, if anything."""
        try:
            if App.database.isdecimal():
                socket.create_connection(("127.0.0.1", int(App.database)), 1).close()
            else:
                sqlite3.connect(f"file:{App.database}?mode=ro", uri=True).execute(
                    "SELECT count(*) FROM orders"
                ).fetchone()
        except (OSError, sqlite3.Error):
            return "no database"
        try:
            socket.create_connection(("127.0.0.1", App.cache), 1).close()
        except OSError:
            return "no cache"
        return ""


def leak() -> None:
    """Keep ever more memory, and end as the kernel would have it end."""
    kept: list[bytes] = []
    while len(kept) * LEAK < MOST_LEAKED:
        kept.append(b"x" * LEAK)  # not a bytearray: one of zeros takes no memory before it is written to
        time.sleep(App.leaks_every)
    print(KILLED, flush=True)
    os._exit(137)


class Front(Answering):
    app = 0

    def do_GET(self) -> None:
        if self.path == "/static":
            self.answer(200, "static")
            return
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{Front.app}{self.path}", timeout=UPSTREAM_TIMEOUT) as found:
                self.answer(found.status, found.read().decode())
        except urllib.error.HTTPError as error:
            self.answer(error.code, error.read().decode())
        except TimeoutError:
            self.answer(504, "upstream timed out")
        except OSError:
            self.answer(502, "no upstream")


class Cache(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.recv(100)


class Server(ThreadingHTTPServer):
    request_queue_size = 128


class TlsServer(Server):
    context: ssl.SSLContext

    def finish_request(self, request: socket.socket, client_address: object) -> None:
        # The handshake in the connection's own thread: a client that does not speak keeps nobody else waiting.
        request.settimeout(5)
        try:
            with self.context.wrap_socket(request, server_side=True) as speaking:
                self.RequestHandlerClass(speaking, client_address, self)
        except OSError:
            return  # it hung up, as a check of the certificate alone does


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["front", "app", "cache"])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--pidfile", type=Path, required=True)
    parser.add_argument("--database", default="", help="of the app: a SQLite file or a port")
    parser.add_argument("--cache", type=int, default=0, help="of the app: a port")
    parser.add_argument("--app", type=int, default=0, help="of the front: a port")
    parser.add_argument("--certificate", default="", help="of the front")
    parser.add_argument("--leaks-every", type=float, default=0.5, help="of the app that leaks: seconds")
    given = parser.parse_args()
    App.database, App.cache, Front.app = given.database, given.cache, given.app
    App.leaks_every = given.leaks_every
    at = ("127.0.0.1", given.port)
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    server: socketserver.BaseServer
    if given.role == "cache":
        server = socketserver.ThreadingTCPServer(at, Cache)
    elif given.role == "app":
        server = Server(at, App)
    else:
        server = TlsServer(at, Front)
        server.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        server.context.load_cert_chain(given.certificate)
    threading.excepthook = lambda _: None  # clients hang up when they have seen enough
    given.pidfile.write_text(str(os.getpid()), encoding="ascii")
    server.serve_forever(0.1)


if __name__ == "__main__":
    main()
