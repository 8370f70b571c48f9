"""What the person at the terminal of `forewatch up` reads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from forewatch.home import Home
from forewatch.notifying.terminal import shown
from forewatch.orchestration.readiness import Readiness

REMIND_EVERY = 10.0
"""Seconds between two lines while starting takes long: no silent minute."""
FOLLOW_EVERY = 0.2


class Progress:
    """Says which shifts have begun, then that all is up and where to look, then every change."""

    def __init__(self, say: Callable[[str], None], port: int, prefect_port: int, scheme: str = "http") -> None:
        self._say = say
        self._address = f"{scheme}://127.0.0.1:{port}"
        self._prefect_port = prefect_port
        self._began = time.monotonic()
        self._begun: set[str] = set()
        self._announced = False
        self._ready = False
        self._said_at = self._began
        say("Starting the shifts and the Prefect server. Its first start takes about 20 s; shifts do not wait for it.")

    def show(self, readiness: Readiness) -> None:
        """Call it as often as the state is read."""
        now = time.monotonic()
        for shift in readiness.standing:
            if shift not in self._begun and not self._announced:
                self._begun.add(shift)
                self._tell(f"{shift} is on watch ({now - self._began:.1f} s).")
        if readiness.ready and not self._announced:
            self._announced = True
            self._tell(f"Ready after {now - self._began:.1f} s.")
            self._tell(f"  Incidents   {self._address}/incidents")
            self._tell(
                f"  Prefect UI  http://127.0.0.1:{self._prefect_port}  (log in with what `forewatch login` prints)"
            )
            self._tell(f"  Health      {self._address}/healthz")
            self._tell("  Stop with Ctrl-C; start again and it continues where it left off.")
        elif self._announced and readiness.ready != self._ready:
            problems = "; ".join(readiness.problems)
            self._tell("All systems are up again." if readiness.ready else f"Not everything is up: {problems}")
        elif not self._announced and now - self._said_at > REMIND_EVERY:
            self._tell("Still starting: " + "; ".join(readiness.problems))
        self._ready = readiness.ready

    def _tell(self, line: str) -> None:
        self._said_at = time.monotonic()
        self._say(line)


async def follow_notifications(home: Home, show: Callable[[str], None]) -> None:
    """Show what the console notifier writes, whichever process wrote it, as on a terminal; until cancelled."""
    path = home.logs / "notifications.log"
    path.touch()
    with path.open(encoding="utf-8", errors="replace") as lines:
        lines.seek(0, 2)
        while True:
            line = lines.readline()
            if line:
                show(shown(line.rstrip("\n")))
                continue
            if path.stat().st_size < lines.tell():
                lines.seek(0)
            await asyncio.sleep(FOLLOW_EVERY)
