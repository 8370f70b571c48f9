"""Which mounts are watched, and that a hanging one costs the others nothing."""

from __future__ import annotations

import threading

import pytest

from tasks.collect import filesystems as module
from tasks.collect.filesystems import Mount, Space, filesystems, space, worth_watching
from tasks.collect.gathering import Gathering
from tasks.collect.patience import Patience

pytestmark = pytest.mark.unit


def mount(point: str, fstype: str = "ext4", device: str = "/dev/sda1", options: str = "rw,relatime") -> Mount:
    return Mount(point, device, fstype, options)


def watched(*found: Mount) -> list[str]:
    return [one.mountpoint for one in worth_watching(found)]


def test_pseudo_file_systems_are_left_out() -> None:
    assert watched(mount("/"), mount("/proc", "proc"), mount("/x", "cgroup2"), mount("/y", "sysfs")) == ["/"]


def test_what_cannot_be_written_cannot_fill_up() -> None:
    assert watched(mount("/"), mount("/snap/core", "squashfs", options="ro,nodev")) == ["/"]


def test_an_overlay_counts_only_as_the_root() -> None:
    assert watched(mount("/", "overlay"), mount("/var/lib/docker/overlay2/a/merged", "overlay")) == ["/"]


def test_a_tmpfs_counts_unless_it_is_the_systems_own() -> None:
    found = (mount("/tmp", "tmpfs"), mount("/run/lock", "tmpfs"), mount("/dev/shm", "tmpfs"), mount("/runner", "tmpfs"))
    assert watched(*found) == ["/tmp", "/runner"]


def test_of_two_mounts_over_each_other_the_upper_one_is_seen() -> None:
    (one,) = worth_watching([mount("/data", device="/dev/a"), mount("/data", device="/dev/b")])
    assert one.device == "/dev/b"


def test_utilization_is_what_df_says_with_roots_reserve_left_out() -> None:
    assert Space(1, total=1000, free=550, available=450, inodes=0, inodes_free=0).utilization == 0.5
    assert Space(1, 0, 0, 0, 0, 0).utilization == 0


def test_the_root_has_space_and_a_file_has_none() -> None:
    root = space("/")
    assert root is not None
    assert root.total > root.available > 0
    assert space(__file__) is None


async def gather(monkeypatch: pytest.MonkeyPatch, mounts: list[Mount], answers: dict[str, object]) -> Gathering:
    def answer(mountpoint: str) -> object:
        found = answers[mountpoint]
        if isinstance(found, threading.Event):
            found.wait(30)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(module, "mounts", lambda: mounts)
    monkeypatch.setattr(module, "space", answer)
    monkeypatch.setattr(module, "TIMEOUT", 0.2)
    into = Gathering(1)
    await filesystems(into, Patience())
    return into


def utilizations(into: Gathering) -> dict[str, float]:
    return {p.labels["mountpoint"]: p.value for p in into.points if p.metric == "system.filesystem.utilization"}


HALF = Space(1, 100, 50, 50, 1000, 250)


async def test_a_mount_that_hangs_or_fails_is_named_and_the_others_are_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release = threading.Event()
    mounts = [mount("/"), mount("/nfs", "nfs4"), mount("/bad"), mount("/secret")]
    answers = {"/": HALF, "/nfs": release, "/bad": OSError(5, "Input/output error"), "/secret": PermissionError()}
    into = await gather(monkeypatch, mounts, answers)
    release.set()
    assert utilizations(into) == {"/": 0.5}
    assert [problem.split(":")[0] for problem in sorted(into.problems)] == ["/bad", "/nfs"]
    assert "has not answered within 0.2s" in " ".join(into.problems)


async def test_a_file_system_mounted_twice_is_measured_once_under_its_shortest_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    into = await gather(monkeypatch, [mount("/srv/copy"), mount("/")], {"/": HALF, "/srv/copy": HALF})
    assert utilizations(into) == {"/": 0.5}


async def test_inodes_are_measured_where_there_are_any(monkeypatch: pytest.MonkeyPatch) -> None:
    no_inodes = Space(2, 100, 50, 50, 0, 0)
    into = await gather(monkeypatch, [mount("/"), mount("/btrfs")], {"/": HALF, "/btrfs": no_inodes})
    found = [(p.labels["mountpoint"], p.value) for p in into.points if "inodes" in p.metric]
    assert found == [("/", 0.75)]
