"""How soon is somebody paged of a critical alert while 50,000 others wait to be decided?

The real `serve`, store, drain, outbox and webhook notifier, in two processes. The flood is posted first. Then critical
alerts come, each of a service and for a receiver of its own, so that no digest gathers them; and each with the end of
the one before it. Last, 20,000 alerts in 20 posts: how long until all are decided?
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import _intake
from benchmarks._figures import percentile
from benchmarks._intake import Client, Server

NAME = "page_behind_flood"
FLOOD = 50_000
A_POST = 500
CRITICAL = 40
EVERY = 0.25
"""Seconds between two critical alerts."""
BURST = 20_000
BURST_POSTS = 20
LOOK_EVERY = 0.01
PATIENCE = 60.0
"""Seconds for a page to come."""
DECIDED_WITHIN = 1200.0
_FLOOD_LEFT = "SELECT count(*) FROM inbox WHERE seq >= ? AND seq NOT IN (SELECT seq FROM critical_lane)"


async def run(options: argparse.Namespace) -> dict[str, Any]:
    scale = 20 if options.quick else 1
    return {
        "flood": await _behind_flood(FLOOD // scale, max(CRITICAL // scale, 5)),
        "burst": await _burst(BURST // scale, BURST_POSTS),
    }


def table(result: dict[str, Any]) -> str:
    flood, burst = result["flood"], result["burst"]
    lines = [
        f"{flood['alerts']:,} warnings wait; {flood['left']:,} of their {flood['rows']:,} posts still did at the end",
        f"{'seconds from the post of a critical alert':44}{'n':>4}{'median':>9}{'p99':>9}{'max':>9}",
    ]
    for what, found in flood["seconds"].items():
        lines.append(
            f"{'to ' + what:44}{len(found):>4}"
            f"{percentile(found, 0.5):>9.3f}{percentile(found, 0.99):>9.3f}{max(found):>9.3f}"
        )
    lines.append(
        f"{burst['alerts']:,} new alerts in {burst['posts']} posts: taken in after {burst['taken']:.1f} s, all decided "
        f"after {burst['decided']:.1f} s ({burst['alerts'] / burst['decided']:,.0f}/s), the critical "
        f"{burst['critical']:,} of them after {burst['critical_decided']:.1f} s"
    )
    return "\n".join(lines)


class _Receiver:
    """Answers every POST with 200 and remembers when each path was called first."""

    def __init__(self) -> None:
        self.heard: dict[str, asyncio.Future[float]] = {}

    async def __aenter__(self) -> _Receiver:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    def expected(self, path: str) -> asyncio.Future[float]:
        return self.heard.setdefault(path, asyncio.get_running_loop().create_future())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                length = 0
                while (header := await reader.readline()) not in (b"\r\n", b""):
                    name, _, value = header.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                await reader.readexactly(length)
                heard = self.expected(line.split()[1].decode())
                if not heard.done():
                    heard.set_result(time.perf_counter())
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def _config(port: int, count: int) -> str:
    address = f"http://127.0.0.1:{port}"
    config: dict[str, Any] = {
        "hosts": ["bench"],
        "services": [{"name": "host"}],
        "sources": [{"name": "bench", "alertmanager": {}}],
        "notifiers": [{"name": "chat", "webhook": {"url": f"{address}/chat"}}]
        + [{"name": f"pager-{n}", "webhook": {"url": f"{address}/pager-{n}"}} for n in range(count)],
        "routes": [{"match": {"team": f"team-{n}"}, "notify": [f"pager-{n}"]} for n in range(count)]
        + [{"notify": ["chat"]}],
    }
    return json.dumps(config)  # which is YAML too


def _critical(number: int, *, over: bool = False) -> dict[str, object]:
    labels = {
        "alertname": "Down",
        "service": f"critical-{number}",
        "severity": "critical",
        "team": f"team-{number}",
    }
    return {"labels": labels} | ({"endsAt": "2020-01-01T00:00:00Z", "startsAt": "2019-12-31T00:00:00Z"} if over else {})


async def _behind_flood(alerts: int, count: int) -> dict[str, Any]:
    posts = alerts // A_POST
    async with _Receiver() as receiver:
        with tempfile.TemporaryDirectory() as folder:
            config = _config(receiver.port, count)
            async with _intake.forewatch(Path(folder), beside="benchmarks._paging", config_text=config) as server:
                client = await _client(server)
                for post in range(posts):
                    await _sent(client, [_intake.alert(post * A_POST + n) for n in range(A_POST)])
                seconds: dict[str, list[float]] = {"its answer": [], "its decision": [], "its page": [], "its end": []}
                with _Looking(server) as looking:
                    for number in range(count):
                        await _one(number, client, receiver, looking, seconds)
                        await asyncio.sleep(EVERY)
                    left = looking.undecided()
    return {"alerts": alerts, "rows": posts, "left": left, "seconds": seconds}


async def _one(
    number: int, client: Client, receiver: _Receiver, looking: _Looking, seconds: dict[str, list[float]]
) -> None:
    paged = receiver.expected(f"/pager-{number}")
    began = time.perf_counter()
    await _sent(client, [_critical(number)])
    seconds["its answer"].append(time.perf_counter() - began)
    await looking.until(f"critical-{number}", "firing")
    seconds["its decision"].append(time.perf_counter() - began)
    seconds["its page"].append(await asyncio.wait_for(paged, PATIENCE) - began)
    began = time.perf_counter()
    await _sent(client, [_critical(number, over=True)])
    await looking.until(f"critical-{number}", "resolved")
    seconds["its end"].append(time.perf_counter() - began)


async def _burst(alerts: int, posts: int) -> dict[str, Any]:
    """One in ten is critical."""
    size = alerts // posts
    made = [_intake.alert(number) for number in range(alerts)]
    critical = made[::10]
    for one in critical:
        one["labels"] = {**dict(one["labels"]), "severity": "critical"}  # type: ignore[call-overload]
    async with _Receiver() as receiver:
        with tempfile.TemporaryDirectory() as folder:
            config = _config(receiver.port, 1)
            async with _intake.forewatch(Path(folder), beside="benchmarks._paging", config_text=config) as server:
                client = await _client(server)
                began = time.perf_counter()
                for post in range(posts):
                    await _sent(client, made[post * size : (post + 1) * size])
                taken = time.perf_counter() - began
                with _Looking(server) as looking:
                    first = await looking.counted(len(critical), "critical") - began
                    decided = await looking.counted(alerts) - began
    return {
        "alerts": alerts,
        "posts": posts,
        "taken": taken,
        "critical": len(critical),
        "critical_decided": first,
        "decided": decided,
    }


async def _client(server: Server) -> Client:
    _, client = await asyncio.get_running_loop().create_connection(Client, "127.0.0.1", server.port)
    return client


async def _sent(client: Client, alerts: list[dict[str, object]]) -> None:
    status = await client.send(_intake.request(alerts))
    if status != 200:
        raise RuntimeError(f"{len(alerts)} alerts were answered with {status}")


class _Looking:
    """Looks into the files from outside, without taking any lock."""

    def __init__(self, server: Server) -> None:
        assert server.home is not None
        self._home = server.home

    def __enter__(self) -> _Looking:
        self._decisions, self._intake = (
            sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
            for path in (self._home.decisions_db, self._home.intake_db)
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._decisions.close()
        self._intake.close()

    def undecided(self) -> int:
        """Posts of the flood that wait."""
        mark = self._decisions.execute("SELECT value FROM counters WHERE name = 'inbox.seq'").fetchone()
        asked = (mark[0] if mark else 0,)
        return int(self._intake.execute(_FLOOD_LEFT, asked).fetchone()[0])

    async def until(self, service: str, status: str) -> None:
        """Until an alert of a service is stored so. Raises RuntimeError where it is not in time."""
        await self._look("SELECT count(*) FROM alerts WHERE service = ? AND status = ?", (service, status), 1, PATIENCE)

    async def counted(self, count: int, severity: str = "%") -> float:
        """When so many alerts of a severity were stored. Raises RuntimeError where that takes too long."""
        asked = "SELECT count(*) FROM alerts WHERE severity LIKE ?"
        await self._look(asked, (severity,), count, DECIDED_WITHIN, 10 * LOOK_EVERY)
        return time.perf_counter()

    async def _look(
        self, asked: str, given: tuple[str, ...], count: int, patience: float, every: float = LOOK_EVERY
    ) -> None:
        until = time.perf_counter() + patience
        while time.perf_counter() < until:
            if self._decisions.execute(asked, given).fetchone()[0] >= count:
                return
            await asyncio.sleep(every)
        raise RuntimeError(f"after {patience:g} s there are not {count} alerts ({', '.join(given)})")
