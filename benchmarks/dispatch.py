"""From asked-for to the first line of user code: a spare, a plain child, and Prefect's own process worker.

The same trivial async flow everywhere: its first line writes down the time. "Asked for" is the moment before the call
that asks: the transaction that stores the dispatch row, or the request that creates the flow run.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks._figures import HEAD, line, summary
from benchmarks._forewatch import VERSIONS, idle, standing, until
from benchmarks._process_worker import process_worker
from forewatch.bell import ring
from forewatch.deciding import decide
from forewatch.incidents.events import RunRequested
from forewatch.orchestration.prefect_settings import keys
from forewatch.runtime import Runtime
from tests.e2e.harness import Forewatch

NAME = "dispatch"
RUNS = 20
PEER_RUNS = 10
SEED = 4
POLL = 0.002
GIVE_UP = 60.0
PEER_POLL = 10.0
"""Seconds between two looks of Prefect's worker for work; runs are asked for anywhere between."""
PAUSE = 1.5
TRIES = 20
SPARES = 2

RUNBOOK = """\
import time
from pathlib import Path

from forewatch.runbook import runbook


@runbook(title="Note the time")
async def note_time(path: str) -> str:
    \"\"\"Write down when the first line of a runbook ran.\"\"\"
    Path(path).write_text(f"{time.time()}\\n")
    return "noted"
"""
FLOW = """\
import time
from pathlib import Path

from prefect import flow


@flow(name="note-time")
async def note_time(path: str) -> str:
    Path(path).write_text(f"{time.time()}\\n")
    return "noted"
"""
CONFIG = """\
runbook_folders: ["{folder}"]
shifts: {{spares: {spares}}}
notifiers: [{{name: terminal, console: {{}}}}]
routes: [{{match: {{}}, notify: [terminal]}}]
"""

Ask = Callable[[str], Awaitable[None]]
"""Asks for a run that notes its time in the file of this path."""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--runs", type=int, metavar="N", help=f"dispatches of each kind ({RUNS}, Prefect's {PEER_RUNS})"
    )


async def run(options: argparse.Namespace) -> dict[str, Any]:
    asked = options.runs
    runs, peer_runs = (asked, asked) if asked else ((3, 2) if options.quick else (RUNS, PEER_RUNS))
    with tempfile.TemporaryDirectory(prefix="forewatch-bench-") as name:
        folder = Path(name)
        rows = [*await _forewatch(folder, runs), await _prefect(folder, peer_runs)]
    return {"versions": VERSIONS, "rows": rows}


async def _forewatch(folder: Path, runs: int) -> list[dict[str, Any]]:
    runbooks = folder / "runbooks"
    runbooks.mkdir()
    (runbooks / "note_time.py").write_text(RUNBOOK, encoding="utf-8")
    config = CONFIG.format(folder=runbooks, spares=SPARES)
    async with standing(folder / "forewatch", config) as forewatch, _api(forewatch) as api:
        with forewatch.runtime() as runtime:

            async def by_row(path: str) -> None:
                await runtime.store.run(_request, runtime, path)

            found = await api.get("/deployments/name/note-time/note-time")
            by_api = _creator(api, found.raise_for_status().json()["id"])

            async def rested() -> None:
                await until("the spares", lambda: runtime.store.run(_all_ready, runtime), GIVE_UP)

            async def robbed() -> None:
                await rested()
                await runtime.store.run(_kill_spares, runtime)
                # The worker hears of their death by their pipes.
                await asyncio.sleep(0.1)

            return [
                await _row("spare, by our dispatch row", folder, runs, by_row, rested),
                await _row("spare, by Prefect's API", folder, runs, by_api, rested),
                await _row("plain child, by our dispatch row", folder, runs, by_row, robbed),
            ]


@asynccontextmanager
async def _api(forewatch: Forewatch) -> AsyncIterator[httpx.AsyncClient]:
    """A client of Prefect's API that has logged in and holds the token its CSRF protection asks for."""
    user, _, password = keys(forewatch.home).login.partition(":")
    url = forewatch.prefect_api
    async with httpx.AsyncClient(base_url=url, auth=(user, password), timeout=20, trust_env=False) as api:
        token = (await api.get("/csrf-token", params={"client": NAME})).raise_for_status().json()["token"]
        api.headers.update({"Prefect-Csrf-Token": token, "Prefect-Csrf-Client": NAME})
        yield api


def _creator(api: httpx.AsyncClient, deployment: str) -> Ask:
    async def create(path: str) -> None:
        for _ in range(TRIES):
            body = {"parameters": {"path": path}}
            answer = await api.post(f"/deployments/{deployment}/create_flow_run", json=body)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            # A server whose database is busy; Prefect's own client asks again too.
            await asyncio.sleep(0.1)
        answer.raise_for_status()

    return create


async def _prefect(folder: Path, runs: int) -> dict[str, Any]:
    moments = random.Random(SEED)

    async def at_any_moment() -> None:
        await asyncio.sleep(moments.random() * PEER_POLL)

    async with process_worker(folder, FLOW) as (api, deployment):
        return await _row("Prefect's process worker", folder, runs, _creator(api, deployment), at_any_moment)


async def _row(who: str, folder: Path, runs: int, ask: Ask, prepare: Callable[[], Awaitable[None]]) -> dict[str, Any]:
    took: list[float] = []
    lost: list[str] = []
    for number in range(runs):
        await asyncio.sleep(PAUSE)
        await prepare()
        path = folder / f"{who.replace(' ', '-')}-{number}"
        asked = time.time()
        try:
            await ask(str(path))
            took.append(await _noted(path) - asked)
        except (TimeoutError, httpx.HTTPError) as error:
            lost.append(str(error) or f"not started within {GIVE_UP:.0f} s")
    return {"who": who, "load": os.getloadavg()[1], "seconds": summary(took), "lost": lost, "runs": took}


async def _noted(path: Path) -> float:
    """The time that a run wrote down. Raises TimeoutError."""
    async with asyncio.timeout(GIVE_UP):
        while True:
            if path.exists() and (text := path.read_text(encoding="ascii")).endswith("\n"):
                return float(text)
            await asyncio.sleep(POLL)


def _request(runtime: Runtime, path: str) -> None:
    now = runtime.clock.now()
    event = RunRequested("note-time", {"path": path}, "the benchmark", now)
    decide(runtime.store, event, config=runtime.configuration.current(), now=now)
    ring(runtime.home, "worker")


def _all_ready(runtime: Runtime) -> bool:
    return len(idle(runtime)) >= SPARES


def _kill_spares(runtime: Runtime) -> None:
    for child in idle(runtime):
        child.kill()


def table(result: dict[str, Any]) -> str:
    lines = [f"{'asked for to first line, seconds':34}{HEAD}{'load':>9}"]
    for row in result["rows"]:
        never = f"   never: {len(row['lost'])} ({row['lost'][0]})" if row["lost"] else ""
        lines.append(f"{row['who']:34}{line(row['seconds'])}{row['load']:>9.1f}{never}")
    return "\n".join(lines)
