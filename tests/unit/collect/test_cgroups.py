"""Limits of a container, read from a made-up tree of control groups."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path
from typing import Any

import psutil
import pytest

from tasks.collect import host
from tasks.collect.cgroups import Groups, is_container
from tasks.collect.gathering import Gathering

pytestmark = pytest.mark.unit

MIB = 1 << 20
MACHINE = 8192 * MIB

V2 = {
    "cgroup.controllers": "cpu memory",
    "memory.max": f"{512 * MIB}",
    "memory.current": f"{400 * MIB}",
    "memory.stat": f"anon {150 * MIB}\nfile {240 * MIB}\ninactive_file {180 * MIB}\nactive_file {20 * MIB}\n",
    "cpu.max": "50000 100000",
    "cpu.stat": "usage_usec 1500000\nuser_usec 1000000",
}
V1 = {
    "memory/memory.limit_in_bytes": f"{512 * MIB}",
    "memory/memory.usage_in_bytes": f"{400 * MIB}",
    "memory/memory.stat": f"cache {240 * MIB}\ntotal_inactive_file {180 * MIB}\ntotal_active_file {20 * MIB}",
    "cpu,cpuacct/cpu.cfs_quota_us": "50000",
    "cpu,cpuacct/cpu.cfs_period_us": "100000",
    "cpu,cpuacct/cpuacct.usage": "1500000000",
}


def tree(tmp_path: Path, files: dict[str, str], member: str = "0::/\n", *, contained: bool = False) -> Groups:
    for name, text in files.items():
        file = tmp_path / "cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")
    (tmp_path / "membership").write_text(member)
    return Groups(tmp_path / "cgroup", tmp_path / "membership", contained=contained)


@pytest.mark.parametrize("files", [V2, V1])
def test_the_limit_of_a_container_and_what_it_uses_without_reclaimable_cache(
    tmp_path: Path, files: dict[str, str]
) -> None:
    groups = tree(tmp_path, files)
    memory, cpu = groups.memory(MACHINE), groups.cpu(4)
    assert memory is not None
    assert cpu is not None
    assert (memory.limit, memory.used, memory.cache) == (512 * MIB, 200 * MIB, 200 * MIB)
    assert (cpu.cores, cpu.used) == (0.5, 1.5)


@pytest.mark.parametrize(
    "changed",
    [
        {**V2, "memory.max": "max", "cpu.max": "max 100000"},
        {**V2, "memory.max": f"{9000 * MIB}", "cpu.max": "800000 100000"},
        {**V1, "memory/memory.limit_in_bytes": "9223372036854771712", "cpu,cpuacct/cpu.cfs_quota_us": "-1"},
        {**V2, "memory.max": "", "cpu.max": ""},
        {"cgroup.controllers": "cpu memory"},
        {},
    ],
)
def test_no_limit_and_one_above_the_machines_are_none(tmp_path: Path, changed: dict[str, str]) -> None:
    groups = tree(tmp_path, changed)
    assert groups.memory(MACHINE) is None
    assert groups.cpu(4) is None


def test_without_control_groups_there_is_no_limit(tmp_path: Path) -> None:
    groups = Groups(tmp_path / "none", tmp_path / "none too", contained=True)
    assert (groups.memory(MACHINE), groups.cpu(4)) == (None, None)


def test_a_unit_with_a_limit_of_its_own_is_not_the_machine_but_a_group_in_a_container_counts(tmp_path: Path) -> None:
    files = {"cgroup.controllers": "memory", **{f"kubepods/pod1/app/{name}": text for name, text in V2.items()}}
    files["kubepods/pod1/memory.max"] = f"{450 * MIB}"
    files["kubepods/pod1/memory.current"] = f"{430 * MIB}"
    member = "0::/kubepods/pod1/app\n"
    assert tree(tmp_path, files, member).memory(MACHINE) is None
    memory = tree(tmp_path, files, member, contained=True).memory(MACHINE)
    assert memory is not None
    assert (memory.limit, memory.used) == (450 * MIB, 430 * MIB)  # the one with the least left


def test_a_path_of_the_machine_that_leads_nowhere_here_means_the_root(tmp_path: Path) -> None:
    member = "4:memory:/docker/3f0e\n3:cpu,cpuacct:/docker/3f0e\n"
    memory = tree(tmp_path, V1, member, contained=True).memory(MACHINE)
    assert memory is not None
    assert memory.limit == 512 * MIB
    assert tree(tmp_path, V1, "4:memory:/../../etc\n", contained=True).memory(MACHINE) is not None


def test_a_limit_of_swap_is_known_where_there_is_one(tmp_path: Path) -> None:
    files = {**V2, "memory.swap.max": f"{100 * MIB}", "memory.swap.current": f"{25 * MIB}"}
    memory = tree(tmp_path, files).memory(MACHINE)
    assert memory is not None
    assert (memory.swap_limit, memory.swap_used) == (100 * MIB, 25 * MIB)


def test_a_container_is_known_by_the_marks_of_its_engine() -> None:
    assert is_container({"container": "podman"})
    assert is_container({"KUBERNETES_SERVICE_HOST": "10.0.0.1"})


Swap = namedtuple("Swap", "total used")
Virtual = namedtuple("Virtual", "total available used free buffers cached")
Times = namedtuple("Times", "user nice system idle iowait")


def values(collect: Any) -> dict[tuple[str, ...], float]:
    into = Gathering(1)
    collect(into)
    return {(point.metric, *(value for _, value in sorted(point.labels.items()))): point.value for point in into.points}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    virtual = Virtual(MACHINE, MACHINE // 2, MACHINE // 2, MACHINE // 4, 0, MACHINE // 4)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: virtual)
    monkeypatch.setattr(psutil, "swap_memory", lambda: Swap(1000 * MIB, 100 * MIB))
    monkeypatch.setattr(psutil, "cpu_count", lambda: 4)


@pytest.mark.parametrize("files", [V2, V1])
def test_memory_is_the_containers_where_that_is_less(tmp_path: Path, machine: None, files: dict[str, str]) -> None:
    groups = tree(tmp_path, files)
    found = values(lambda into: host.memory(into, groups))
    assert found["system.memory.utilization",] == 200 / 512
    assert found["system.memory.limit",] == 512 * MIB
    assert found["system.memory.usage", "used"] == 200 * MIB
    assert found["system.memory.usage", "cached"] == 200 * MIB
    assert found["system.memory.usage", "free"] == 112 * MIB


def test_memory_is_the_machines_without_a_limit(tmp_path: Path, machine: None) -> None:
    found = values(lambda into: host.memory(into, tree(tmp_path, {**V2, "memory.max": "max"})))
    assert found["system.memory.utilization",] == 0.5
    assert found["system.memory.limit",] == MACHINE
    assert found["system.paging.utilization",] == 0.1


def test_swap_is_the_containers_where_that_is_less(tmp_path: Path, machine: None) -> None:
    files = {**V2, "memory.swap.max": f"{100 * MIB}", "memory.swap.current": f"{25 * MIB}"}
    assert values(lambda into: host.memory(into, tree(tmp_path, files)))["system.paging.utilization",] == 0.25
    none = values(lambda into: host.memory(into, tree(tmp_path, {**files, "memory.swap.max": "0"})))
    assert ("system.paging.utilization",) not in none


@pytest.mark.parametrize(("files", "stat"), [(V2, "cpu.stat"), (V1, "cpu,cpuacct/cpuacct.usage")])
def test_cpu_is_the_share_of_what_the_container_may_use(
    tmp_path: Path, machine: None, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], stat: str
) -> None:
    monkeypatch.setattr(psutil, "cpu_times", lambda: Times(100, 0, 100, 1000, 0))
    moments = iter([100.0, 110.0, 120.0])
    cpu = host.Cpu(tree(tmp_path, files), lambda: next(moments))
    assert ("system.cpu.utilization",) not in values(cpu)
    later = {"cpu.stat": "usage_usec 5500000", "cpu,cpuacct/cpuacct.usage": "5500000000"}[stat]
    (tmp_path / "cgroup" / stat).write_text(later)
    found = values(cpu)
    assert found["system.cpu.utilization",] == pytest.approx(0.8)  # 4 s of the 5 s that half a CPU had
    assert found["system.cpu.logical.count",] == 4  # what the load is of
