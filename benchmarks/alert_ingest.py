"""How many alerts a second does POST /api/v2/alerts take, each on the disk before it is answered? Beside Alertmanager.

Singles and batches of 100 on 8 connections; alerts that are new each time, and the same 1,000 again and again, as a
Prometheus repeats what fires. Alertmanager keeps them in memory. Then `serve` is killed under load: is all there that
was answered with 200?
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import _intake
from benchmarks._figures import percentile
from benchmarks._intake import Load, Server
from forewatch.store import inbox
from forewatch.store.engine import Store
from forewatch.store.inbox import Mark

NAME = "alert_ingest"
CONNECTIONS = 8
BATCH = 100
SAME = 1_000
"""Alerts that repeat."""
SECONDS = 8.0
KILLS = 5
DRAINED_WITHIN = 120.0


async def run(options: argparse.Namespace) -> dict[str, Any]:
    seconds, kills = (1.5, 1) if options.quick else (SECONDS, KILLS)
    rows: list[dict[str, Any]] = []
    for size, repeated in itertools.product((1, BATCH), (True, False)):
        with tempfile.TemporaryDirectory() as folder:
            async with _intake.forewatch(Path(folder)) as server:
                rows.append(await _row("forewatch", server, size, repeated, seconds))
        if _intake.installed():
            with tempfile.TemporaryDirectory() as folder:
                async with _intake.alertmanager(Path(folder)) as server:
                    rows.append(await _row("alertmanager", server, size, repeated, seconds))
        else:
            rows.append({"who": "alertmanager", "size": size, "missing": f"install {_intake.ALERTMANAGER}"})
    return {"rows": rows, "kills": [await _kill(0.3 + 0.2 * trial) for trial in range(kills)]}


async def _row(who: str, server: Server, size: int, repeated: bool, seconds: float) -> dict[str, Any]:
    await _intake.load(server.port, _requests(size, repeated), CONNECTIONS, 0.5)  # warm
    cpu = server.cpu()
    done = await _intake.load(server.port, _requests(size, repeated, 10_000_000), CONNECTIONS, seconds)
    used = server.cpu() - cpu
    return {
        "who": who,
        "size": size,
        "repeated": repeated,
        "alerts_per_second": len(done.taken) * size / done.seconds,
        "p50": percentile(done.latencies, 0.5),
        "p99": percentile(done.latencies, 0.99),
        "max": max(done.latencies),
        "refused": done.refused,
        "cpu": used / done.seconds,
        "drained_per_second": await _drained(server, done, size) if server.home is not None and repeated else None,
    }


def _requests(size: int, repeated: bool, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Endless; ready made where they repeat."""
    if repeated:
        made = [_intake.request([_intake.alert(n) for n in range(at, at + size)]) for at in range(0, SAME, size)]
        return enumerate(itertools.cycle(made))
    return (
        (number, _intake.request([_intake.alert(number * size + n) for n in range(size)]))
        for number in itertools.count(start)
    )


async def _drained(server: Server, done: Load, size: int) -> float:
    """Alerts processed a second, from the begin of the load until all of it is."""
    assert server.home is not None
    store = Store.open(server.home)
    began = time.perf_counter()
    try:
        with store.read_intake() as conn:
            newest = inbox.newest(conn)
        while time.perf_counter() - began < DRAINED_WITHIN:
            with store.read() as conn:
                if inbox.mark(conn).seq > newest:
                    return len(done.taken) * size / (done.seconds + time.perf_counter() - began)
            await asyncio.sleep(0.05)
    finally:
        store.close()
    raise RuntimeError(f"what was taken in is not processed after {DRAINED_WITHIN:g} s")


async def _kill(after: float) -> dict[str, Any]:
    """Kill -9 under load, and count what was answered with 200 and is not there."""
    with tempfile.TemporaryDirectory() as folder:
        async with _intake.forewatch(Path(folder), beside=None) as server:
            assert server.home is not None
            sending = asyncio.create_task(
                _intake.load(server.port, _requests(1, repeated=False), CONNECTIONS, after + 5.0)
            )
            await asyncio.sleep(after)
            server.process.kill()
            done = await sending
            await server.process.wait()
            store = Store.open(server.home)
            with store.read_intake() as conn:
                rows = inbox.read(conn, Mark(1, 0), rows=10_000_000, size=1 << 40)
            store.close()
        kept = {int(one["labels"]["number"]) for row in rows for one in json.loads(row.body)}
        return {"answered": len(done.taken), "lost": len(set(done.taken) - kept)}


def table(result: dict[str, Any]) -> str:
    head = f"{'alerts/s':>10}{'p50 ms':>9}{'p99 ms':>9}{'max ms':>9}{'CPU':>7}{'decided/s':>11}"
    lines = [f"{'':15}{'alerts':>8} {'':9}{head}"]
    for row in result["rows"]:
        if "missing" in row:
            lines.append(f"{row['who']:15}{row['size']:>8}   not measured: {row['missing']}")
            continue
        decided = f"{row['drained_per_second']:,.0f}" if row["drained_per_second"] is not None else "-"
        lines.append(
            f"{row['who']:15}{row['size']:>8} {'repeated' if row['repeated'] else 'new':9}"
            f"{row['alerts_per_second']:>10,.0f}{row['p50'] * 1000:>9.1f}{row['p99'] * 1000:>9.1f}"
            f"{row['max'] * 1000:>9.1f}{row['cpu']:>7.2f}{decided:>11}"
            + (f"   {row['refused']} refused" if row["refused"] else "")
        )
    answered, lost = (sum(kill[what] for kill in result["kills"]) for what in ("answered", "lost"))
    lines.append(
        f"kill -9 under load, {len(result['kills'])} times: {answered:,} answered with 200, {lost} of them lost"
    )
    lines.append("forewatch: on the disk (synchronous=FULL) before the 200; alertmanager: in memory.")
    return "\n".join(lines)
