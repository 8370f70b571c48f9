"""Which mounts are watched, and that a hanging one costs the others nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from forewatch.clock import micros
from forewatch.home import Home
from forewatch.store import points
from forewatch.store.engine import Store
from tasks.collect import filesystems as module
from tasks.collect.filesystems import Writable, filesystems, space
from tasks.collect.gathering import Gathering
from tasks.collect.mounts import MOST, Mount, Space, meant_read_only, worth_watching
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


@pytest.mark.parametrize(
    "point",
    [
        "/var/lib/docker/volumes/db/_data", "/var/lib/docker/btrfs/subvolumes/3f0e",
        "/var/lib/kubelet/pods/1/volumes/x", "/snap/core/1", "/tmp/.mount_x",
        "/var/lib/containers/storage/vfs/x", "/home/a/.local/share/containers/storage/x",
        "/var/lib/containerd/tmpmounts/containerd-mount1",
    ],
)  # fmt: skip
def test_what_comes_and_goes_with_containers_and_packages_is_left_out(point: str) -> None:
    assert watched(mount("/"), mount(point)) == ["/"]


@pytest.mark.parametrize("point", ["/var/lib/docker", "/var/lib/kubelet", "/var/lib/dockerhub/x", "/srv/docker/x"])
def test_a_disk_of_the_engines_own_is_measured(point: str) -> None:
    assert watched(mount(point)) == [point]


async def gather(
    monkeypatch: pytest.MonkeyPatch,
    mounts: list[Mount],
    answers: dict[str, object],
    writable: Writable | None = None,
    now: int = 1,
) -> Gathering:
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
    into = Gathering(now)
    await filesystems(into, Patience(), writable)
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


def figures(into: Gathering, metric: str) -> dict[str, float]:
    return {p.labels["mountpoint"]: p.value for p in into.points if p.metric == metric}


READ_ONLY = "system.filesystem.readonly"
ERRORS = "ro,errors=remount-ro"


async def test_a_disk_that_turns_read_only_is_told_and_still_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    writable, other = Writable(), Space(2, 100, 50, 50, 0, 0)
    answers = {"/": HALF, "/data": other}
    before = await gather(monkeypatch, [mount("/"), mount("/data", device="/dev/b")], answers, writable)
    assert figures(before, READ_ONLY) == {"/": 0, "/data": 0}
    turned = [mount("/"), mount("/data", device="/dev/b", options=ERRORS)]
    after = await gather(monkeypatch, turned, answers, writable, now=2)
    assert figures(after, READ_ONLY) == {"/data": 1}
    assert utilizations(after) == {"/": 0.5, "/data": 0.5}
    mended = await gather(monkeypatch, [mount("/data", device="/dev/b")], answers, writable, now=3)
    assert figures(mended, READ_ONLY) == {"/data": 0}


async def test_it_is_told_each_minute_while_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    writable = Writable()
    told = [
        at
        for at in range(0, 181, 15)
        if figures(await gather(monkeypatch, [mount("/")], {"/": HALF}, writable, micros(at)), READ_ONLY)
    ]
    assert told == [0, 60, 120, 180]


async def test_a_mount_that_always_was_read_only_is_no_alert(monkeypatch: pytest.MonkeyPatch) -> None:
    writable = Writable()
    mounts = [mount("/"), mount("/iso", "iso9660", "/dev/sr0", "ro"), mount("/data", device="/dev/b", options=ERRORS)]
    for now in (1, 2):
        into = await gather(monkeypatch, mounts, {"/": HALF}, writable, now=now)
        assert set(figures(into, READ_ONLY)) <= {"/"}


async def test_a_mount_that_is_to_be_read_only_may_be_written_to_for_a_while(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fstab = tmp_path / "fstab"
    fstab.write_text("# /data\nUUID=1 / ext4 defaults 0 1\nUUID=2 /usr ext4 ro,nodev 0 2\nbroken\n")
    assert meant_read_only(fstab) == {"/usr"}
    assert meant_read_only(tmp_path / "none") == set()
    monkeypatch.setattr(module, "meant_read_only", lambda: {"/usr"})
    writable, answers = Writable(), {"/usr": HALF}
    await gather(monkeypatch, [mount("/usr")], answers, writable)
    into = await gather(monkeypatch, [mount("/usr", options="ro")], answers, writable, now=2)
    assert into.points == []


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    home = Home(tmp_path / "home")
    home.create()
    store = Store.open(home, migrate=True)
    yield store
    store.close()


async def test_the_next_shift_knows_what_could_be_written_to_since_the_machine_started(
    monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    boot, now = micros(1_000), micros(2_000)
    mounts = [mount("/", "btrfs"), mount("/home", "btrfs")]
    answers = {"/": HALF, "/home": Space(2, 100, 50, 50, 0, 0)}
    into = await gather(monkeypatch, mounts, answers, Writable(store, boot), now)
    with store.measure() as conn:
        points.write(conn, into.points)
    turned = [mount("/", "btrfs"), mount("/home", "btrfs", options=ERRORS)]
    later = await gather(monkeypatch, turned, answers, Writable(store, boot), now + 1)
    assert figures(later, READ_ONLY) == {"/": 1}
    after_a_restart = await gather(monkeypatch, turned, answers, Writable(store, now + 1), now + 2)
    assert figures(after_a_restart, READ_ONLY) == {"/": 0}


async def test_subvolumes_of_one_device_are_one_file_system_that_names_its_mounts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    device = "/dev/mapper/luks-1"
    mounts = [mount(point, "btrfs", device) for point in ("/home", "/", "/var/log")]
    mounts += [mount("/backup", "btrfs", "/dev/sdb"), mount("/ext")]
    spaces = (Space(number, 100, 10, 10, 0, 0) for number in range(1, 6))
    into = await gather(
        monkeypatch, mounts, dict(zip(("/", "/home", "/var/log", "/backup", "/ext"), spaces, strict=True))
    )
    assert utilizations(into) == {"/": 0.9, "/backup": 0.9, "/ext": 0.9}
    named = [p.labels.get("mounts") for p in into.points if p.metric == "system.filesystem.utilization"]
    assert named == ["/, /home, /var/log", None, None]


async def test_datasets_of_one_pool_are_one_unless_they_have_a_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = [mount("/tank", "zfs", "tank"), mount("/tank/a", "zfs", "tank/a"), mount("/tank/b", "zfs", "tank/b")]
    answers = {
        "/tank": Space(1, 110, 100, 100, 9, 9), "/tank/a": Space(2, 300, 100, 100, 9, 9),
        "/tank/b": Space(3, 50, 5, 5, 9, 9),
    }  # fmt: skip
    into = await gather(monkeypatch, mounts, answers)
    assert utilizations(into) == {"/tank": 210 / 310, "/tank/b": 0.9}


async def test_volumes_of_one_apfs_container_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = [
        mount("/", "apfs", "/dev/disk3s1s1"),
        mount("/data", "apfs", "/dev/disk3s5"),
        mount("/x", "apfs", "/dev/disk4s1"),
    ]
    answers = {"/": HALF, "/data": Space(2, 100, 50, 50, 0, 0), "/x": Space(3, 100, 50, 50, 0, 0)}
    assert set(utilizations(await gather(monkeypatch, mounts, answers))) == {"/", "/x"}


async def test_no_machine_has_more_mounts_measured_than_the_store_can_take(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    many = {f"/m/{number:04}": Space(number, 100, 50, 50, 0, 0) for number in range(1, 1_001)}
    writable = Writable()
    for now in (1, 2):
        into = await gather(monkeypatch, [mount(point) for point in many], many, writable, now)
        assert len(utilizations(into)) == MOST
        assert into.problems == []
    assert caplog.text.count("the 64 with the shortest paths are measured") == 1
