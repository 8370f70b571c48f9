"""The outside dead-man's switch hears from us while every shift stands, and only then."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from harness import Forewatch, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

SILENT_AFTER = 10.0
"""Seconds without a beat of some shift after which no heartbeat leaves any more."""


class Switch:
    """Counts the beats that arrive, by the monotonic clock."""

    def __init__(self) -> None:
        self.beats: list[float] = []
        self.paths: set[str] = set()
        switch = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                switch.beats.append(time.monotonic())
                switch.paths.add(self.path)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/ping/6f2c-secret-of-the-switch"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def since(self, at: float) -> list[float]:
        return [beat for beat in self.beats if beat > at]


@pytest.fixture(scope="module")
def switch() -> Iterator[Switch]:
    switch = Switch()
    yield switch
    switch.close()


@pytest.fixture(scope="module")
def forewatch(folder: Path, switch: Switch) -> Iterator[Forewatch]:
    started = Forewatch(folder, environment={"SWITCH_URL": switch.url})
    started.write_config("heartbeat: {url: !secret env:SWITCH_URL, every: 1s}\nmetrics: {every: 5s}\n")
    try:
        started.up()
        yield started
    finally:
        started.sweep()


def test_beats_arrive_while_all_shifts_stand(forewatch: Forewatch, switch: Switch) -> None:
    began = time.monotonic()
    wait_for("some beats", lambda: len(switch.since(began)) >= 4, timeout=20)
    assert switch.paths == {"/ping/6f2c-secret-of-the-switch"}


def test_they_stop_when_a_shift_is_lost_for_good_and_go_on_when_it_is_back(
    forewatch: Forewatch, switch: Switch
) -> None:
    worker = forewatch.pid("worker")
    os.kill(worker, signal.SIGSTOP)
    try:
        os.kill(forewatch.holder_pid("check-health"), signal.SIGKILL)
        # The last look may have been just before the time was up, and takes a moment.
        time.sleep(SILENT_AFTER + 3)
        silent = time.monotonic()
        time.sleep(5)
        assert switch.since(silent) == []
        assert forewatch.health()[0] == 503
    finally:
        os.kill(worker, signal.SIGCONT)
    back = time.monotonic()
    wait_for("a beat again", lambda: switch.since(back), timeout=30)


def test_the_address_of_the_switch_is_a_secret(forewatch: Forewatch) -> None:
    assert "6f2c-secret-of-the-switch" not in forewatch.tail(100_000) + forewatch.output
