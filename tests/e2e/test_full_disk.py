"""A disk that is full to the last byte: what is critical is paged all the same, and all is decided once there is room.

The state folder, Prefect's own database in it, lies on a small tmpfs.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import Forewatch, wait_for
from receiver import Receiver
from scene import HOOK_SECRET, configuration_of
from victim import Victim

from forewatch.store import ballast

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SIZE = "320m"
PAGED_WITHIN = 10.0


class Disk:
    """A tmpfs that can be filled up."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Take the last byte. The write-ahead logs are cut first, or the store would go on in the room they hold."""
        for name in ("decisions.db", "metrics.db"):
            store = sqlite3.connect(self.folder / name, timeout=10)
            store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            store.close()
        with self._filler.open("ab", buffering=0) as filler:
            for block in (1 << 20, 1 << 12, 1):
                try:
                    while True:
                        filler.write(b"\0" * block)
                except OSError:
                    continue

    def free(self) -> None:
        self._filler.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def disk(folder: Path) -> Iterator[Disk]:
    state = folder / "state"
    state.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "forewatch-test", str(state)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield Disk(state)
    subprocess.run(["umount", "--lazy", str(state)], check=False, capture_output=True)


@pytest.fixture(scope="module")
def forewatch(folder: Path, disk: Disk, victim: Victim, receiver: Receiver) -> Iterator[Forewatch]:
    # Short watches: their reliefs fall into the time of the full disk.
    started = Forewatch(folder, environment={"HOOK_SECRET": HOOK_SECRET})
    started.write_config(configuration_of(victim.watched(), receiver, length="20s"))
    # What happened is to be read after a failure.
    (folder / "logs").mkdir()
    started.home.logs.symlink_to(folder / "logs")
    try:
        started.up()
        yield started
    finally:
        disk.free()
        started.sweep()


def test_the_ballast_makes_room_for_a_page_and_its_incident(
    forewatch: Forewatch, disk: Disk, victim: Victim, receiver: Receiver
) -> None:
    assert ballast.held(forewatch.home)
    disk.fill()
    hurt = time.monotonic()
    victim.fault("errors")
    page = receiver.wait_for("victim", "page", since=hurt, timeout=PAGED_WITHIN)
    assert page.incident is not None
    assert not forewatch.home.ballast.exists()
    victim.fault("none")
    receiver.wait_for("victim", "resolved", since=hurt, timeout=15)


def test_with_nothing_left_a_critical_page_leaves_directly_and_once(
    forewatch: Forewatch, disk: Disk, victim: Victim, receiver: Receiver
) -> None:
    terms = {name: forewatch.shift(name).term for name in ("check-health", "page-people")}
    known = len(forewatch.incidents("victim"))
    disk.fill()
    hurt = time.monotonic()
    victim.fault("errors")
    page = receiver.wait_for("victim", "page", since=hurt, timeout=PAGED_WITHIN)
    assert page.at - hurt < PAGED_WITHIN
    assert page.incident is None
    assert "store takes no writes" in page.body["text"]

    # A while with a full disk, over the end of a watch: nobody is told again and nobody stops watching.
    time.sleep(25)
    assert len(receiver.of("victim", since=hurt)) == 1
    assert len(forewatch.incidents("victim")) == known
    assert forewatch.process is not None
    assert forewatch.process.poll() is None
    assert {name: forewatch.shift(name).term for name in terms} == terms, forewatch.tail()

    status, health = forewatch.health()
    assert status == 503
    assert any("is full; free some space" in problem for problem in health["problems"])

    # It recovers and fails again: that is news.
    victim.fault("none")
    time.sleep(3)
    again = time.monotonic()
    victim.fault("errors")
    receiver.wait_for("victim", "page", since=again, timeout=PAGED_WITHIN)


def direct_pages(receiver: Receiver) -> list[Any]:
    return [one for one in receiver.of("victim", "page") if one.incident is None]


def test_when_there_is_room_again_everything_is_decided_and_normal(
    forewatch: Forewatch, disk: Disk, victim: Victim, receiver: Receiver
) -> None:
    known = len(forewatch.incidents("victim"))
    disk.free()
    room = time.monotonic()
    # Both faults of the full disk were kept, with the recovery between them.
    wait_for("the kept events to be decided", lambda: len(forewatch.incidents("victim")) == known + 2, timeout=15)
    opened = forewatch.incidents("victim")
    assert [one.status for one in opened[:2]] == ["triggered", "resolved"]
    # People were paged of both without the store: of neither they are paged again, of the end of each they hear once.
    receiver.wait_for("victim", "resolved", since=room, timeout=PAGED_WITHIN)
    assert len({page.headers["idempotency-key"] for page in direct_pages(receiver)}) == 2
    assert receiver.of("victim", "page", since=room) == []
    for incident in opened[:2]:
        assert {one.state for one in forewatch.notifications(incident.id) if one.kind == "page"} == {"sent"}
    ended = time.monotonic()
    victim.fault("none")
    receiver.wait_for("victim", "resolved", since=ended, timeout=15)
    assert receiver.of("victim", "page", since=room) == []
    assert len(receiver.of("victim", "resolved", since=room)) == 2
    wait_for("the incident to end", lambda: forewatch.incidents("victim")[0].status == "resolved", timeout=15)
    assert forewatch.incidents("victim")[0].id == opened[0].id

    forewatch.wait_ready(60)
    hurt = time.monotonic()
    victim.fault("errors")
    page = receiver.wait_for("victim", "page", since=hurt, timeout=PAGED_WITHIN)
    assert page.incident == forewatch.incidents("victim")[0].id
    victim.fault("none")
    receiver.wait_for("victim", "resolved", since=hurt, timeout=15)
    assert all(forewatch.cli("status", "--json").returncode == 0 for _ in range(2))


def test_with_nothing_left_a_killed_holder_is_stood_in_for_all_the_same(
    forewatch: Forewatch, disk: Disk, victim: Victim, receiver: Receiver
) -> None:
    before = forewatch.shift("check-health")
    disk.fill()
    killed = time.monotonic()
    os.kill(forewatch.holder_pid("check-health"), signal.SIGKILL)
    victim.fault("errors")
    try:
        page = receiver.wait_for("victim", "page", since=killed, timeout=PAGED_WITHIN)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{forewatch.tail()}") from error
    assert page.incident is None
    # A row may just fit where a decision does not: then the stand-in has entered itself already.
    assert forewatch.shift("check-health").term in (before.term, before.term + 1)

    disk.free()
    wait_for("the stand-in to enter itself", lambda: forewatch.shift("check-health").holder != before.holder, 15)
    wait_for("the outage to be decided", lambda: forewatch.incidents("victim")[0].status == "triggered", 15)
    victim.fault("none")
    wait_for("the incident to end", lambda: forewatch.incidents("victim")[0].status == "resolved", timeout=15)
    forewatch.wait_ready(60)
