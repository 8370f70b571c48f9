"""Who holds a watch, told apart by pid and start, and the lock file of who stands."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from forewatch.home import Home
from forewatch.orchestration import holder, shift_lock
from forewatch.orchestration.holder import ended_here, holder_name

pytestmark = pytest.mark.unit

HOLD = """
import sys; from pathlib import Path
from forewatch.home import Home
from forewatch.orchestration import shift_lock
print(shift_lock.take(Home(Path(sys.argv[1])), "check-health"), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path)
    made.create()
    return made


def test_a_process_of_this_host_that_has_ended_is_known_to_have() -> None:
    ended = subprocess.Popen(["sleep", "60"])
    name = holder_name(ended.pid)
    assert not ended_here(name)
    ended.kill()
    ended.wait()
    assert ended_here(name)
    assert ended_here(holder_name(ended.pid))


def test_one_that_lives_or_is_another_hosts_is_not() -> None:
    assert not ended_here(holder_name())
    assert not ended_here("another-host:0123abcd:1")
    assert not ended_here("nonsense")
    assert not ended_here(f"{socket.gethostname()}:{os.getpid()}")


def test_a_zombie_has_ended() -> None:
    zombie = subprocess.Popen(["true"], stdout=subprocess.PIPE)
    assert zombie.stdout is not None
    zombie.stdout.read()
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    assert ended_here(holder_name(zombie.pid))
    zombie.wait()


def test_a_pid_that_is_anothers_by_now_is_not_taken_for_the_holder(monkeypatch: pytest.MonkeyPatch) -> None:
    name = holder_name()
    monkeypatch.setattr(holder, "start_mark", lambda pid: "began later")
    assert ended_here(name)


def test_a_post_is_held_by_one_process_and_free_once_that_is_gone(home: Home) -> None:
    command = [sys.executable, "-c", HOLD, str(home.root)]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "True\n"
    assert not shift_lock.take(home, "check-health")
    assert shift_lock.take(home, "page-people")
    other.kill()
    other.communicate()
    assert shift_lock.take(home, "check-health")
    assert shift_lock.take(home, "check-health")
    for shift in ("check-health", "page-people"):
        shift_lock.leave(home, shift)
        shift_lock.leave(home, shift)


def test_a_post_that_cannot_be_opened_is_not_held(tmp_path: Path) -> None:
    assert not shift_lock.take(Home(tmp_path / "nowhere"), "check-health")
