"""The demo's leak: that a process will run out of memory is seen, and healed, before it is killed for it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from harness import free_port, wait_for

from examples.shop.service import KILLED
from forewatch.home import Home
from forewatch.runtime import open_runtime
from forewatch.store import incidents, timeline

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]


def three_free_ports() -> int:
    """The first of three in a row that nobody listens on; the shop takes them one by one."""

    def look() -> int | None:
        first = free_port()
        taken = []
        for port in range(first, first + 3):
            with socket.socket() as probe:
                taken.append(probe.connect_ex(("127.0.0.1", port)) == 0)
        return None if any(taken) else first

    return wait_for("three free ports in a row", look)


def test_a_leaking_process_is_restarted_before_it_is_killed(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "examples.shop.demo", "--once", "--fault", "leak", "--service", "stock",
         "--folder", str(tmp_path), "--port", str(free_port()), "--prefect-port", str(free_port()),
         "--first-shop-port", str(three_free_ports())],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout + told.stderr
    promised = re.search(r"stock would have been killed after (\d+) s. It was not: pid (\d+) was", told.stdout)
    assert promised, told.stdout

    assert KILLED not in (tmp_path / "run" / "stock.log").read_text(encoding="utf-8")
    runtime = open_runtime(Home(tmp_path / "state"))
    try:
        with runtime.store.read() as conn:
            [incident] = incidents.listing(conn, open_only=False, limit=5)
            said = "\n".join(entry.text for entry in timeline.of_incident(conn, incident.id))
    finally:
        runtime.store.close()
    # No check failed before: the only reason was the forecast, and the runbook ended the process itself.
    assert "AL-1 (MemoryRunsOut) fires" in said
    assert f"stopped pid {promised.group(2)} with TERM" in said
    assert said.index("MemoryRunsOut") < said.find("CheckFailing") or "CheckFailing" not in said
    assert incident.status == "resolved"
