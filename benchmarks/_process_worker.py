"""Prefect's own process worker as a peer: its server and `prefect worker start --type process`, both as they come."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks._forewatch import until
from benchmarks._processes import stop
from tests.e2e.harness import free_port

POOL = "bench"
START_TIMEOUT = 120.0

DEPLOY = """\
import sys
from prefect import flow

if __name__ == "__main__":
    folder, pool = sys.argv[1:]
    flow.from_source(source=folder, entrypoint="note_time.py:note_time").deploy("note-time", work_pool_name=pool)
"""


@asynccontextmanager
async def process_worker(folder: Path, flow: str) -> AsyncIterator[tuple[httpx.AsyncClient, str]]:
    """The API of a server whose worker has taken up work, and the id of the deployment of `note_time.py`.

    `flow`: the text of that file, with an async Prefect flow `note_time`.
    """
    (folder / "note_time.py").write_text(flow, encoding="utf-8")
    (folder / "deploy.py").write_text(DEPLOY, encoding="utf-8")
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")} | {
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_PROFILES_PATH": str(folder / "prefect" / "profiles.toml"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        with (folder / "prefect.log").open("ab") as sink:
            return subprocess.Popen(
                [sys.executable, *arguments], cwd=folder, env=environment,
                stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True,
            )  # fmt: skip

    running = [start("-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port))]
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/api", timeout=20, trust_env=False) as api:
            await until("Prefect's server", lambda: _answers(api), START_TIMEOUT)
            running.append(start("-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process"))
            await until("Prefect's worker", lambda: _online(api), START_TIMEOUT)
            deploying = start("deploy.py", str(folder), POOL)
            if await asyncio.to_thread(deploying.wait, START_TIMEOUT) != 0:
                raise RuntimeError("the flow could not be deployed:\n" + (folder / "prefect.log").read_text()[-2000:])
            found = await api.get("/deployments/name/note-time/note-time")
            yield api, found.raise_for_status().json()["id"]
    finally:
        for process in reversed(running):
            await asyncio.to_thread(stop, process)


async def _answers(api: httpx.AsyncClient) -> bool:
    try:
        return (await api.get("/health")).status_code == 200
    except httpx.HTTPError:
        return False


async def _online(api: httpx.AsyncClient) -> bool:
    answer = await api.post(f"/work_pools/{POOL}/workers/filter", json={})
    workers: list[dict[str, Any]] = answer.json() if answer.status_code == 200 else []
    return any(worker["status"] == "ONLINE" for worker in workers)
