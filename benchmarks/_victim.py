"""A service to be killed: a real HTTP process with a pid file, and a lean look at how it is."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import shlex
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks._processes import started_at
from tests.e2e.harness import free_port

SERVICE = Path(__file__).resolve().parents[1] / "examples" / "shop" / "service.py"
POLL = 0.005
LOOK_TIMEOUT = 0.5
PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Become the parent of detached processes below us, instead of init. Only Linux can do this.

    An init that takes its time to reap (some containers' do) leaves the victim's pid in use for a second, and a healer
    that goes by the pid would be measured too slow.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


async def health(port: int, timeout: float = LOOK_TIMEOUT) -> int | None:
    """The pid of the service that says it is well; None where nobody does within `timeout` seconds."""
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(b"GET /health HTTP/1.1\r\nHost: victim\r\nConnection: close\r\n\r\n")
                head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return None
    return int(json.loads(body)["pid"]) if b" 200 " in head[:20] else None


@dataclass(frozen=True)
class Healed:
    """`took`: seconds from the kill to the first healthy answer; `started`: to the fork of the new process."""

    took: float
    started: float
    pid: int


@dataclass
class Victim:
    """`start.sh` in the folder starts it detached, so that whoever adopts orphans is its parent, not the starter."""

    folder: Path
    name: str = "victim"
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        log = shlex.quote(str(self.folder / "victim.log"))
        self.script.write_text(
            f"#!/bin/sh\nexec setsid --fork {shlex.join(self.argv)} >>{log} 2>&1 </dev/null\n", encoding="utf-8"
        )
        self.script.chmod(0o755)

    @property
    def argv(self) -> list[str]:
        return [sys.executable, str(SERVICE), self.name, "--port", str(self.port), "--pidfile", str(self.pidfile)]

    @property
    def pidfile(self) -> Path:
        return self.folder / "victim.pid"

    @property
    def script(self) -> Path:
        return self.folder / "start.sh"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/health"

    async def start(self) -> int:
        """Start it and wait until it is well; returns its pid. Raises TimeoutError where it does not come up."""
        await (await asyncio.create_subprocess_exec(str(self.script))).wait()
        return (await self.until_healthy(other_than=None, timeout=10.0))[1]

    async def until_healthy(self, *, other_than: int | None, timeout: float) -> tuple[float, int]:
        """The monotonic moment at which it answered, and its pid. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            while True:
                pid = await health(self.port)
                if pid is not None and pid != other_than:
                    return time.monotonic(), pid
                await asyncio.sleep(POLL)

    async def kill(self, timeout: float) -> tuple[float, Healed | None]:
        """`kill -9`, and what became of it: the wall time of the kill, None where nobody healed it in time."""
        pid = int(self.pidfile.read_text(encoding="ascii"))
        wall, began = time.time(), time.monotonic()
        os.kill(pid, signal.SIGKILL)
        _reap(pid)
        try:
            at, new = await self.until_healthy(other_than=pid, timeout=timeout)
        except TimeoutError:
            return wall, None
        return wall, Healed(at - began, started_at(new) - wall, new)

    def stop(self) -> None:
        """End whatever the pid file names, if it still is the victim."""
        with contextlib.suppress(OSError, ValueError):
            pid = int(self.pidfile.read_text(encoding="ascii"))
            if str(SERVICE).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        # Not ours while the process that started it still lives: then that one reaps it.
        os.waitpid(pid, 0)
