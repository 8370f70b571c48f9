"""Metrics of the machine: CPU, load, memory, swap, disks' traffic, network, open files.

Names and attributes follow OpenTelemetry's system metrics; units are seconds, bytes and ratios. Traffic comes as
counters that only grow until the machine starts anew; who takes a rate must expect them to fall back.

In a container, memory, swap and CPU are the smaller of its limit and the machine; the load is the machine's.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tasks.collect.cgroups import Groups
from tasks.collect.gathering import Gathering


class Cpu:
    """Share of the CPU time there was that was spent working since the round before; the first round has nothing to
    compare with."""

    def __init__(self, groups: Groups | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._groups = groups or Groups()
        self._clock = clock
        self._before: tuple[float, float] | None = None
        self._allowed_before: tuple[float, float] | None = None

    def __call__(self, into: Gathering) -> None:
        count = psutil.cpu_count() or 1
        of_machine, of_container = self._machine(), self._container(count)
        busy = of_machine if of_container is None else of_container
        if busy is not None:
            into.add("system.cpu.utilization", min(1.0, max(0.0, busy)))
        into.add("system.cpu.logical.count", count)

    def _machine(self) -> float | None:
        times = psutil.cpu_times()._asdict()
        # Linux counts guests' time in user and nice as well.
        total = sum(times.values()) - times.get("guest", 0.0) - times.get("guest_nice", 0.0)
        idle = times["idle"] + times.get("iowait", 0.0)
        before, self._before = self._before, (total, idle)
        return 1 - (idle - before[1]) / (total - before[0]) if before is not None and total > before[0] else None

    def _container(self, count: int) -> float | None:
        """Of the time its limit allows; None without one, and in the first round with one."""
        allowed, now = self._groups.cpu(count), self._clock()
        before, self._allowed_before = self._allowed_before, None if allowed is None else (now, allowed.used)
        if allowed is None or before is None or now <= before[0]:
            return None
        return (allowed.used - before[1]) / (now - before[0]) / allowed.cores


def load(into: Gathering) -> None:
    for minutes, value in zip((1, 5, 15), os.getloadavg(), strict=True):
        into.add(f"system.cpu.load_average.{minutes}m", value)


def memory(into: Gathering, groups: Groups | None = None) -> None:
    """Utilization counts as used what programs could not get without swapping."""
    state, swap = psutil.virtual_memory(), psutil.swap_memory()
    total, swap_total, swap_used = state.total, swap.total, swap.used
    used = total - state.available
    usage = {name: getattr(state, name) for name in ("used", "free", "buffers", "cached") if hasattr(state, name)}
    allowed = (groups or Groups()).memory(total)
    if allowed is not None:
        total, used = allowed.limit, allowed.used
        usage = {"used": used, "free": max(0, total - used - allowed.cache), "cached": allowed.cache}
        if allowed.swap_limit is not None and allowed.swap_used is not None and allowed.swap_limit < swap_total:
            swap_total, swap_used = allowed.swap_limit, allowed.swap_used
    into.add("system.memory.utilization", used / total)
    into.add("system.memory.limit", total)
    for name, value in usage.items():
        into.add("system.memory.usage", value, state=name)
    if swap_total:
        into.add("system.paging.utilization", swap_used / swap_total)
        into.add("system.paging.usage", swap_used, state="used")


_OF_CONTAINERS = re.compile(
    r"(veth|cali|cilium|lxc|lxd|azv|fwbr|fwln|fwpr|ifb|tap|vnet|flannel|cni|kube-|nodelocaldns|dummy|docker|podman|virbr)"
    r".*|br-[0-9a-f]{12}"
)
"""Interfaces that engines make for each container and machine anew; what goes through them leaves by another one."""


def disks(into: Gathering) -> None:
    """Traffic of whole devices that have had any; partitions, and images mounted as devices, would count it twice."""
    for device, count in (psutil.disk_io_counters(perdisk=True, nowrap=False) or {}).items():
        if (
            device.startswith(("loop", "ram", "zram"))
            or not _is_whole(device)
            or not count.read_count + count.write_count
        ):
            continue
        for direction in ("read", "write"):
            labels = {"device": device, "direction": direction}
            into.add("system.disk.io", getattr(count, f"{direction}_bytes"), **labels)
            into.add("system.disk.operations", getattr(count, f"{direction}_count"), **labels)


def _is_whole(device: str) -> bool:
    block = Path("/sys/block")
    return not block.exists() or (block / device.replace("/", "!")).exists()


def network(into: Gathering) -> None:
    """Traffic of interfaces that have had any; loopback and those of containers are left out."""
    for device, count in psutil.net_io_counters(pernic=True, nowrap=False).items():
        if device.startswith("lo") or _OF_CONTAINERS.fullmatch(device) or not count.packets_recv + count.packets_sent:
            continue
        receive = (count.bytes_recv, count.packets_recv, count.errin, count.dropin)
        transmit = (count.bytes_sent, count.packets_sent, count.errout, count.dropout)
        for direction, (size, packets, errors, dropped) in (("receive", receive), ("transmit", transmit)):
            labels = {"device": device, "direction": direction}
            into.add("system.network.io", size, **labels)
            into.add("system.network.packets", packets, **labels)
            into.add("system.network.errors", errors, **labels)
            into.add("system.network.dropped", dropped, **labels)


def descriptors(into: Gathering) -> None:
    """Open files of the whole machine and how many it allows (Linux), and how many processes there are."""
    into.add("system.process.count", len(psutil.pids()))
    state = Path("/proc/sys/fs/file-nr")
    if state.exists():
        allocated, free, limit = (int(number) for number in state.read_text().split())
        into.add("system.open_file_descriptors", allocated - free)
        into.add("system.open_file_descriptors.limit", limit)
