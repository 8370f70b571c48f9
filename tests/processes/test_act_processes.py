"""Starting, knowing and ending real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from forewatch.errors import StepFailed
from tasks.act import pidfiles
from tasks.act.processes import (
    Identity,
    alive,
    end,
    identify,
    is_own_kind,
    runs_command,
    send,
    session_members,
)
from tasks.act.records import Records, Started, key_of
from tasks.act.start import MARK, environment, exit_code, start_detached, started_by

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)",
]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Identity]]:
    """Starts commands and ends what is left of them, by their session, when the test is over."""
    identities: list[Identity] = []

    def start(command: list[str], run: str = "RUN-1", env: dict[str, str] | None = None) -> Identity:
        identity = start_detached(
            command,
            folder=tmp_path,
            directory=tmp_path,
            output=tmp_path / "out.log",
            env=env if env is not None else environment([], run),
        )
        identities.append(identity)
        return identity

    yield start
    for identity in identities:
        for member in session_members(identity):
            send(member, signal.SIGKILL)


def wait_for(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def test_a_started_process_is_in_its_own_session_without_our_descriptors(started, tmp_path):
    leak = os.open(tmp_path / "leak", os.O_CREAT | os.O_WRONLY)
    os.set_inheritable(leak, True)
    try:
        identity = started(["sleep", "60"])
    finally:
        os.close(leak)
    assert os.getsid(identity.pid) == identity.pid != os.getsid(0)
    assert os.getpgid(identity.pid) == identity.pid

    def opened() -> set[str]:
        return {os.readlink(f"/proc/{identity.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{identity.pid}/fd")}

    # Once it has loaded what it needs, it has these open and nothing else.
    wait_for(lambda: opened() == {"/dev/null", str(tmp_path / "out.log")})


def test_only_allowed_environment_reaches_it(started, monkeypatch):
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "admin:hush")
    monkeypatch.setenv("WANTED", "yes")
    identity = started(SLEEP, env=environment(["WANTED", "NOT_THERE"], "RUN-9"))
    wait_for(lambda: bool(psutil.Process(identity.pid).environ()))
    seen = psutil.Process(identity.pid).environ()
    assert seen["WANTED"] == "yes"
    assert seen[MARK] == "RUN-9"
    assert "PREFECT_API_AUTH_STRING" not in seen
    assert "NOT_THERE" not in seen


def test_its_output_is_appended_to_the_file(started, tmp_path):
    for word in ("one", "two"):
        identity = started([sys.executable, "-c", f"print('{word}')"])
        wait_for(lambda identity=identity: not alive(identity))
    assert (tmp_path / "out.log").read_text() == "one\ntwo\n"


def test_it_survives_the_death_of_its_parent(tmp_path):
    script = f"""
import sys
from pathlib import Path
from tasks.act.start import environment, start_detached
folder = Path({str(tmp_path)!r})
identity = start_detached({SLEEP!r}, folder=folder, directory=folder, output=folder / "out.log",
                          env=environment([], "RUN-1"))
print(identity.pid, flush=True)
sys.stdin.read()
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    assert parent.stdout
    child = identify(int(parent.stdout.readline()))
    assert child is not None
    try:
        os.killpg(parent.pid, signal.SIGKILL)
        parent.wait(5)
        time.sleep(0.1)
        assert alive(child)
    finally:
        send(child, signal.SIGKILL)


def test_a_missing_program_gets_one_plain_sentence(started, tmp_path):
    with pytest.raises(StepFailed, match=r"cannot start \./nothing\.sh.*No such file"):
        started(["./nothing.sh"])


def test_a_missing_working_directory_is_named(tmp_path):
    with pytest.raises(StepFailed, match="the working directory"):
        start_detached(
            SLEEP,
            folder=tmp_path,
            directory=tmp_path / "gone",
            output=tmp_path / "out.log",
            env=environment([], "RUN-1"),
        )


def test_a_relative_script_is_found_in_the_folder(started, tmp_path):
    script = tmp_path / "start.sh"
    script.write_text("#!/bin/sh\necho started\nsleep 60\n")
    script.chmod(0o755)
    pid = started(["./start.sh"]).pid
    wait_for(lambda: (found := identify(pid)) is not None and len(found.argv) == 2)
    identity = identify(pid)
    assert identity is not None
    assert identity.argv[0] == "/bin/sh"
    assert runs_command(identity, ["./start.sh"], tmp_path)
    assert runs_command(identity, [str(script)], tmp_path)
    assert not runs_command(identity, ["./other.sh"], tmp_path)
    assert not runs_command(identity, ["./start.sh", "--more"], tmp_path)


