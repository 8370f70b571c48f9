"""Which noted processes still are the ones that were noted."""

import os
import subprocess
import sys

import psutil
import pytest

from forewatch.home import Home
from forewatch.orchestration import orphans
from forewatch.orchestration.flow_run_notes import note_flow_run, runner_of

pytestmark = pytest.mark.unit

FLOW_RUN = "0192b9f4-0000-7000-8000-000000000001"


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "state")
    home.create()
    return home


@pytest.fixture
def sleeper():
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        yield process
        process.kill()


def set_clock(monkeypatch, seconds):
    """As psutil sees it: the kernel counts the moment of boot back from the wall clock."""
    booted = psutil.boot_time()
    monkeypatch.setattr(psutil._psplatform, "boot_time", lambda: booted + seconds)


@pytest.mark.parametrize("jump", [3600, -3600, 1])
def test_a_clock_that_was_set_makes_nobody_a_stranger(home, sleeper, monkeypatch, jump):
    orphans.note(home, "children", sleeper.pid)
    note_flow_run(home, FLOW_RUN)
    set_clock(monkeypatch, jump)
    assert [process.pid for process in orphans.living(home, "children")] == [sleeper.pid]
    assert runner_of(home, FLOW_RUN).pid == os.getpid()


def test_a_pid_that_another_process_has_now_is_a_stranger(home, sleeper):
    orphans.note(home, "children", os.getpid())
    note = home.run / "children" / str(os.getpid())
    note.rename(home.run / "children" / str(sleeper.pid))
    assert orphans.living(home, "children") == []
    assert not list((home.run / "children").iterdir())


def test_a_note_that_cannot_be_written_is_said_and_stops_nobody(home, caplog):
    (home.run / "children").write_text("not a folder")
    (home.run / "flow-runs").write_text("not a folder")
    orphans.register_child(home)
    note_flow_run(home, FLOW_RUN)
    assert len([record for record in caplog.records if "could not be noted" in record.message]) == 2


def test_a_child_that_ends_takes_its_note_along(home):
    orphans.register_child(home)
    assert [process.pid for process in orphans.living(home, "children")] == [os.getpid()]
    orphans.forget_child(home)
    assert list((home.run / "children").iterdir()) == []
