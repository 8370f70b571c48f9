"""The example shop as a whole: storefront -> catalogue -> stock, and the configuration that watches it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from examples.shop.service import KILLED

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT = 10.0

# From the top down: each depends on the next.
NAMES = ("storefront", "catalogue", "stock")

MEMORY_MB = 300
"""What a process of the shop may use; one that uses more is killed."""
LEAK_MB = 5
"""What a leaking one grows by in a second."""

CONFIGURATION = """\
# The example shop: three services, each with a health check every second and remedies that may act.
services:
{services}
rules:
  # A process that leaks is restarted before it is killed for it.
  - alert: MemoryRunsOut
    metric: process.memory.usage
    window: 30s
    limit: {memory}MB
    exhausted_within: 45s
    severity: warning
metrics:
  every: 1s
notifiers:
  - name: terminal
    console: {{}}
routes:
  - match: {{}}
    notify: [terminal]
    hold: 20s
"""

SERVICE = """\
  - name: {name}
    owner: shop
    depends_on: {depends_on}
    processes: [{{pidfile: {pidfile}}}]
    checks:
      - http: http://127.0.0.1:{port}/health
        every: 1s
        timeout: 800ms
        fails_after: 1
        recovers_after: 1
        severity: critical
        expect: {{status: 200, body: ok, latency: 500ms}}
    remedies:
      - on: {{alertname: CheckFailing}}
        runbook: restart-service
        with: {{pidfile: {pidfile}, command: {command}, output: run/{name}.log}}
        autonomy: auto
        limits: {{per_hour: 20, cooldown: 2s}}
        verify: {{within: 20s}}
      - on: {{alertname: MemoryRunsOut}}
        runbook: restart-service
        with: {{pidfile: {pidfile}, command: {command}, output: run/{name}.log}}
        autonomy: auto
        limits: {{per_hour: 20, cooldown: 2s}}
        verify: {{within: 20s}}
"""


@dataclass(frozen=True)
class Shop:
    """A shop in a folder, on three ports in a row."""

    folder: Path
    first_port: int = 8001

    def port(self, name: str) -> int:
        return self.first_port + NAMES.index(name)

    def pidfile(self, name: str) -> Path:
        return self.folder / "run" / f"{name}.pid"

    def argv(self, name: str) -> list[str]:
        """How a service is started, by hand and by the remedy alike."""
        below = NAMES[NAMES.index(name) + 1 :]
        calls = ["--calls", f"http://127.0.0.1:{self.port(below[0])}/"] if below else []
        return [
            sys.executable, str(ROOT / "examples" / "shop" / "service.py"), name,
            "--port", str(self.port(name)), "--pidfile", str(self.pidfile(name)), "--memory", str(MEMORY_MB), *calls,
        ]  # fmt: skip

    def write_configuration(self) -> Path:
        """`forewatch.yaml` in the folder."""
        parts = []
        for name in NAMES:
            below = NAMES[NAMES.index(name) + 1 :]
            parts.append(
                SERVICE.format(
                    name=name, depends_on=f"[{below[0]}]" if below else "[]", port=self.port(name),
                    pidfile=f"run/{name}.pid", command=_yaml_list(self.argv(name)),
                )
            )  # fmt: skip
        path = self.folder / "forewatch.yaml"
        services = "".join(parts).rstrip("\n")
        path.write_text(CONFIGURATION.format(services=services, memory=MEMORY_MB), encoding="utf-8")
        return path

    def start(self) -> None:
        """Start what does not run, bottom first. Raises TimeoutError where a service does not come up."""
        for name in reversed(NAMES):
            if self.healthy(name):
                continue
            (self.folder / "run").mkdir(parents=True, exist_ok=True)
            with (self.folder / "run" / f"{name}.log").open("ab") as output:
                subprocess.Popen(
                    self.argv(name), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
                )
            deadline = time.monotonic() + START_TIMEOUT
            while not self.healthy(name):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{name} did not come up on port {self.port(name)} (is the port taken?)")
                time.sleep(0.05)

    def healthy(self, name: str) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port(name)}/health", timeout=0.5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def fault(self, name: str, fault: str) -> None:
        """Tell a service to go wrong: `slow`, `errors`, `hang`, `leak`; `die` kills it with -9."""
        if fault == "die":
            os.kill(self.pid(name), signal.SIGKILL)
            return
        how = f"{fault}?mb={LEAK_MB}" if fault == "leak" else fault
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port(name)}/fault/{how}", timeout=2) as answer:
            answer.read()

    def pid(self, name: str) -> int:
        """Of the process that runs now."""
        return int(self.pidfile(name).read_text(encoding="ascii"))

    def memory(self, name: str) -> int:
        """Bytes that a service uses. Raises psutil.Error where it does not run."""
        return int(psutil.Process(self.pid(name)).memory_info().rss)

    def killed_for_memory(self, name: str) -> bool:
        """Whether any process of a service was killed for the memory it used."""
        log = self.folder / "run" / f"{name}.log"
        return KILLED in log.read_text(encoding="utf-8", errors="replace") if log.exists() else False

    def stop(self) -> None:
        """End the three processes, by their pid files."""
        for name in NAMES:
            try:
                os.kill(self.pid(name), signal.SIGTERM)
            except (OSError, ValueError):
                continue


def _yaml_list(items: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{item}"' for item in items) + "]"
