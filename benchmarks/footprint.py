"""What does a quiet Forewatch cost? Memory and CPU of its whole tree while it watches a hundred services, and the disk.

100 HTTP checks every 10 s against a local server, host metrics every 15 s, everything else as it comes. Memory is the
proportional set size, so that what the forked children share counts once. Store growth is that of the pages in use over
the window after warm-up, held to go on for a day: retention, nightly roll-ups and busier days change it.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks._figures import slope
from benchmarks._forewatch import VERSIONS, holders, standing
from benchmarks._processes import Ledger, Sample, look, memory_by_role
from benchmarks._target import addresses, target
from forewatch.home import Home
from forewatch.orchestration import orphans
from forewatch.runtime import Runtime
from tests.e2e.harness import Forewatch

NAME = "footprint"
CHECKS = 100
MINUTES = 5.0
WARM_UP = 60.0
SAMPLE_EVERY = 5.0
DAY = 86400.0
MIB = 1024 * 1024

CHECK = """\
  - name: service-{number:03}
    checks:
      - {{http: "http://{host}:{port}/health", every: 10s, timeout: 2s, expect: {{status: 200, body: ok}}}}
"""
CONFIG = """\
services:
{services}
metrics: {{every: 15s}}
notifiers: [{{name: terminal, console: {{}}}}]
routes: [{{match: {{}}, notify: [terminal]}}]
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, metavar="N", help=f"length of the footprint's window ({MINUTES:g})")


async def run(options: argparse.Namespace) -> dict[str, Any]:
    minutes = options.minutes or (0.5 if options.quick else MINUTES)
    warm_up = 10.0 if options.quick else WARM_UP
    hosts = addresses(CHECKS)
    with tempfile.TemporaryDirectory(prefix="forewatch-bench-") as name, target(hosts) as port:
        services = "".join(CHECK.format(number=number, host=host, port=port) for number, host in enumerate(hosts))
        async with standing(Path(name), CONFIG.format(services=services.rstrip("\n"))) as forewatch:
            with forewatch.runtime() as runtime:
                await asyncio.sleep(warm_up)
                found = await _watch(forewatch, runtime, minutes * 60)
                failing = [problem for problem in forewatch.incidents() if problem.service.startswith("service-")]
    if failing:
        raise RuntimeError(f"{len(failing)} incidents against a healthy server: the machine is too busy to measure")
    return {"checks": CHECKS, "minutes": minutes, "warm_up": warm_up, "versions": VERSIONS, **found}


async def _watch(forewatch: Forewatch, runtime: Runtime, seconds: float) -> dict[str, Any]:
    ledger = Ledger()
    stood: dict[int, str] = {}
    memories: list[dict[str, int]] = []
    sizes: list[tuple[float, dict[str, int]]] = []
    began = time.monotonic()
    while True:
        now = time.monotonic()
        stood |= await runtime.store.run(holders, runtime)
        samples = await asyncio.to_thread(tree, forewatch, stood)
        ledger.note(samples)
        memories.append(memory_by_role(samples))
        sizes.append((now, used_bytes(forewatch.home)))
        if now - began >= seconds:
            break
        await asyncio.sleep(min(SAMPLE_EVERY, began + seconds - now + 0.01))
    took = now - began
    largest = max(memories, key=lambda each: sum(each.values()))
    totals = sorted(sum(each.values()) for each in memories)
    return {
        "seconds": took,
        "memory": {"median": totals[len(totals) // 2], "max": totals[-1], "by_role": largest},
        "cpu": {
            "share": ledger.total() / took,
            "by_role": {role: used / took for role, used in ledger.by_role().items()},
        },
        "growth_per_day": {file: slope([(at, size[file]) for at, size in sizes]) * DAY for file in sizes[0][1]},
    }


def tree(forewatch: Forewatch, stood: dict[int, str]) -> list[Sample]:
    """A sample of every process of this Forewatch, with its role. `stood`: which shift a process stands, or has."""
    assert forewatch.process is not None
    top = psutil.Process(forewatch.process.pid)
    below = {process.pid: process for process in top.children(recursive=True)}
    known = {top.pid: "supervisor"}
    for part in ("server", "worker", "serve"):
        known |= {process.pid: part for process in orphans.living(forewatch.home, part)}
    children = {process.pid for process in orphans.living(forewatch.home, "children")}
    samples = []
    for pid in {top.pid, *below, *children}:
        sample = look(pid, "")
        if sample is not None:
            role = role_of(pid, sample.command, known, children, stood)
            samples.append(Sample(pid, role, sample.stat, sample.memory, sample.command))
    return samples


def role_of(pid: int, command: str, known: dict[int, str], children: set[int], stood: dict[int, str]) -> str:
    """What a process does, in a word. A child's command line is its forkserver's, so what it is comes first."""
    if pid in known:
        return known[pid]
    if pid in children:
        return stood.get(pid, "spares and flow runs")
    if "forkserver" in command:
        # Forked off the worker, whose command line it bears.
        return "forkserver"
    return "resource tracker" if "resource_tracker" in command else "other"


def used_bytes(home: Home) -> dict[str, int]:
    """Bytes of the pages in use of each store; a file's size alone moves in jumps."""
    files = {
        "decisions": home.decisions_db,
        "metrics": home.metrics_db,
        "prefect": home.prefect / "prefect.db",
    }
    return {name: _used(path) for name, path in files.items()}


def _used(path: Path) -> int:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        pages, free, size = (
            connection.execute(f"PRAGMA {what}").fetchone()[0] for what in ("page_count", "freelist_count", "page_size")
        )
    finally:
        connection.close()
    return int((pages - free) * size)


def table(result: dict[str, Any]) -> str:
    memory, cpu = result["memory"], result["cpu"]
    lines = [f"{'':24}{'PSS MiB':>9}{'CPU % of a core':>17}   ({result['checks']} checks, {result['minutes']:g} min)"]
    for role in sorted({*memory["by_role"], *cpu["by_role"]}, key=lambda role: -memory["by_role"].get(role, 0)):
        held, used = memory["by_role"].get(role), cpu["by_role"].get(role, 0.0)
        lines.append(f"{role:24}{held / MIB if held else 0:>9.0f}{used * 100:>17.1f}")
    lines.append(f"{'all, at the largest':24}{memory['max'] / MIB:>9.0f}{cpu['share'] * 100:>17.1f}")
    lines.append(f"{'all, median':24}{memory['median'] / MIB:>9.0f}")
    for file, growth in result["growth_per_day"].items():
        lines.append(f"{file + ' grows by':24}{growth / MIB:>9.0f} MiB a day at this pace, before retention")
    lines.append("ended: processes between the last look at them and their end.")
    return "\n".join(lines)
