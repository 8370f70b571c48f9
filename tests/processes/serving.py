"""A `serve` process on a folder of its own, and the decisions of `page-people` made beside it, without the rest."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import httpx
import psutil

from forewatch.clock import SystemClock
from forewatch.config.files import read_tree
from forewatch.config.reload import Configuration
from forewatch.home import Home
from forewatch.intake.drain import Drain
from forewatch.orchestration.settings import Settings
from forewatch.store import config_versions, shifts
from forewatch.store.engine import Store

T = TypeVar("T")

CONFIGURATION = """\
services:
  - name: host
sources:
  - name: prometheus
    alertmanager: {}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: str, look: Callable[[], T | None], timeout: float = 20.0, every: float = 0.02) -> T:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(every)
    raise AssertionError(f"waited {timeout:.0f} s in vain for {what}")


class Serving:
    """`start` it, ask it under `url`, hurt it."""

    def __init__(self, folder: Path, configuration: str = CONFIGURATION) -> None:
        self.home = Home(folder / "state")
        self.home.create()
        self.store = Store.open(self.home, migrate=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "serve.log"
        self.process: subprocess.Popen[bytes] | None = None
        path = folder / "forewatch.yaml"
        path.write_text(configuration, encoding="utf-8")
        with self.store.decide() as conn:
            config_versions.add(conn, read_tree(path).config_files().files, SystemClock().now())
        Settings(config=str(path), port=self.port).write(self.home)

    def start(self, *before: str) -> None:
        """Start the process, under another program where `before` names one, and wait until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*before, sys.executable, "-m", "forewatch.console.serve"],
                env={**os.environ, "FOREWATCH_HOME": str(self.home.root)},
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        wait_for("serve to answer", self._answers, 60)

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            # The program it runs under would end without it.
            below = psutil.Process(self.process.pid).children(recursive=True)
            for one in below or [psutil.Process(self.process.pid)]:
                one.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        self.store.close()

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
        try:
            return httpx.get(f"{self.url}/-/ready", timeout=2, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False


class Deciding:
    """Decides upon the inbox of a store on a thread, as the shift `page-people` does. Use it in a `with`."""

    def __init__(self, home: Home) -> None:
        self._store = Store.open(home)
        clock = SystemClock()
        with self._store.decide() as conn:
            row = shifts.get(conn, "page-people")
            fence = shifts.take(
                conn, "page-people", "test", expected_term=row.term if row is not None else None,
                scheduled_for=clock.now(), now=clock.now(),
            )  # fmt: skip
        assert fence is not None
        self.drain = Drain(self._store, clock, Configuration(self._store), fence)
        self.decided = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Deciding:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(20)
        self._store.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            done = self.drain.slice()
            self.decided += done.decided
            if done.idle:
                self._stop.wait(0.02)
