"""A real Forewatch in a folder of its own: started with `forewatch up`, asked, hurt and stopped as a user would."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

from forewatch.home import Home
from forewatch.orchestration import orphans
from forewatch.orchestration.prefect_settings import keys
from forewatch.orchestration.stand_in import SHIFTS
from forewatch.runtime import Runtime, open_runtime
from forewatch.store import incidents, outbox, runs, shifts, timeline
from forewatch.store.shifts import ShiftRow

T = TypeVar("T")

READY_TIMEOUT = 120.0


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: str, look: Callable[[], T | None], timeout: float = 20.0, every: float = 0.05) -> T:
    """The first thing `look` finds that is true. Fails with a sentence after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(every)
    raise AssertionError(f"waited {timeout:.0f} s in vain for {what}")


@dataclass
class Forewatch:
    """`folder` holds the configuration and the state; nothing of it is shared with another."""

    folder: Path
    port: int = field(default_factory=free_port)
    prefect_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Home:
        return Home(self.folder / "state")

    @property
    def config(self) -> Path:
        return self.folder / "forewatch.yaml"

    @property
    def output(self) -> str:
        """What `forewatch up` has said."""
        return (self.folder / "up.log").read_text(encoding="utf-8", errors="replace")

    @property
    def prefect_api(self) -> str:
        return f"http://127.0.0.1:{self.prefect_port}/api"

    def write_config(self, text: str) -> None:
        self.config.write_text(text, encoding="utf-8")

    def up(self, *, wait: bool = True) -> None:
        """`forewatch up`; waits until `/healthz` says 200 and every watch is stood by a flow run.

        The second wait is long: now and then Prefect's server stands still for a minute right after its start, waiting
        for its own SQLite lock. Forewatch watches on meanwhile, but what needs Prefect has to wait.
        """
        with (self.folder / "up.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(Path(sys.executable).with_name("forewatch")), "up", "--config", str(self.config),
                 "--home", str(self.home.root), "--port", str(self.port), "--prefect-port", str(self.prefect_port)],
                cwd=self.folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
                env={**os.environ, **self.environment},
            )  # fmt: skip
        if wait:
            self.wait_ready()
            wait_for("flow runs to stand", lambda: all(self.shift(name).flow_run_id for name in SHIFTS), 150, every=0.2)
            self.wait_ready()

    def wait_ready(self, timeout: float = READY_TIMEOUT) -> None:
        def look() -> bool:
            assert self.process is None or self.process.poll() is None, f"forewatch up ended:\n{self.output}"
            return self.health()[0] == 200

        try:
            wait_for("Forewatch to stand", look, timeout, every=0.2)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.health()}\n{self.output}\n{self.tail()}") from error

    def health(self) -> tuple[int, dict[str, Any]]:
        """Status and body of `/healthz`; 0 where nobody answers."""
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.port}/healthz", timeout=3, trust_env=False)
        except httpx.HTTPError as error:
            return 0, {"problems": [repr(error)]}
        return answer.status_code, answer.json()

    def tail(self, lines: int = 40) -> str:
        """The ends of all logs, for a failed test's message."""
        return "\n".join(
            f"== {path.name}\n" + "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
            for path in sorted(self.home.logs.glob("*.log"))
        )

    def stop(self, timeout: float = 15.0) -> float:
        """Ctrl-C; returns the seconds it took. Nothing of this Forewatch is left afterwards."""
        began = time.monotonic()
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise
        took = time.monotonic() - began
        self.sweep()
        return took

    def sweep(self) -> None:
        """Kill whatever of this Forewatch still lives."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(5)
        for role in ("worker", "serve", "server", "children"):
            for process in orphans.living(self.home, role):
                for one in [*process.children(recursive=True), process]:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        one.kill()

    def pid(self, role: str) -> int:
        """The pid of `server`, `worker` or `serve`."""
        found = wait_for(f"a {role} process", lambda: orphans.living(self.home, role))
        return found[0].pid

    def kill(self, role: str) -> int:
        """`kill -9` of a part; returns the pid that was."""
        pid = self.pid(role)
        os.kill(pid, signal.SIGKILL)
        return pid

    @contextlib.contextmanager
    def runtime(self) -> Iterator[Runtime]:
        """The store of this Forewatch, opened beside it."""
        opened = open_runtime(self.home)
        try:
            yield opened
        finally:
            opened.store.close()

    def shift(self, name: str) -> ShiftRow:
        """Who stands this watch."""

        def look() -> ShiftRow | None:
            with self.runtime() as runtime, runtime.store.read() as conn:
                return shifts.get(conn, name)

        return wait_for(f"somebody to stand {name}", look)

    def holder_pid(self, name: str) -> int:
        return int(self.shift(name).holder.rpartition(":")[2])

    def incidents(self, service: str | None = None) -> list[Any]:
        """All incidents, newest first."""
        with self.runtime() as runtime, runtime.store.read() as conn:
            found = incidents.listing(conn, open_only=False, limit=100)
        return [one for one in found if service is None or one.service == service]

    def notifications(self, incident_id: str) -> list[Any]:
        with self.runtime() as runtime, runtime.store.read() as conn:
            return outbox.of_incident(conn, incident_id)

    def runs(self, incident_id: str) -> list[Any]:
        with self.runtime() as runtime, runtime.store.read() as conn:
            return runs.of_incident(conn, incident_id)

    def timeline(self, incident_id: str) -> list[str]:
        with self.runtime() as runtime, runtime.store.read() as conn:
            return [entry.text for entry in timeline.of_incident(conn, incident_id)]

    def cli(self, *arguments: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """`forewatch ...` on this state folder."""
        return subprocess.run(
            [str(Path(sys.executable).with_name("forewatch")), *arguments],
            cwd=self.folder, capture_output=True, text=True, timeout=timeout, check=False,
            env={**os.environ, "FOREWATCH_HOME": str(self.home.root), "NO_COLOR": "1", "COLUMNS": "160",
                 **self.environment},
        )  # fmt: skip

    def prefect(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """A call of Prefect's API, with the login and the token its CSRF protection asks for."""
        user, _, password = keys(self.home).login.partition(":")
        with httpx.Client(base_url=self.prefect_api, auth=(user, password), timeout=20, trust_env=False) as http:
            headers = {}
            if method != "GET":
                token = http.get("/csrf-token", params={"client": "tests"}).json()["token"]
                headers = {"Prefect-Csrf-Token": token, "Prefect-Csrf-Client": "tests"}
            answer = http.request(method, path, json=body, headers=headers)
            answer.raise_for_status()
            return json.loads(answer.content) if answer.content else None
