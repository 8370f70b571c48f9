"""Who holds a watch: the name of a process in a shift's row, and whether that process has ended."""

from __future__ import annotations

import hashlib
import os
import socket
from functools import cache

import psutil

from forewatch.process_start import start_mark


@cache
def _mark(start: str) -> str:
    """When a process began, short enough for people's tables."""
    return hashlib.sha256(start.encode()).hexdigest()[:8]


def holder_name(pid: int | None = None) -> str:
    """`host:began:pid` of a process of this host, by default this one. One that has ended already has no `began`."""
    pid = os.getpid() if pid is None else pid
    try:
        return f"{socket.gethostname()}:{_mark(start_mark(pid))}:{pid}"
    except psutil.NoSuchProcess:
        return f"{socket.gethostname()}:{pid}"


def ended_here(holder: str) -> bool:
    """Whether a holder was a process of this host and has ended. False says nothing of other hosts' processes."""
    host, _, rest = holder.partition(":")
    began, _, pid = rest.rpartition(":")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        if began and _mark(start_mark(int(pid))) != began:
            return True  # the pid is another's by now
        return psutil.Process(int(pid)).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False
