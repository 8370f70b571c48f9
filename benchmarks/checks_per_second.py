"""How many HTTP checks a second, from due to committed? Sweeps over 1,000 origins, beside the blackbox exporter.

A sweep has every check due at once; it is over when the last result is committed (two points and a state row each).
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import uvloop

from benchmarks import _blackbox
from benchmarks._target import addresses, target
from flows.shifts import COLLECT_AFTER
from forewatch.checking.results import CheckResult
from forewatch.config.models import Config
from forewatch.home import Home
from forewatch.store.engine import Store
from tasks.probes import memory
from tasks.probes.engine import CheckEngine

NAME = "checks_per_second"
ORIGINS = 1000
SWEEPS = (2000, 10000)
TRIALS = 3
CONNECTIONS = (64, 256)
LONGEST = 120.0
"""Seconds after which a sweep is given up."""


async def run(options: argparse.Namespace) -> dict[str, Any]:
    sweeps, trials = ((500,), 1) if options.quick else (SWEEPS, TRIALS)
    hosts = addresses(ORIGINS)
    rows: list[dict[str, Any]] = []
    with target(hosts) as port:
        for count in sweeps:
            urls = [f"http://{hosts[number % ORIGINS]}:{port}/{number}" for number in range(count)]
            for loop in ("uvloop", "asyncio"):
                rows += await asyncio.to_thread(_on_loop, loop, urls, trials)
            if _blackbox.installed():
                rows.append(await asyncio.to_thread(uvloop.run, _blackbox_row(urls, trials)))
            else:
                rows.append({"who": "blackbox exporter", "checks": count, "missing": f"install {_blackbox.PROGRAM}"})
    return {"origins": ORIGINS, "rows": rows}


def _on_loop(name: str, urls: Sequence[str], trials: int) -> list[dict[str, Any]]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop if name == "uvloop" else None) as runner:
        return [runner.run(_forewatch_row(f"forewatch, {name}", urls, trials))]


async def _forewatch_row(who: str, urls: Sequence[str], trials: int) -> dict[str, Any]:
    runs = [await _forewatch_sweep(urls) for _ in range(trials)]
    return _row(who, len(urls), runs)


async def _forewatch_sweep(urls: Sequence[str]) -> tuple[float, float]:
    """(seconds, CPU seconds of this process) for one sweep, store included."""
    services = [
        {"name": f"s{number}", "checks": [{"http": url, "every": "1h", "timeout": "30s"}]}
        for number, url in enumerate(urls)
    ]
    config = Config.model_validate({"services": services})
    done = asyncio.Event()
    committed = 0
    failed: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder, "home"))
        home.create()
        store = Store.open(home, migrate=True)

        def write(results: list[CheckResult]) -> None:
            with store.measure() as conn:
                memory.write(conn, results)

        async def on_results(results: list[CheckResult]) -> None:
            nonlocal committed
            await store.run(write, results)
            committed += len(results)
            failed.extend(one.result.reason for one in results if not one.result.ok)
            if committed >= len(urls):
                done.set()

        async def on_transition(event: object) -> None:
            """A failing check shows in `failed`."""

        engine = CheckEngine(config, Path(folder), {}, on_transition, on_results, first_round=0.0)
        gc.collect()
        # As a shift does.
        gc.freeze()
        gc.set_threshold(*COLLECT_AFTER)
        began, cpu = time.perf_counter(), _own_cpu()
        await engine.start()
        try:
            async with asyncio.timeout(LONGEST):
                await done.wait()
            took, used = time.perf_counter() - began, _own_cpu() - cpu
        finally:
            await engine.stop()
            store.close()
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(urls)} checks failed against a healthy server: {failed[0]}")
    return took, used


async def _blackbox_row(urls: Sequence[str], trials: int) -> dict[str, Any]:
    """The best of several numbers of connections."""
    best: list[tuple[float, float]] = []
    async with _blackbox.exporter() as (port, process):
        for connections in CONNECTIONS:
            runs = []
            for _ in range(trials):
                began, cpu = time.perf_counter(), _cpu(process)
                passed = await asyncio.wait_for(_blackbox.sweep(port, list(urls), connections), LONGEST)
                runs.append((time.perf_counter() - began, _cpu(process) - cpu))
                if passed < len(urls):
                    raise RuntimeError(f"blackbox: {len(urls) - passed} of {len(urls)} probes failed")
            best = min(best or runs, runs, key=lambda some: sorted(some)[len(some) // 2])
    return _row("blackbox exporter", len(urls), best)


def _row(who: str, checks: int, runs: list[tuple[float, float]]) -> dict[str, Any]:
    took, used = sorted(runs)[len(runs) // 2]
    return {
        "who": who,
        "checks": checks,
        "checks_per_second": checks / took,
        "cpu_seconds_per_1000": used / checks * 1000,
        "runs": [{"seconds": seconds, "cpu_seconds": cpu} for seconds, cpu in runs],
    }


def _own_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def table(result: dict[str, Any]) -> str:
    lines = [f"{'':22}{'checks':>8}{'checks/s':>10}{'CPU s/1,000':>13}   ({result['origins']} origins, median)"]
    for row in result["rows"]:
        head = f"{row['who']:22}{row['checks']:>8,}"
        if "missing" in row:
            lines.append(f"{head}   not measured: {row['missing']}")
        else:
            lines.append(f"{head}{row['checks_per_second']:>10,.0f}{row['cpu_seconds_per_1000']:>13.2f}")
    lines.append("forewatch: results committed to the store; blackbox: answers received, nothing stored.")
    return "\n".join(lines)