def test_a_zombie_is_not_alive():
    process = subprocess.Popen(["sleep", "0"])
    try:
        wait_for(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
        assert identify(process.pid) is None
    finally:
        process.wait()


def test_a_child_that_ends_leaves_no_zombie_and_its_exit_code(started):
    identity = started([sys.executable, "-c", "raise SystemExit(3)"])
    wait_for(lambda: not psutil.pid_exists(identity.pid))
    wait_for(lambda: exit_code(identity.pid) == 3)


def test_a_recycled_pid_is_never_signalled(started):
    identity = started(SLEEP)
    stranger = replace(identity, started=identity.started + "1")
    assert not alive(stranger)
    assert send(stranger, signal.SIGKILL) is False
    assert session_members(stranger) == []
    time.sleep(0.05)
    assert alive(identity)


async def test_a_polite_process_ends_at_the_first_signal(started):
    identity = started(SLEEP)
    assert await end(lambda: session_members(identity), first=signal.SIGTERM, grace=5) == "TERM"
    assert not alive(identity)


async def test_a_stubborn_process_is_killed_after_its_grace(started, tmp_path):
    identity = started(STUBBORN)
    wait_for(lambda: "ready" in (tmp_path / "out.log").read_text())
    began = time.monotonic()
    assert await end(lambda: session_members(identity), first=signal.SIGTERM, grace=0.3) == "KILL"
    assert 0.3 <= time.monotonic() - began < 3
    assert not alive(identity)


async def test_children_left_behind_by_a_dead_leader_are_ended_too(started):
    leader = started(["/bin/sh", "-c", "sleep 60 & sleep 60 & exit 0"])
    wait_for(lambda: not alive(leader) and len(session_members(leader)) == 2)
    await end(lambda: session_members(leader), first=signal.SIGTERM, grace=2)
    assert session_members(leader) == []


async def test_ending_nobody_is_fine():
    assert await end(list, first=signal.SIGTERM, grace=1) == "TERM"


def test_identity_survives_exec(started):
    identity = started(["/bin/sh", "-c", "exec sleep 60"])
    wait_for(lambda: (found := identify(identity.pid)) is not None and found.argv[:1] == ("sleep",))
    assert alive(identity)


def test_a_run_finds_what_it_started_by_its_mark(started):
    identity = started(SLEEP, run="RUN-4711")
    wait_for(lambda: started_by("RUN-4711") == identity)
    assert started_by("RUN-4712") is None


def test_we_and_our_ancestors_are_our_own_kind(started):
    assert is_own_kind(os.getpid())
    assert is_own_kind(os.getppid())
    assert is_own_kind(1)
    assert not is_own_kind(started(SLEEP).pid)


def test_a_pid_file_is_read_and_a_broken_one_named(tmp_path):
    path = tmp_path / "a.pid"
    assert pidfiles.read(path) is None
    path.write_text("")
    assert pidfiles.read(path) is None
    path.write_text("42\n")
    assert pidfiles.read(path) == 42
    path.write_text("forty-two")
    with pytest.raises(StepFailed, match="holds 'forty-two' instead of a pid"):
        pidfiles.read(path)


def test_a_process_younger_than_its_pid_file_has_a_recycled_pid(started, tmp_path):
    identity = started(SLEEP)
    path = tmp_path / "a.pid"
    path.write_text(str(identity.pid))
    assert not pidfiles.recycled(path, identity)
    long_ago = time.time() - 3600
    os.utime(path, (long_ago, long_ago))
    assert pidfiles.recycled(path, identity)


def test_a_pid_file_the_command_wrote_is_left_alone(tmp_path):
    path = tmp_path / "run" / "a.pid"
    pidfiles.write_if_missing(path, 41)
    pidfiles.write_if_missing(path, 42)
    assert pidfiles.read(path) == 41
    assert list(path.parent.iterdir()) == [path]


def test_a_record_is_read_back_and_a_damaged_one_forgotten(started, tmp_path):
    records = Records(tmp_path / "started")
    key = key_of("storefront", None)
    assert records.of(key) is None
    leader, main = started(SLEEP), started(SLEEP)
    records.put(key, Started("storefront", "RUN-1", tuple(SLEEP), "out.log", 1, leader))
    records.note_main(key, main)
    remembered = records.of(key)
    assert remembered is not None
    assert remembered.main == main
    assert {process.pid for process in remembered.processes()} == {leader.pid, main.pid}
    assert list(records.of_service("storefront")) == [remembered]
    assert list(records.of_service("store")) == []
    (tmp_path / "started" / f"{key}.json").write_text('{"service": "storefront"')
    assert records.of(key) is None
