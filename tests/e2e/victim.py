"""A service to be watched and hurt: one process of the example shop, and the lines of configuration that watch it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import wait_for
from pid_file import WithPidFile

from examples.shop.shop import ROOT

PROGRAM = str(ROOT / "examples" / "shop" / "service.py")


@dataclass(frozen=True)
class Victim(WithPidFile):
    """`folder` is that of the configuration; the pid file lies in `run/` below it."""

    name: str
    folder: Path
    port: int

    @property
    def argv(self) -> list[str]:
        return [sys.executable, PROGRAM, self.name, "--port", str(self.port), "--pidfile", str(self.pidfile)]

    def start(self) -> None:
        """Start it by hand, as an administrator would; returns once it answers."""
        self.pidfile.parent.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{self.name}.out").open("ab") as output:
            subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
        self.wait_healthy()

    def healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def wait_healthy(self, timeout: float = 20.0) -> None:
        wait_for(f"{self.name} to answer", self.healthy, timeout)

    def fault(self, name: str) -> None:
        """`errors`, `hang`, `slow`, or `none` to end them."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/fault/{name}", timeout=5) as answer:
            answer.read()

    def kill(self) -> int:
        """`kill -9`; returns the pid that was."""
        pid = self.pid
        os.kill(pid, signal.SIGKILL)
        return pid

    def stop(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            os.kill(self.pid, signal.SIGKILL)

    def watched(self, remedy: str = "") -> str:
        """Its entry under `services:`."""
        return f"""\
  - name: {self.name}
    checks:
      - http: http://127.0.0.1:{self.port}/health
        every: 1s
        timeout: 1s
        retries: 1
        fails_after: 1
        recovers_after: 1
        severity: critical
        expect: {{status: 200, body: ok}}
{remedy}"""

    def restarted(
        self,
        *,
        autonomy: str = "auto",
        limits: str = "{per_hour: 50, cooldown: 0s}",
        verify: str = "20s",
        command: Sequence[str] | None = None,
        runbook: str = "restart-service",
    ) -> str:
        """The entry with a remedy that starts it anew, or runs `command` where that is another."""
        argv = "[" + ", ".join(f'"{item}"' for item in command or self.argv) + "]"
        return self.watched(f"""\
    remedies:
      - on: {{alertname: CheckFailing}}
        runbook: {runbook}
        with: {{pidfile: "{self.pidfile}", command: {argv}}}
        autonomy: {autonomy}
        limits: {limits}
        verify: {{within: {verify}}}
""")
