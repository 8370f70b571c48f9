"""What this machine looks like right now, as texts a person can read: for an incident that needs one.

Each part is taken on its own: one that fails says so in its place and hides no other.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

from forewatch.units import format_bytes, format_duration
from tasks.act.records import Records
from tasks.act.service import tail
from tasks.collect.cgroups import Groups

SAMPLE = 0.4
"""Seconds over which CPU use is measured."""
_TOP = 10
_LOG_LINES = 50


async def collect(service: str | None, records: Records) -> dict[str, str]:
    """Name and text of each part: machine, processes, sockets, disks, and the service's recent output."""
    before = await asyncio.to_thread(_cpu_times)
    await asyncio.sleep(SAMPLE)
    return await asyncio.to_thread(_texts, service, records, before)


def _texts(service: str | None, records: Records, before: dict[int, float]) -> dict[str, str]:
    texts = {
        "machine": _or_why_not(machine),
        "processes": _or_why_not(lambda: processes(before, SAMPLE)),
        "sockets": _or_why_not(sockets),
        "disks": _or_why_not(disks),
    }
    for started in records.of_service(service) if service is not None else ():
        output = Path(started.output)
        texts[f"output of {service} ({output.name})"] = tail(output, _LOG_LINES) or f"{output} is empty"
    return texts


def _or_why_not(part: Callable[[], str]) -> str:
    try:
        return part()
    except (psutil.Error, OSError) as error:
        return f"not available: {error}"


def machine() -> str:
    """Load, memory, swap, uptime."""
    one, five, fifteen = os.getloadavg()
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    allowed = Groups().memory(memory.total)
    container = (
        () if allowed is None
        else (f"         {format_bytes(allowed.used)} of the container's {format_bytes(allowed.limit)} used",)
    )  # fmt: skip
    return "\n".join(
        (
            f"load     {one:.2f} {five:.2f} {fifteen:.2f} on {psutil.cpu_count()} CPUs",
            f"memory   {format_bytes(memory.available)} of {format_bytes(memory.total)} available",
            *container,
            f"swap     {format_bytes(swap.used)} of {format_bytes(swap.total)} used",
            f"up for   {format_duration(max(0.0, time.time() - psutil.boot_time()))}",
        )
    )


def processes(before: dict[int, float], over: float) -> str:
    """The busiest and the largest processes; CPU use over the `over` seconds since `before` was taken."""
    rows = []
    for process in psutil.process_iter(["cmdline", "name", "memory_info", "num_threads", "status", "username"]):
        info = process.info
        if info["memory_info"] is None:
            continue
        used = _cpu_seconds(process)
        # A process younger than the sample has used all of its time within it.
        share = max(0.0, used - before.get(process.pid, 0.0)) / over if used is not None else 0.0
        command = " ".join(info["cmdline"] or [f"[{info['name']}]"])[:100]
        rows.append((share, info["memory_info"].rss, process.pid, info["num_threads"] or 0, info["status"], command))
    busiest = sorted(rows, key=lambda row: row[0], reverse=True)[:_TOP]
    largest = sorted(rows, key=lambda row: row[1], reverse=True)[:_TOP]
    return f"busiest\n{_table(busiest)}\n\nlargest\n{_table(largest)}"


def _table(rows: Iterable[tuple[float, int, int, int, str, str]]) -> str:
    lines = [f"{'pid':>8} {'cpu':>6} {'memory':>9} {'threads':>7} {'state':<10} command"]
    for share, rss, pid, threads, status, command in rows:
        lines.append(f"{pid:>8} {share:>6.0%} {format_bytes(rss):>9} {threads:>7} {status:<10} {command}")
    return "\n".join(lines)


def _cpu_times() -> dict[int, float]:
    return {process.pid: used for process in psutil.process_iter() if (used := _cpu_seconds(process)) is not None}


def _cpu_seconds(process: psutil.Process) -> float | None:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return None
    return float(times.user + times.system)


def sockets() -> str:
    """How many connections are in which state, and who listens where."""
    connections = psutil.net_connections(kind="inet")
    states = Counter(connection.status for connection in connections if connection.status != psutil.CONN_NONE)
    listening = sorted(
        {
            (connection.laddr.port, connection.laddr.ip, connection.pid)
            for connection in connections
            if connection.status == psutil.CONN_LISTEN and connection.laddr
        },
        key=lambda row: (row[0], row[1]),
    )
    lines = [f"{state.lower():<12} {count}" for state, count in states.most_common()]
    lines += ["", "listening"]
    lines += [f"{ip}:{port} pid {pid if pid is not None else 'unknown'}" for port, ip, pid in listening]
    return "\n".join(lines)


def disks() -> str:
    """Space and files in use on each mount of a real disk."""
    lines = []
    for mount in psutil.disk_partitions(all=False):
        try:
            usage = psutil.disk_usage(mount.mountpoint)
        except OSError as error:
            lines.append(f"{mount.mountpoint:<30} not readable: {error.strerror}")
            continue
        inodes = os.statvfs(mount.mountpoint)
        files = f", {1 - inodes.f_favail / inodes.f_files:.0%} of inodes" if inodes.f_files else ""
        free = f"{format_bytes(usage.free)} of {format_bytes(usage.total)} free"
        lines.append(f"{mount.mountpoint:<30} {usage.percent:.0f}% used{files}, {free}")
    return "\n".join(lines) or "no disks are mounted"
