"""Processes as the kernel counts them: proportional memory, CPU seconds, the moment of their start. Linux only."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

TICKS = os.sysconf("SC_CLK_TCK")
STOP_GRACE = 5.0


def pss(smaps_rollup: str) -> int:
    """Bytes of proportional set size in a `/proc/PID/smaps_rollup`. Raises ValueError where there is none.

    Pages shared with others count in proportion, so the PSS of a tree of processes adds up to what it really takes.
    """
    for row in smaps_rollup.splitlines():
        name, _, rest = row.partition(":")
        if name == "Pss":
            amount, unit = rest.split()
            if unit != "kB":
                raise ValueError(f"Pss is given in {unit}, not in kB")
            return int(amount) * 1024
    raise ValueError("no line Pss: the kernel gives no proportional set size here (Linux >= 4.14 does)")


@dataclass(frozen=True)
class Stat:
    """A few fields of `/proc/PID/stat`. CPU in seconds; `waited_cpu` is that of children that have ended."""

    parent: int
    cpu: float
    waited_cpu: float
    started: float
    """Seconds since boot, suspended time included; a hundredth is the finest it gets."""


def parse_stat(text: str) -> Stat:
    """See proc(5). The command may itself hold spaces and brackets, so the fields begin after the last one."""
    fields = text.rpartition(")")[2].split()
    ticks = [int(fields[index]) for index in (11, 12, 13, 14, 19)]
    return Stat(
        parent=int(fields[1]),
        cpu=(ticks[0] + ticks[1]) / TICKS,
        waited_cpu=(ticks[2] + ticks[3]) / TICKS,
        started=ticks[4] / TICKS,
    )


def started_at(pid: int) -> float:
    """The wall time at which a process was forked.

    By the clock since boot: psutil's `create_time` builds on a boot time in whole seconds and may be off by one.
    """
    started = parse_stat(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")).started
    return time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) - started)


@dataclass(frozen=True)
class Sample:
    """One process at one moment. `memory` in bytes (PSS)."""

    pid: int
    role: str
    stat: Stat
    memory: int
    command: str


def look(pid: int, role: str) -> Sample | None:
    """None where it has just ended. Raises PermissionError for a process of somebody else."""
    folder = Path(f"/proc/{pid}")
    try:
        stat = parse_stat((folder / "stat").read_text(encoding="utf-8", errors="replace"))
        memory = pss((folder / "smaps_rollup").read_text(encoding="ascii"))
        command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return Sample(pid, role, stat, memory, command)


@dataclass
class Ledger:
    """Who used how much CPU between the first look and the last, the dead included."""

    _first: dict[int, Sample] = field(default_factory=dict)
    _latest: dict[int, Sample] = field(default_factory=dict)
    _living: dict[int, Sample] = field(default_factory=dict)

    def note(self, samples: Iterable[Sample]) -> None:
        """Samples of every living process of the tree at one moment. The first call opens the window."""
        self._living = {sample.pid: sample for sample in samples}
        self._first = self._first or self._living
        self._latest |= self._living

    def total(self) -> float:
        """Seconds. Exact: what the dead used is in the `waited_cpu` of the parent that waited for them."""
        return _all_used(self._living) - _all_used(self._first)

    def by_role(self) -> dict[str, float]:
        """Seconds. What processes used between the last look at them and their end has the role `ended`."""
        used: dict[str, float] = defaultdict(float)
        for pid, sample in self._latest.items():
            used[sample.role] += sample.stat.cpu - (self._first[pid].stat.cpu if pid in self._first else 0.0)
        unseen = self.total() - sum(used.values())
        if unseen > 1 / TICKS:
            used["ended"] += unseen
        return dict(used)


def _all_used(samples: Mapping[int, Sample]) -> float:
    return sum(sample.stat.cpu + sample.stat.waited_cpu for sample in samples.values())


def memory_by_role(samples: Iterable[Sample]) -> dict[str, int]:
    """Bytes of PSS by role."""
    memory: dict[str, int] = defaultdict(int)
    for sample in samples:
        memory[sample.role] += sample.memory
    return dict(memory)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process that we started, and what it started: ask, wait, kill."""
    try:
        below = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        below = []
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_GRACE)
    for child in below:
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue


async def answering(port: int, what: str, timeout: float = 10.0) -> None:
    """Wait until somebody takes connections on a port of this machine. Raises RuntimeError after `timeout` seconds."""
    for _ in range(round(timeout / 0.1)):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
    raise RuntimeError(f"{what} did not start within {timeout:.0f} s")
