"""Plays timelines to a real Alertmanager, all at once: one route, receiver and set of labels for each."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playing import posted
from timeline_language import Got, Push, SetSilence, Timeline, TimelineAlert, TimelineNotice

from forewatch.clock import iso, micros

PROGRAM = Path("/usr/bin/prometheus-alertmanager")
LINE = "line"
"""The label that keeps timelines apart."""
PATIENCE = 20.0


def played(lines: Mapping[str, Timeline], folder: Path) -> dict[str, list[Got]]:
    """What Alertmanager sends upon each line, with the times it came. Takes as long as the longest line."""
    got: dict[str, list[Got]] = {name: [] for name in lines}
    with _receiver(got) as (receiver, begin), _alertmanager(lines, receiver, folder) as address:
        begin()
        began_wall, began = time.time_ns() // 1000, time.monotonic()
        steps = sorted(((step.at, name, step) for name, line in lines.items() for step in line.steps), key=_order)
        for at, name, step in steps:
            time.sleep(max(0.0, began + at - time.monotonic()))
            _take(address, name, step, began_wall)
        time.sleep(max(0.0, began + max(line.length for line in lines.values()) - time.monotonic()))
    return got


def _order(step: tuple[float, str, Any]) -> tuple[float, str]:
    return step[:2]


def _take(address: str, name: str, step: Push | SetSilence, began: int) -> None:
    match step:
        case Push(_, alerts):
            body = [posted(one, began) for one in alerts]
            for one in body:
                one["labels"] = {**one["labels"], LINE: name}
            _post(f"{address}/api/v2/alerts", body)
        case SetSilence(at, matchers, until):
            wanted = {**matchers, LINE: name}
            _post(
                f"{address}/api/v2/silences",
                {
                    "matchers": [
                        {"name": label, "value": value, "isRegex": False, "isEqual": True}
                        for label, value in wanted.items()
                    ],
                    "startsAt": iso(began + micros(at)),
                    "endsAt": iso(began + micros(until)),
                    "createdBy": "ana",
                    "comment": "we know",
                },
            )


def _post(url: str, body: Any) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert answer.status == 200


@contextmanager
def _receiver(got: dict[str, list[Got]]) -> Iterator[tuple[str, Any]]:
    """A webhook receiver; its second part starts the clock of what it gets."""
    began = [time.monotonic()]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            at = time.monotonic() - began[0]
            got[self.path.strip("/")].append(Got(at, _notice(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", lambda: began.__setitem__(0, time.monotonic())
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _notice(body: dict[str, Any]) -> TimelineNotice:
    def names(status: str) -> frozenset[str]:
        return frozenset(
            TimelineAlert({name: value for name, value in one["labels"].items() if name != LINE}).name
            for one in body["alerts"]
            if one["status"] == status
        )

    # Which of the five reasons it was, only newer versions say.
    return TimelineNotice(names("firing"), names("resolved"), body.get("notification_reason", ""))


@contextmanager
def _alertmanager(lines: Mapping[str, Timeline], receiver: str, folder: Path) -> Iterator[str]:
    port = _free_port()
    config = folder / "alertmanager.yml"
    config.write_text(json.dumps(_config(lines, receiver)))  # JSON is YAML
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                str(PROGRAM),
                f"--config.file={config}",
                f"--storage.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--cluster.listen-address=",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_until_ready(address, process, folder / "log")
        yield address
    finally:
        process.terminate()
        process.wait(10)


def _config(lines: Mapping[str, Timeline], receiver: str) -> dict[str, Any]:
    return {
        "route": {
            "receiver": "nobody",
            "routes": [
                {
                    "receiver": name,
                    "matchers": [f'{LINE}="{name}"'],
                    "group_by": list(line.group_by or ()),
                    "group_wait": f"{round(line.group_wait * 1000)}ms",
                    "group_interval": f"{round(line.group_interval * 1000)}ms",
                    "repeat_interval": f"{round(line.repeat_interval * 1000)}ms",
                }
                for name, line in lines.items()
            ],
        },
        "receivers": [{"name": "nobody"}]
        + [{"name": name, "webhook_configs": [{"url": f"{receiver}/{name}"}]} for name in lines],
        "inhibit_rules": [
            {
                "source_matchers": [f'{label}="{value}"' for label, value in {**rule["source"], LINE: name}.items()],
                "target_matchers": [f'{label}="{value}"' for label, value in {**rule["target"], LINE: name}.items()],
                "equal": list(rule["equal"]),
            }
            for name, line in lines.items()
            for rule in line.inhibitions
        ],
    }


def _wait_until_ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(f"{address}/-/ready", timeout=1):
                return
        except OSError as error:
            if process.poll() is not None or time.monotonic() > until:
                said = log.read_text(errors="replace")[-2000:]
                raise AssertionError(f"Alertmanager does not get ready: {said}") from error
            time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as wire:
        wire.bind(("127.0.0.1", 0))
        port: int = wire.getsockname()[1]
        return port
