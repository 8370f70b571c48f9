"""Real processes that fight over one store, die in the middle, or may not write."""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from forewatch.clock import MICROSECONDS
from forewatch.config.models import Config
from forewatch.deciding import decide
from forewatch.errors import Fenced, StoreUnavailable
from forewatch.home import Home
from forewatch.incidents.events import AlertRaised
from forewatch.store import alerts, audit, ids, incidents, observations, runs, shifts, timeline
from forewatch.store.engine import Store
from forewatch.store.shifts import Fence, check_fence

NOW = 1_767_225_600 * MICROSECONDS
CONFIG = (1, Config())
# A child begins as a fresh interpreter, as ours do: nothing of the parent's store crosses into it.
spawn = multiprocessing.get_context("spawn")
LONGEST = 60.0


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    Store.open(home, migrate=True).close()
    return home


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    store = Store.open(home)
    yield store
    store.close()


def together(target: Callable[..., None], *arguments: tuple[Any, ...]) -> list[int | None]:
    """Run `target` once for each of the arguments, all at once; their exit codes."""
    children = [spawn.Process(target=target, args=each) for each in arguments]
    for child in children:
        child.start()
    for child in children:
        child.join(LONGEST)
        assert not child.is_alive(), "a child hangs"
    return [child.exitcode for child in children]


def _migrate(root: Path) -> None:
    Store.open(Home(root), migrate=True).close()


def test_processes_that_migrate_at_once_leave_one_whole_store(tmp_path: Path) -> None:
    root = tmp_path / "new"
    assert together(_migrate, *[(root,)] * 4) == [0] * 4
    store = Store.open(Home(root))
    assert store.integrity("decisions") == store.integrity("metrics") == []
    store.close()


def _count(home: Home, times: int) -> None:
    store = Store.open(home)
    for _ in range(times):
        with store.decide() as conn:
            ids.next_id(conn, "INC")
    store.close()


def test_no_increment_of_many_processes_is_lost(home: Home, store: Store) -> None:
    assert together(_count, *[(home, 50)] * 4) == [0] * 4
    with store.decide() as conn:
        assert ids.next_id(conn, "INC") == "INC-201"


def _write_while_fenced(home: Home, holder: str, expected_term: int | None, writes: int) -> None:
    """Take the shift from whoever has it, write under its fence until the next holder takes it."""
    store = Store.open(home)
    with store.decide() as conn:
        seen = shifts.get(conn, "check-health")
        fence = shifts.take(
            conn, "check-health", holder, expected_term=seen.term if seen else None, scheduled_for=0, now=NOW
        )
        assert fence is not None
    for _ in range(writes):
        try:
            with store.decide() as conn:
                check_fence(conn, fence)
                timeline.add(conn, "INC-1", at=NOW, kind="note", actor=str(fence.term), text=holder)
        except Fenced:
            break
    store.close()


def test_a_stale_fence_never_commits(home: Home, store: Store) -> None:
    assert together(_write_while_fenced, *[(home, f"holder-{n}", None, 200) for n in range(4)]) == [0] * 4
    with store.read() as conn:
        terms = [int(entry.actor) for entry in timeline.of_incident(conn, "INC-1")]
    # A write of an earlier term after one of a later term is one that its fence should have stopped.
    assert terms == sorted(terms)
    assert terms[-1] == 4


def test_a_fence_that_was_read_before_the_term_ended_does_not_commit(store: Store, home: Home) -> None:
    with store.decide() as conn:
        shifts.take(conn, "check-health", "a", expected_term=None, scheduled_for=0, now=NOW)
    with store.read() as conn:
        check_fence(conn, Fence("check-health", 1))
        assert together(_take_over, (home,)) == [0]
        check_fence(conn, Fence("check-health", 1))  # a reader sees one moment: reading is no licence to write
    with store.decide() as conn, pytest.raises(Fenced):
        check_fence(conn, Fence("check-health", 1))


def _take_over(home: Home) -> None:
    store = Store.open(home)
    with store.decide() as conn:
        assert shifts.take(conn, "check-health", "b", expected_term=1, scheduled_for=0, now=NOW)
    store.close()


def _raise_alerts(home: Home, process: int, times: int) -> None:
    store = Store.open(home)
    for number in range(times):
        labels = {"alertname": "CheckFailing", "service": "storefront", "check": f"{process}-{number}"}
        decide(store, AlertRaised(labels | {"severity": "critical"}, {}, NOW), config=CONFIG, now=NOW)
        same = {"alertname": "CheckFailing", "service": "storefront", "check": "same", "severity": "critical"}
        decide(store, AlertRaised(same, {}, NOW), config=CONFIG, now=NOW)
    store.close()


def test_racing_alerts_of_a_service_open_one_incident(home: Home, store: Store) -> None:
    assert together(_raise_alerts, *[(home, process, 10) for process in range(4)]) == [0] * 4
    with store.read() as conn:
        [incident] = incidents.listing(conn)
        assert len(alerts.of_incident(conn, incident.id)) == 4 * 10 + 1
        assert len(observations.since(conn, 0)) == 4 * 10 * 2


def _claim_all(home: Home, worker: str) -> None:
    store = Store.open(home)
    while True:
        with store.decide() as conn:
            if not runs.claim(conn, worker, NOW, 1):
                break
    store.close()


