"""10,000 HTTP checks at 10 s: how late do they begin, and what does that cost? Against nginx on the same cores.

As `check-health` does it, on uvloop and with everything committed to a store of its own. The first 10 s are not
counted.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import uvloop

from benchmarks import _nginx
from benchmarks._target import addresses
from flows.shifts import COLLECT_AFTER
from forewatch.checking.results import CheckKey, CheckResult, ProbeResult
from forewatch.config.models import Check, Config, Instance
from forewatch.home import Home
from forewatch.store.engine import Store
from tasks.probes import ProbeContext, memory, probe
from tasks.probes.engine import CheckEngine

NAME = "steady_checks"
CHECKS, ORIGINS, EVERY = 10_000, 1000, 10.0
WARM_UP = 10.0


async def run(options: argparse.Namespace) -> dict[str, Any]:
    if not _nginx.installed():
        return {"missing": "install nginx"}
    return await asyncio.to_thread(uvloop.run, _measured(5.0 if options.quick else 40.0))


async def _measured(seconds: float) -> dict[str, Any]:
    async with _nginx.serving() as (port, processes):
        hosts = addresses(ORIGINS)
        services = [
            {"name": f"s{number}", "checks": [{"http": f"http://{hosts[number % ORIGINS]}:{port}/{number}"}]}
            for number in range(CHECKS)
        ]
        return await _watch(Config.model_validate({"services": services}), seconds, processes)


async def _watch(config: Config, seconds: float, target: list[psutil.Process]) -> dict[str, Any]:
    loop, late, failed, told = asyncio.get_running_loop(), [], [], {}
    committed = 0
    due: dict[int, CheckKey] = {}

    async def timed(check: Check, instance: Instance | None, context: ProbeContext) -> ProbeResult:
        late.append(max(0.0, loop.time() - engine._watched[due[id(check)]].due))
        return await probe(check, instance, context)

    def write(results: list[CheckResult]) -> None:
        with store.measure() as conn:
            memory.write(conn, results, told)

    async def on_results(results: list[CheckResult]) -> None:
        nonlocal committed
        await store.run(write, results)
        committed += len(results)
        failed.extend(one.result.reason for one in results if not one.result.ok)

    async def on_transition(event: object) -> None:
        """A failing check shows in `failed`."""

    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder, "home"))
        home.create()
        store = Store.open(home, migrate=True)
        engine = CheckEngine(config, Path(folder), {}, on_transition, on_results, probe=timed)
        gc.collect()
        # As a shift does.
        gc.freeze()
        gc.set_threshold(*COLLECT_AFTER)
        await engine.start()
        due.update((id(one.monitor.check), key) for key, one in engine._watched.items())
        try:
            await asyncio.sleep(WARM_UP)
            late.clear()
            committed, began, own, theirs = 0, time.perf_counter(), _own_cpu(), _cpu(target)
            await asyncio.sleep(seconds)
            took = time.perf_counter() - began
            own, theirs = _own_cpu() - own, _cpu(target) - theirs
            done = committed
        finally:
            await engine.stop()
            store.close()
    late.sort()
    return {
        "checks": CHECKS,
        "every": EVERY,
        "committed_per_second": done / took,
        "failed": len(failed),
        "first_failure": failed[0] if failed else "",
        "lateness": {str(share): late[int(share * (len(late) - 1))] for share in (0.5, 0.99, 1.0)},
        "core": own / took,
        "target_core": theirs / took,
        "cpu_ms_a_check": own / done * 1000,
        "memory_mib": psutil.Process().memory_info().rss / 1024 / 1024,
    }


def _own_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _cpu(processes: list[psutil.Process]) -> float:
    return sum(times.user + times.system for times in (one.cpu_times() for one in processes))


def table(result: dict[str, Any]) -> str:
    if "missing" in result:
        return f"not measured: {result['missing']}"
    late = {share: f"{seconds * 1000:.1f} ms" for share, seconds in result["lateness"].items()}
    own = f"{result['core']:.1%} of a core ({result['cpu_ms_a_check']:.2f} ms a check)"
    return "\n".join(
        [
            f"{result['checks']:,} checks every {result['every']:g} s, {result['committed_per_second']:,.0f} a second "
            f"committed, {result['failed']} failed {result['first_failure']}",
            f"lateness: p50 {late['0.5']}, p99 {late['0.99']}, most {late['1.0']}",
            f"CPU: {own}; nginx {result['target_core']:.1%}",
            f"memory: {result['memory_mib']:.0f} MiB",
        ]
    )
