"""How long does somebody at a terminal wait, and what does a changed configuration cost, with thousands of services?

A store of many services, all up, and fifty open incidents; nothing runs beside it. Each command is a process of its
own, imports included. A changed configuration is parsed once by the supervisor, loaded by each of the other processes.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks._figures import summary
from forewatch.config import parsed_cache
from forewatch.config.files import load_files
from forewatch.config.loader import parse
from forewatch.config.reload import ConfigWatcher
from forewatch.deciding import decide
from forewatch.home import Home
from forewatch.incidents.events import AlertRaised
from forewatch.orchestration.settings import Settings
from forewatch.runtime import open_runtime
from forewatch.store import check_states
from forewatch.store.check_states import CheckState
from forewatch.store.engine import Store

NAME = "commands"
SERVICES = 2000
INCIDENTS = 50
TRIALS = 5
COMMANDS = (("--version",), ("status",), ("incidents", "list"), ("silences", "list"), ("runbooks", "list"))
START = "from forewatch.cli import main; main()"

SERVICE = """\
  - name: service-{number:04}
    labels: {{team: team-{team}}}
    checks:
      - http: http://127.0.0.1:9000/{number}
        every: 10s
        timeout: 5s
        expect: {{status: 200, body: ok}}
"""


async def run(options: argparse.Namespace) -> dict[str, Any]:
    services = 200 if options.quick else SERVICES
    return await asyncio.to_thread(_measure, services)


def _measure(services: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="forewatch-bench-") as name:
        path, home = Path(name, "forewatch.yaml"), Home(Path(name, "state"))
        _fill(path, home, services)
        files = load_files(path)
        config = parse(files)
        parsed_cache.keep(home, files, config)
        return {
            "services": services,
            "commands": {" ".join(words): _typed(words, home) for words in COMMANDS},
            "configuration": {
                "read and parsed": _timed(lambda: parse(load_files(path))),
                "loaded": _timed(lambda: parsed_cache.parsed(home, files)),
            },
        }


def _fill(path: Path, home: Home, services: int) -> None:
    names = [f"service-{number:04}" for number in range(services)]
    text = "".join(SERVICE.format(number=number, team=number % 20) for number in range(services))
    path.write_text(f"services:\n{text}", encoding="utf-8")
    home.create()
    Store.open(home, migrate=True).close()
    runtime = open_runtime(home)
    ConfigWatcher(path, runtime.store, runtime.clock).load_first()
    Settings(config=str(path)).write(home)
    now = runtime.clock.now()
    with runtime.store.measure() as conn:
        check_states.put_many(
            conn, [CheckState(name, "http", "default", "up", 0, 3, now, now, 0.01, "200 after 2 ms") for name in names]
        )
    for name in names[:INCIDENTS]:
        labels = {"alertname": "CheckFailing", "service": name, "check": "http", "severity": "critical"}
        event = AlertRaised(labels, {"summary": f"http of {name} fails"}, now)
        decide(runtime.store, event, config=runtime.configuration.current(), now=now)
    runtime.store.close()


def _typed(words: tuple[str, ...], home: Home) -> dict[str, Any]:
    """Seconds on the wall and of CPU; the first run, which may write bytecode, does not count."""
    command = [sys.executable, "-c", START, *words, *(() if words == ("--version",) else ("--home", str(home.root)))]
    walls, used = [], []
    for trial in range(TRIALS + 1):
        before, began = _children(), time.monotonic()
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if trial:
            walls.append(time.monotonic() - began)
            used.append(_children() - before)
        # `status` exits with 1, since nothing runs here.
        if ended.returncode not in (0, 1) or not ended.stdout:
            raise RuntimeError(f"forewatch {' '.join(words)} failed: {ended.stderr}")
    return {"wall": summary(walls), "cpu": summary(used)}


def _timed(work: Callable[[], object]) -> dict[str, Any]:
    walls, used = [], []
    for _ in range(TRIALS):
        began, before = time.monotonic(), time.process_time()
        work()
        walls.append(time.monotonic() - began)
        used.append(time.process_time() - before)
    return {"wall": summary(walls), "cpu": summary(used)}


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def table(result: dict[str, Any]) -> str:
    lines = [f"{'':28}{'wall s':>8}{'CPU s':>8}   ({result['services']:,} services, medians of {TRIALS})"]
    rows = {f"forewatch {words}": found for words, found in result["commands"].items()}
    rows |= {f"configuration {what}": found for what, found in result["configuration"].items()}
    for what, found in rows.items():
        lines.append(f"{what:28}{found['wall']['median']:>8.2f}{found['cpu']['median']:>8.2f}")
    lines.append(f"load {os.getloadavg()[0]:.1f}")
    return "\n".join(lines)
