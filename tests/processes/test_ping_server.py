"""A job calls a real `serve` process with curl; what was answered with 200 survives `kill -9`."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from forewatch.checking.heartbeats import key_of
from forewatch.clock import SystemClock
from forewatch.config.reload import ConfigWatcher
from forewatch.home import Home
from forewatch.orchestration.settings import Settings
from forewatch.store import pings
from forewatch.store.engine import Store

TOKEN = "6e8f6f0a-2f5b-4a2c-9a35-0f1d8f3c1b7e"
CONFIG = f"""\
services:
  - name: backup
    checks:
      - name: nightly
        heartbeat: {{token: {TOKEN}, cron: "0 3 * * *", zone: Europe/Berlin, grace: 1h}}
"""


class Served:
    def __init__(self, folder: Path) -> None:
        self.home = Home(folder / "home")
        self.home.create()
        self.config = folder / "forewatch.yaml"
        self.config.write_text(CONFIG)
        store = Store.open(self.home, migrate=True)
        ConfigWatcher(self.config, store, SystemClock()).load_first()
        store.close()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        Settings(str(self.config), port=self.port).write(self.home)
        self.url = f"http://127.0.0.1:{self.port}/ping/{TOKEN}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *before: str) -> None:
        self.process = subprocess.Popen(
            [*before, sys.executable, "-m", "forewatch.console.serve"],
            env={**os.environ, "FOREWATCH_HOME": str(self.home.root)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                httpx.get(f"http://127.0.0.1:{self.port}/ping/nobody", timeout=1)
                return
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError("serve did not start")

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)

    def calls(self) -> list[pings.Call]:
        store = Store.open(self.home)
        try:
            with store.read() as conn:
                return pings.last(conn, key_of(TOKEN))
        finally:
            store.close()


@pytest.fixture
def served(tmp_path):
    served = Served(tmp_path)
    yield served
    served.kill()


def forewatch(served: Served, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "forewatch.cli", *words, "--home", str(served.home.root)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_a_job_calls_as_healthchecks_users_do_and_the_probe_tells_how_it_stands(served):
    served.start()

    def curl(*words: str) -> str:
        done = subprocess.run(["curl", "-fsS", "-m", "10", *words], capture_output=True, text=True, timeout=20)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert curl(served.url) == "OK"
    assert "ping-body-limit: 10000" in curl("-I", served.url).lower()
    assert curl("--data-raw", "rsync: no space left on device", f"{served.url}/23") == "OK"
    failed = forewatch(served, "probe", "backup")
    assert failed.returncode == 1
    assert re.search(r"nightly .*FAILS.*failed with exit code 23 .*: rsync: no space left on device", failed.stdout)
    assert curl("--retry", "3", f"{served.url}/0") == "OK"
    assert forewatch(served, "probe", "backup/nightly").returncode == 0
    assert [call.kind for call in served.calls()] == ["success", "fail", "success", "success"]
    large = curl("-X", "POST", "--data-binary", "x" * 100_000, f"{served.url}/log")
    assert large == "OK"
    assert len(served.calls()[0].body) == 10_000


def test_every_call_answered_with_200_is_there_after_kill_9(served):
    served.start()
    answered = 0
    with httpx.Client(timeout=10) as client:
        for number in range(30):
            if client.post(f"{served.url}/fail", content=str(number)).status_code == 200:
                answered += 1
        served.kill()
    assert answered == 30
    assert [call.body for call in served.calls()] == [str(number) for number in range(29, -1, -1)]


def can_trace() -> bool:
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, timeout=20).returncode == 0


@pytest.mark.skipif(not can_trace(), reason="strace is not here or may not trace")
def test_the_disk_is_synced_before_the_answer_leaves(served, tmp_path):
    trace = tmp_path / "trace"
    served.start("strace", "-f", "-o", str(trace), "-e", "trace=fsync,fdatasync,sendto,write,writev,sendmsg", "-y")
    time.sleep(0.5)
    before = len(trace.read_text(errors="replace").splitlines())
    answer = httpx.post(f"{served.url}/fail", content="last words", timeout=20)
    assert answer.status_code == 200
    time.sleep(0.5)
    lines = trace.read_text(errors="replace").splitlines()
    answers = [number for number, line in enumerate(lines) if "HTTP/1.1 200" in line]
    assert answers, "the answer is not in the trace"
    synced = [number for number, line in enumerate(lines) if re.search(r"f(data)?sync\(.*decisions\.db", line)]
    assert any(before <= number < answers[0] for number in synced)