def test_a_run_is_claimed_by_one_worker(home: Home, store: Store) -> None:
    fields = dict.fromkeys(
        ("service", "incident_id", "alert_id", "remedy", "flow_run_id", "started_at", "acted_at", "finished_at")
    )
    whole = runs.Run(
        id="", kind="runbook", runbook="restart-service", inputs={}, autonomy="person", requested_by="ann",
        state="waiting", attempts=0, created_at=NOW, outcome=None, verified=None, **fields,
    )  # fmt: skip
    with store.decide() as conn:
        for number in range(40):
            runs.put(conn, runs.Run(**{**vars(whole), "id": f"RUN-{number}"}))
    assert together(_claim_all, *[(home, f"worker-{n}") for n in range(3)]) == [0] * 3
    with store.read() as conn:
        assert [run.attempts for run in runs.listing(conn, states=["claimed"], limit=100)] == [1] * 40


def _commit_and_tell(home: Home, pipe: Any) -> None:
    """Commit for ever, telling each number after its commit; then stop for ever with one more uncommitted."""
    store = Store.open(home)
    for _ in range(25):
        with store.decide() as conn:
            number = int(ids.next_id(conn, "INC").removeprefix("INC-"))
            audit.add(conn, actor="test", action="count", subject=str(number), now=NOW)
        pipe.send(number)
    with store.decide() as conn:
        ids.next_id(conn, "INC")
        audit.add(conn, actor="test", action="count", subject="never committed", now=NOW)
        pipe.send("in the middle")
        signal.pause()


def test_a_process_killed_in_the_middle_loses_nothing_committed_and_leaves_nothing_else(home: Home) -> None:
    ours, theirs = spawn.Pipe()
    child = spawn.Process(target=_commit_and_tell, args=(home, theirs))
    child.start()
    told: list[object] = []
    while not told or told[-1] != "in the middle":
        assert ours.poll(LONGEST)
        told.append(ours.recv())
    os.kill(child.pid, signal.SIGKILL)
    child.join(LONGEST)
    store = Store.open(home)
    with store.decide() as conn:
        assert sorted(int(entry.subject) for entry in audit.listing(conn)) == told[:-1] == list(range(1, 26))
        assert ids.next_id(conn, "INC") == "INC-26"
    assert store.integrity("decisions") == []
    store.close()


def _killed_at_random(home: Home, pipe: Any) -> None:
    store = Store.open(home)
    while True:
        with store.decide() as conn:
            number = ids.next_id(conn, "INC")
            audit.add(conn, actor="test", action="count", subject=number, now=NOW)
        pipe.send(number)


def test_counter_and_rows_agree_after_a_kill_at_any_moment(home: Home) -> None:
    last = "INC-0"
    for _ in range(3):
        ours, theirs = spawn.Pipe()
        child = spawn.Process(target=_killed_at_random, args=(home, theirs))
        child.start()
        for _ in range(20):
            assert ours.poll(LONGEST)
            last = ours.recv()
        os.kill(child.pid, signal.SIGKILL)
        child.join(LONGEST)
        while ours.poll(0):
            last = ours.recv()
    store = Store.open(home)
    with store.decide() as conn:
        subjects = [int(entry.subject.removeprefix("INC-")) for entry in audit.listing(conn, limit=100_000)][::-1]
        assert subjects == list(range(1, len(subjects) + 1))
        assert len(subjects) >= int(last.removeprefix("INC-"))
        assert ids.next_id(conn, "INC") == f"INC-{len(subjects) + 1}"
    store.close()


def _as_a_stranger(root: Path, pipe: Any) -> None:
    """Open the store as a user who may read but not write it, and tell what is said."""
    os.setgid(65534)
    os.setuid(65534)
    for migrate in (False, True):
        try:
            store = Store.open(Home(root), migrate=migrate)
            with store.decide() as conn:
                ids.next_id(conn, "INC")
            pipe.send("wrote it")
        except StoreUnavailable as error:
            pipe.send(str(error))


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="needs root to become another user")
def test_a_read_only_folder_is_said_in_one_sentence(home: Home) -> None:
    root = Path(tempfile.mkdtemp(prefix="forewatch-"))
    try:
        shutil.copytree(home.root, root / "home")
        for path in (root, root / "home"):
            path.chmod(0o555)
        for path in (root / "home").iterdir():
            path.chmod(0o444)
        # Forked, because a stranger could not import what it needs.
        ours, theirs = multiprocessing.Pipe()
        child = multiprocessing.get_context("fork").Process(target=_as_a_stranger, args=(root / "home", theirs))
        child.start()
        for _ in range(2):
            assert ours.poll(LONGEST)
            said = ours.recv()
            assert f"{root}/home/decisions.db: " in said
            assert "writable" in said or "permissions" in said
        child.join(LONGEST)
    finally:
        shutil.rmtree(root)


def _on_a_full_disk(home: Home, pipe: Any) -> None:
    """No file may grow beyond 1 MiB, as on a disk that is full; committed rows must survive it."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
    store = Store.open(home)
    committed = 0
    try:
        for _ in range(10_000):
            with store.decide() as conn:
                audit.add(conn, actor="test", action="fill", subject="disk", now=NOW, detail={"text": "x" * 20_000})
            committed += 1
    except StoreUnavailable as error:
        pipe.send((committed, str(error)))
    sys.exit(0)


def test_a_disk_that_takes_no_more_is_said_and_keeps_what_was_committed(home: Home, store: Store) -> None:
    ours, theirs = spawn.Pipe()
    child = spawn.Process(target=_on_a_full_disk, args=(home, theirs))
    child.start()
    assert ours.poll(LONGEST)
    committed, said = ours.recv()
    child.join(LONGEST)
    assert f"{home.decisions_db}: the disk" in said
    with store.read() as conn:
        assert len(audit.listing(conn, limit=100_000)) == committed > 0
    with store.decide() as conn:
        assert ids.next_id(conn, "INC") == "INC-1"
