"""Others that bring a dead service back: a bare loop (the limit), Monit, the Prometheus chain.

Each is an async context manager that guards a victim while its block lasts and gives what to wait for before the next
kill. All check every second, and all start the victim by the same script.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, web

from benchmarks._processes import stop
from benchmarks._victim import Victim, health
from tests.e2e.harness import free_port

EVERY = 1.0
CHECK_TIMEOUT = 0.5
START_TIMEOUT = 15.0

Calm = Callable[[], Awaitable[None]]
"""Returns once the healer has noticed that all is well again, so that no kill meets it busy with the one before."""


async def _at_once() -> None:
    """Nothing to wait for."""


@asynccontextmanager
async def bare_loop(victim: Victim, folder: Path) -> AsyncIterator[Calm]:
    """A loop that looks and starts, and does nothing else: what no check of this interval can beat."""

    async def watch() -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += EVERY
            await asyncio.sleep(due - loop.time())
            if await health(victim.port, CHECK_TIMEOUT) is None:
                await (await asyncio.create_subprocess_exec(str(victim.script))).wait()

    watching = asyncio.create_task(watch())
    try:
        yield _at_once
    finally:
        watching.cancel()


MONIT = ("monit",)


@asynccontextmanager
async def monit(victim: Victim, folder: Path) -> AsyncIterator[Calm]:
    """Monit sees by the pid file that the process is gone, without a request, and starts it."""
    config = folder / "monitrc"
    config.write_text(
        f"set daemon {EVERY:.0f}\nset logfile {folder}/monit.log\nset idfile {folder}/monit.id\n"
        f"set statefile {folder}/monit.state\nset pidfile {folder}/monit.pid\n"
        f'check process {victim.name} with pidfile {victim.pidfile}\n  start program = "{victim.script}"\n',
        encoding="utf-8",
    )
    config.chmod(0o600)
    process = _start(["monit", "-I", "-c", str(config)], folder / "monit.out")
    try:
        await asyncio.sleep(3 * EVERY)
        yield _at_once
    finally:
        stop(process)


PROMETHEUS = ("prometheus", "prometheus-alertmanager", "prometheus-blackbox-exporter")


@asynccontextmanager
async def prometheus(victim: Victim, folder: Path) -> AsyncIterator[Calm]:
    """Blackbox exporter, scraped and judged every second; Alertmanager without waiting; a webhook that restarts."""
    ports = {name: free_port() for name in ("prometheus", "alertmanager", "blackbox")}
    async with _webhook(victim) as hook:
        for name, config in _chain(victim, ports, hook).items():
            # JSON is YAML.
            (folder / name).write_text(json.dumps(config, indent=1), encoding="utf-8")
        listen = {name: f"--web.listen-address=127.0.0.1:{port}" for name, port in ports.items()}
        commands = {
            "blackbox": [PROMETHEUS[2], f"--config.file={folder}/bb.yml", listen["blackbox"]],
            "alertmanager": [
                PROMETHEUS[1], f"--config.file={folder}/am.yml", f"--storage.path={folder}/am",
                listen["alertmanager"], "--cluster.listen-address=",
            ],
            "prometheus": [
                PROMETHEUS[0], f"--config.file={folder}/prom.yml", f"--storage.tsdb.path={folder}/tsdb",
                listen["prometheus"],
            ],
        }  # fmt: skip
        processes = [_start(command, folder / f"{name}.out") for name, command in commands.items()]
        try:
            async with ClientSession(timeout=ClientTimeout(total=2)) as http:
                await _until(
                    lambda: _samples(http, ports["prometheus"]), "Prometheus did not scrape the blackbox exporter"
                )
                yield lambda: _until(lambda: _no_alerts(http, ports["alertmanager"]), "the alert was not resolved")
        finally:
            for process in processes:
                stop(process)


def _chain(victim: Victim, ports: dict[str, int], hook: str) -> dict[str, dict[str, Any]]:
    probe = {
        "job_name": "probe",
        "metrics_path": "/probe",
        "params": {"module": ["http"], "target": [victim.url]},
        "static_configs": [{"targets": [f"127.0.0.1:{ports['blackbox']}"]}],
    }
    return {
        "bb.yml": {"modules": {"http": {"prober": "http", "timeout": "500ms", "http": {"valid_status_codes": [200]}}}},
        "rules.yml": {"groups": [{"name": "g", "rules": [{"alert": "Down", "expr": "probe_success == 0"}]}]},
        "prom.yml": {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{ports['alertmanager']}"]}]}]},
            "rule_files": ["rules.yml"],
            "scrape_configs": [probe],
        },
        "am.yml": {
            # An alert that comes back within 30 s joins its old group, which then waits for its interval: in its favour
            # that is made so short that it does not matter.
            "route": {"receiver": "restart", "group_wait": "0s", "group_interval": "100ms", "repeat_interval": "1h"},
            "receivers": [{"name": "restart", "webhook_configs": [{"url": hook, "send_resolved": False}]}],
        },
    }


@asynccontextmanager
async def _webhook(victim: Victim) -> AsyncIterator[str]:
    async def restart(request: web.Request) -> web.Response:
        if (await request.json())["status"] == "firing":
            await (await asyncio.create_subprocess_exec(str(victim.script))).wait()
        return web.Response()

    app = web.Application()
    app.router.add_post("/restart", restart)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    port = free_port()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{port}/restart"
    finally:
        await runner.cleanup()


async def _samples(http: ClientSession, port: int) -> bool:
    async with http.get(f"http://127.0.0.1:{port}/api/v1/query", params={"query": "probe_success"}) as answer:
        found = (await answer.json())["data"]["result"]
    return bool(found) and found[0]["value"][1] == "1"


async def _no_alerts(http: ClientSession, port: int) -> bool:
    async with http.get(f"http://127.0.0.1:{port}/api/v2/alerts") as answer:
        return not await answer.json()


async def _until(look: Callable[[], Awaitable[bool]], complaint: str) -> None:
    for _ in range(int(START_TIMEOUT / 0.1)):
        try:
            if await look():
                return
        except (ClientError, TimeoutError, OSError):
            pass  # it has not begun to listen yet
        await asyncio.sleep(0.1)
    raise TimeoutError(f"{complaint} within {START_TIMEOUT:.0f} s")


def missing(programs: Sequence[str]) -> str | None:
    """What has to be installed for a peer, None where all is there."""
    absent = [program for program in programs if shutil.which(program) is None]
    return f"install {' '.join(absent)}" if absent else None


def version(program: str) -> str:
    """As the program itself tells it, the digits alone."""
    flag = "-V" if program == "monit" else "--version"
    told = subprocess.run([program, flag], capture_output=True, text=True, timeout=10, check=False)
    found = re.search(r"\d+\.\d+(\.\d+)?", told.stdout + told.stderr)
    return found[0] if found else "of unknown version"


def _start(command: Sequence[str], output: Path) -> subprocess.Popen[bytes]:
    with output.open("ab") as sink:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True)
