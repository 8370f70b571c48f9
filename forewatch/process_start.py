"""When a process began, as a mark that no setting of the clock moves: with the pid it names one process for certain."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import psutil


def start_mark(pid: int) -> str:
    """Opaque; differs between any two processes that ever had this pid. Raises psutil.NoSuchProcess.

    Wall-clock start times move when the clock is set; ticks since boot do not.
    """
    if sys.platform != "linux":
        return f"{psutil.Process(pid).create_time():.2f}"
    return f"{_boot_id()}:{_start_ticks(pid)}"


def _start_ticks(pid: int) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError) as error:
        raise psutil.NoSuchProcess(pid) from error
    # The second field is the name in brackets, which may itself hold spaces and brackets.
    return int(stat.rpartition(")")[2].split()[19])


@cache
def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "boot"
