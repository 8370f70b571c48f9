"""Which mounts are measured, and which of them are one file system. Pure, but for reading `/etc/fstab`.

Left out are mounts that hold no data of their own, those that come and go with containers, packages and removable
images, and those nobody could ever write to.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

PSEUDO = frozenset(
    {
        "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devfs", "devpts", "devtmpfs",
        "efivarfs", "fuse.gvfsd-fuse", "fuse.lxcfs", "fuse.portal", "fusectl", "hugetlbfs", "mqueue", "nsfs", "overlay",
        "proc", "pstore", "ramfs", "rpc_pipefs", "securityfs", "selinuxfs", "sysfs", "tracefs",
    }
)  # fmt: skip
"""Types that hold no data of their own; an `overlay` counts only as the root of a container."""

MOST = 64
"""Mounts that are measured: the ones with the shortest paths."""
MOST_NAMED = 8

_UNWATCHED = ("/dev", "/proc", "/sys", "/run")
_COME_AND_GO = re.compile(
    r"(/var/lib/(docker|containers|containerd|kubelet|k0s|rancher|lxc|lxd|incus|machines|nomad|snapd)"
    r"|/var/snap|/snap|/home/[^/]+/\.local/share/(docker|containers)|/root/\.local/share/(docker|containers)"
    r"|/opt/nomad|/tmp/\.mount_[^/]*|/var/lib/flatpak|/var/tmp/flatpak-cache[^/]*)/.+|/tmp/\.mount_.*"
)
"""Below these, engines mount for each container, package or image anew; on their own they may be a disk."""
_POOLED = re.compile(r"/dev/disk\d+(?=s\d)")
"""The container of APFS volumes."""


@dataclass(frozen=True)
class Mount:
    mountpoint: str
    device: str
    fstype: str
    options: str

    @property
    def key(self) -> tuple[str, str]:
        return self.mountpoint, self.device

    @property
    def read_only(self) -> bool:
        return "ro" in self.options.split(",")


@dataclass(frozen=True)
class Space:
    """Of one mount: sizes in bytes. `device_number` tells two mounts of the same file system from two file systems."""

    device_number: int
    total: int
    free: int
    available: int
    """What an ordinary user can still write: less than `free` where root has a reserve."""
    inodes: int
    inodes_free: int

    @property
    def utilization(self) -> float:
        """As `df` has it: used of what ordinary users can have."""
        used = self.total - self.free
        return used / (used + self.available) if used + self.available else 0.0


@dataclass(frozen=True)
class Filesystem:
    """What fills up together. `mounts`: the one it is called by first; several where it has subvolumes or datasets."""

    mounts: tuple[Mount, ...]
    space: Space

    @property
    def labels(self) -> dict[str, str]:
        first = self.mounts[0]
        labels = {"mountpoint": first.mountpoint, "device": first.device}
        if len(self.mounts) > 1:
            named = [mount.mountpoint for mount in self.mounts[:MOST_NAMED]]
            labels["mounts"] = ", ".join([*named, "..."] if len(self.mounts) > MOST_NAMED else named)
        return labels


def worth_watching(found: Iterable[Mount], once_writable: Collection[tuple[str, str]] = ()) -> list[Mount]:
    """Mounts that can fill up, each once, the shortest path first: of a bind mount the original is named.

    `once_writable`: the keys of mounts that could be written to; one that no longer can is still looked at.
    """
    chosen: dict[str, Mount] = {}
    for mount in found:
        hidden = any(mount.mountpoint == top or mount.mountpoint.startswith(f"{top}/") for top in _UNWATCHED)
        pseudo = mount.fstype in PSEUDO and mount.mountpoint != "/"
        comes_and_goes = _COME_AND_GO.fullmatch(mount.mountpoint) is not None
        if not (hidden or pseudo or comes_and_goes or (mount.read_only and mount.key not in once_writable)):
            chosen[mount.mountpoint] = mount  # of two over each other the later one is seen
    return sorted(chosen.values(), key=lambda mount: (len(mount.mountpoint), mount.mountpoint))


def together(measured: Iterable[tuple[Mount, Space]]) -> list[Filesystem]:
    """One for each file system, however many of its subvolumes and datasets are mounted."""
    groups: dict[object, list[tuple[Mount, Space]]] = {}
    seen: set[int] = set()
    for mount, space in measured:
        if space.device_number not in seen:
            seen.add(space.device_number)
            groups.setdefault(_shared(mount, space), []).append((mount, space))
    return [Filesystem(tuple(mount for mount, _ in group), _space(group)) for group in groups.values()]


def meant_read_only(fstab: Path = Path("/etc/fstab")) -> set[str]:
    """The mountpoints that are to be read-only."""
    try:
        lines = fstab.read_text(errors="replace").splitlines()
    except OSError:
        return set()
    fields = (line.split() for line in lines if not line.lstrip().startswith("#"))
    return {one[1] for one in fields if len(one) >= 4 and "ro" in one[3].split(",")}


def _shared(mount: Mount, space: Space) -> object:
    """Equal for mounts that share one room: subvolumes have device numbers of their own, and so have datasets."""
    if mount.fstype in ("btrfs", "bcachefs"):
        return mount.fstype, mount.device
    if mount.fstype == "zfs":  # one with a quota of its own has less left, and fills up by itself
        return "zfs", mount.device.split("/")[0], space.available
    if mount.fstype == "apfs" and (container := _POOLED.match(mount.device)):
        return "apfs", container[0]
    return space.device_number


def _space(group: list[tuple[Mount, Space]]) -> Space:
    first = group[0][1]
    if len(group) == 1 or group[0][0].fstype != "zfs":
        return first  # each says the same
    used = sum(space.total - space.free for _, space in group)
    return Space(first.device_number, used + first.available, first.available, first.available, 0, 0)
