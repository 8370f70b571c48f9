"""Does a loaded machine get slower, and never worse? `make soak`: ten minutes, a table, exit code 1 on a miss.

2,000 healthy services are checked every 10 s with a time-out of 5 s while two busy loops run at normal priority, from
before the start. 20,000 alerts are posted, in 20 posts, and once more later on. Lateness is what the store shows: the
time between two verdicts of a check beyond its `every`. Not one of `python -m benchmarks`: it judges, and takes long.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import httpx

from benchmarks._figures import percentile
from benchmarks._forewatch import holders
from benchmarks._target import addresses, target
from benchmarks.footprint import MIB, tree
from forewatch.clock import iso, seconds
from forewatch.orchestration.launcher import STANDS_IN
from forewatch.runtime import Runtime
from forewatch.store import inbox, incidents, points, series
from tests.e2e.harness import Forewatch

SERVICES = 2_000
EVERY = 10.0
ALERTS = 20_000
POSTS = 20
MINUTES = 10.0
BUSY_LOOPS = 2
STARTED_WITHIN = 600.0
SETTLES = 0.1
"""Share of the time before the first burst, and at most `SETTLES_AT_MOST` seconds."""
SETTLES_AT_MOST = 60.0
MOST_WAITED = 300.0
"""Seconds a burst is waited for; above its goal it is a miss long before."""

LATENESS = 2 * EVERY
DECIDED_WITHIN = 60.0
GROWTH = 0.1
PREFIX = "soak-"

_CHECK = """\
  - name: {prefix}{number:04}
    checks:
      - {{http: "http://{host}:{port}/health", every: {every:g}s, timeout: 5s, expect: {{status: 200, body: ok}}}}
"""
_CONFIG = """\
services:
{services}
sources: [{{name: soak, alertmanager: {{}}}}]
notifiers: [{{name: terminal, console: {{}}}}]
routes: [{{match: {{}}, notify: [terminal]}}]
"""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    found: float
    most: float
    unit: str = ""

    @property
    def met(self) -> bool:
        return self.found <= self.most


@contextmanager
def busy_loops() -> Iterator[None]:
    """As many processes as cores that never wait, at the priority of this one."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(BUSY_LOOPS)]
    try:
        yield
    finally:
        for one in loops:
            one.kill()
            one.wait()


async def soak(minutes: float) -> list[Row]:
    hosts = addresses(SERVICES)
    with (
        tempfile.TemporaryDirectory(prefix="forewatch-soak-") as name,
        target(hosts, STARTED_WITHIN) as port,
        busy_loops(),
    ):
        checks = "".join(
            _CHECK.format(prefix=PREFIX, number=number, host=host, port=port, every=EVERY)
            for number, host in enumerate(hosts)
        )
        forewatch = Forewatch(Path(name))
        forewatch.write_config(_CONFIG.format(services=checks.rstrip("\n")))
        try:
            forewatch.up(wait=False)
            await asyncio.to_thread(forewatch.wait_ready, STARTED_WITHIN)
            with forewatch.runtime() as runtime:
                return await _measure(forewatch, runtime, minutes * 60)
        except BaseException:
            print(forewatch.tail(), file=sys.stderr)
            raise
        finally:
            try:
                await asyncio.to_thread(forewatch.stop, 60.0)
            except subprocess.TimeoutExpired:
                forewatch.sweep()


