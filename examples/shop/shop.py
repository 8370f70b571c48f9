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

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT = 10.0

# From the top down: each depends on the next.
NAMES = ("storefront", "catalogue", "stock")

CONFIGURATION = """\
# The example shop: three services, each with a health check every second and a remedy that may act.
services:
{services}
rules:
  - alert: MemoryHigh
    metric: process.memory.usage
    statistic: last
    window: 30s
    above: 300MB
    severity: warning
    annotations: {{summary: "a shop process uses more than 300 MB"}}
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
        with: {{pidfile: {pidfile}, command: {command}}}
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
            "--port", str(self.port(name)), "--pidfile", str(self.pidfile(name)), *calls,
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
        path.write_text(CONFIGURATION.format(services="".join(parts).rstrip("\n")), encoding="utf-8")
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
            os.kill(int(self.pidfile(name).read_text(encoding="ascii")), signal.SIGKILL)
            return
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port(name)}/fault/{fault}", timeout=2) as answer:
            answer.read()

    def stop(self) -> None:
        """End the three processes, by their pid files."""
        for name in NAMES:
            try:
                os.kill(int(self.pidfile(name).read_text(encoding="ascii")), signal.SIGTERM)
            except (OSError, ValueError):
                continue


def _yaml_list(items: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{item}"' for item in items) + "]"
