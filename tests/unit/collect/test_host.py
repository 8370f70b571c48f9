"""The machine's metrics are ratios, bytes and counters under OpenTelemetry's names."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path
from typing import Any

import psutil
import pytest

from tasks.collect import host
from tasks.collect.cgroups import Groups
from tasks.collect.gathering import Gathering

pytestmark = pytest.mark.unit

Times = namedtuple("Times", "user nice system idle iowait guest guest_nice")
Net = namedtuple("Net", "bytes_sent bytes_recv packets_sent packets_recv errin errout dropin dropout")
Disk = namedtuple("Disk", "read_count write_count read_bytes write_bytes")


def values(collect: Any) -> dict[tuple[str, ...], float]:
    into = Gathering(1)
    collect(into)
    return {(point.metric, *(value for _, value in sorted(point.labels.items()))): point.value for point in into.points}


def rounds(monkeypatch: pytest.MonkeyPatch, *times: Times) -> list[float | None]:
    cpu, given = host.Cpu(Groups(Path("/nowhere"), Path("/nowhere"))), iter(times)
    monkeypatch.setattr(psutil, "cpu_times", lambda: next(given))
    return [values(cpu).get(("system.cpu.utilization",)) for _ in times]


def test_cpu_is_the_share_of_time_not_idle_since_the_round_before(monkeypatch: pytest.MonkeyPatch) -> None:
    first = Times(100, 0, 100, 1000, 0, 50, 0)
    # 30 s of work (10 of them for a guest, counted in user too), 60 idle, 10 waiting for a disk
    second = Times(120, 0, 110, 1060, 10, 60, 0)
    assert rounds(monkeypatch, first, second) == [None, pytest.approx(0.3)]


def test_cpu_counters_that_fall_back_give_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    high, low = Times(100, 0, 0, 100, 0, 0, 0), Times(1, 0, 0, 1, 0, 0, 0)
    after = Times(2, 0, 0, 2, 0, 0, 0)
    assert rounds(monkeypatch, high, low, after) == [None, None, 0.5]


def test_cpu_stays_between_0_and_1_where_the_kernel_takes_idle_time_back(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rounds(monkeypatch, Times(0, 0, 0, 100, 0, 0, 0), Times(10, 0, 0, 99, 0, 0, 0))[1] == 1.0


def test_network_traffic_by_direction_without_loopback_and_idle_interfaces(monkeypatch: pytest.MonkeyPatch) -> None:
    counters = {"lo": Net(9, 9, 9, 9, 0, 0, 0, 0), "eth0": Net(1, 2, 3, 4, 5, 6, 7, 8), "eth1": Net(*[0] * 8)}
    monkeypatch.setattr(psutil, "net_io_counters", lambda **_: counters)
    found = values(host.network)
    assert found["system.network.io", "eth0", "receive"] == 2
    assert found["system.network.io", "eth0", "transmit"] == 1
    assert found["system.network.errors", "eth0", "receive"] == 5
    assert found["system.network.dropped", "eth0", "transmit"] == 8
    assert {device for _, device, _ in found} == {"eth0"}


@pytest.mark.parametrize(
    "device", ["veth1a2b3c4", "br-0123456789ab", "docker0", "cali12ab", "cni0", "vnet3", "flannel.1", "lxc1f", "virbr0"]
)
def test_interfaces_of_containers_are_left_out(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    counters = {device: Net(*[9] * 8), "br-lan": Net(*[9] * 8), "wg0": Net(*[9] * 8), "bond0": Net(*[9] * 8)}
    monkeypatch.setattr(psutil, "net_io_counters", lambda **_: counters)
    assert {device for _, device, _ in values(host.network)} == {"br-lan", "wg0", "bond0"}


def test_images_mounted_as_devices_are_no_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    counters = {name: Disk(1, 2, 3, 4) for name in ("sda", "loop0", "zram0", "ram1")}
    monkeypatch.setattr(psutil, "disk_io_counters", lambda **_: counters)
    monkeypatch.setattr(host, "_is_whole", lambda device: True)
    assert {device for _, device, _ in values(host.disks)} == {"sda"}


def test_disk_traffic_of_whole_devices_only(monkeypatch: pytest.MonkeyPatch) -> None:
    counters = {"sda": Disk(1, 2, 3, 4), "sda1": Disk(1, 2, 3, 4), "loop0": Disk(0, 0, 0, 0)}
    monkeypatch.setattr(psutil, "disk_io_counters", lambda **_: counters)
    monkeypatch.setattr(host, "_is_whole", lambda device: device != "sda1")
    found = values(host.disks)
    assert found["system.disk.io", "sda", "write"] == 4
    assert found["system.disk.operations", "sda", "read"] == 1
    assert {device for _, device, _ in found} == {"sda"}


def test_a_machine_without_disks_has_no_traffic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "disk_io_counters", lambda **_: None)
    assert values(host.disks) == {}


def test_memory_and_load_of_this_machine_are_plausible() -> None:
    found = values(host.memory) | values(host.load) | values(host.descriptors)
    assert 0 < found["system.memory.utilization",] < 1
    assert found["system.memory.usage", "used"] < found["system.memory.limit",]
    assert found["system.cpu.load_average.1m",] >= 0
    assert found["system.process.count",] >= 1