async def _measure(forewatch: Forewatch, runtime: Runtime, length: float) -> list[Row]:
    began, since = time.monotonic(), runtime.clock.now()
    _say(f"{SERVICES} services stand under watch")
    await asyncio.sleep(min(SETTLES_AT_MOST, SETTLES * length))
    before = await asyncio.to_thread(_memory, forewatch, runtime)
    bursts = []
    for number in range(2):
        bursts.append(await _burst(forewatch, runtime))
        _say(f"burst {number + 1} of {ALERTS} alerts decided after {bursts[-1]:.1f} s")
        if number == 0:
            await asyncio.sleep(max(0.0, began + length / 2 - time.monotonic()))
    await asyncio.sleep(max(0.0, began + length - time.monotonic()))
    after = await asyncio.to_thread(_memory, forewatch, runtime)
    late = await asyncio.to_thread(_lateness, runtime, since)
    opened = _opened(runtime)
    healthy = [severity for service, severity in opened if service.startswith(PREFIX)]
    return [
        Row("lateness of checks, p50", percentile(late, 0.5), float("inf"), "s"),
        Row("lateness of checks, p99", percentile(late, 0.99), LATENESS, "s"),
        *(Row(f"burst {number} decided after", took, DECIDED_WITHIN, "s") for number, took in enumerate(bursts, 1)),
        Row("stand-ins after the start", stand_ins(forewatch.home.logs, since), 0),
        Row("critical incidents of healthy services", healthy.count("critical"), 0),
        Row("other incidents of healthy services", len(healthy) - healthy.count("critical"), 0),
        Row("incidents of Forewatch itself", sum(service == "forewatch" for service, _ in opened), float("inf")),
        Row("PSS before", before / MIB, float("inf"), "MiB"),
        Row("PSS at the end", after / MIB, (1 + GROWTH) * before / MIB, "MiB"),
    ]


async def _burst(forewatch: Forewatch, runtime: Runtime) -> float:
    """Post the alerts; seconds from the first post until the last of them is decided."""
    began = time.monotonic()
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        for post in range(POSTS):
            alerts = [_alert(number) for number in range(post, ALERTS, POSTS)]
            answer = await client.post(f"http://127.0.0.1:{forewatch.port}/api/v2/alerts", json=alerts)
            answer.raise_for_status()
    with runtime.store.read_intake() as conn:
        newest = inbox.newest(conn)
    while time.monotonic() - began < MOST_WAITED:
        with runtime.store.read() as conn:
            if inbox.mark(conn).seq > newest:
                break
        await asyncio.sleep(0.25)
    return time.monotonic() - began


def _alert(number: int) -> dict[str, object]:
    return {
        "labels": {
            "alertname": "HighLatency",
            "service": f"flood-{number % 100}",
            "instance": f"10.0.{number // 250 % 250}.{number % 250}:9100",
            "severity": "warning",
            "number": str(number),
        },
        "annotations": {"summary": "Requests take longer than they should"},
    }


def _memory(forewatch: Forewatch, runtime: Runtime) -> int:
    """Bytes of proportional set size of the whole tree."""
    return sum(sample.memory for sample in tree(forewatch, holders(runtime)))


def _lateness(runtime: Runtime, since: int) -> list[float]:
    """Seconds beyond `every` between two verdicts, of every check; one that had none since is as late as all that."""
    now = runtime.clock.now()
    found: dict[str, list[int]] = defaultdict(list)
    with runtime.store.read_metrics() as conn:
        for one in series.find(conn, "check.up"):
            if one.labels.get("service", "").startswith(PREFIX):
                found[one.labels["service"]] = [at for at, _ in points.between(conn, one.id, since, now)]
    late = []
    for number in range(SERVICES):
        moments = [since, *found[f"{PREFIX}{number:04}"], now]
        late += [max(0.0, seconds(after - before) - EVERY) for before, after in pairwise(moments)]
    return late


def _opened(runtime: Runtime) -> list[tuple[str, str]]:
    """Service and severity of every incident."""
    with runtime.store.read() as conn:
        return [(one.service, one.severity) for one in incidents.listing(conn, open_only=False, limit=1_000_000)]


def stand_ins(logs: Path, since: int) -> int:
    """How many the worker has sent since then, what a log that grew too large has left in `.log.1` included.

    Those of the start are older: the watch stands before the soak begins.
    """
    lines = [line for path in logs.glob("worker.log*") for line in path.read_text("utf-8", "replace").splitlines()]
    return sum(STANDS_IN in line and line[: len(iso(since))] >= iso(since) for line in lines)


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def table(rows: list[Row]) -> str:
    lines = [f"{'':42}{'found':>12}{'at most':>12}"]
    for row in rows:
        most = "" if row.most == float("inf") else f"{row.most:,.1f}"
        verdict = "" if row.met else "   MISSED"
        lines.append(f"{row.what:42}{row.found:>12,.1f}{most:>12} {row.unit:4}{verdict}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, metavar="N", help=f"default {MINUTES:g}")
    rows = asyncio.run(soak(parser.parse_args().minutes))
    print(table(rows))
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
