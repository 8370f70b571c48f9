"""The runbooks a remedy may name are known without importing any of them."""

import subprocess
import sys

import pytest

from forewatch.clock import FakeClock
from forewatch.config.loader import load_files, parse
from forewatch.config.reload import Changed, ConfigWatcher
from forewatch.config.runbook_names import runbook_names
from forewatch.errors import ConfigError

pytestmark = pytest.mark.unit

REMEDY = """
services:
  - name: web
    checks: [{tcp: "127.0.0.1:1"}]
    remedies: [{on: {alertname: CheckFailing}, runbook: %s}]
runbook_folders: [own]
"""


@pytest.fixture
def own(tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    return folder


def declare(folder, name, text):
    (folder / f"{name}.py").write_text(text, encoding="utf-8")


def test_the_runbooks_that_come_with_forewatch_are_known():
    assert runbook_names() >= {"restart-service", "collect-diagnostics"}


def test_a_users_runbook_is_its_function(own):
    declare(
        own, "maintenance", "@runbook(title='x')\nasync def drain_queue():\n    pass\n\n@runbook\nasync def b(): ...\n"
    )
    assert runbook_names([own]) - runbook_names() == {"drain-queue", "b"}


def test_a_decorator_by_its_full_name_counts(own):
    declare(own, "x", "import forewatch.runbook as f\n@f.runbook(title='x')\nasync def drain_queue(): ...\n")
    assert "drain-queue" in runbook_names([own])


@pytest.mark.parametrize("text", ["def broken(:", "raise RuntimeError('never run')", "\0", "\xff"])
def test_a_file_that_declares_nothing_readable_still_bears_its_name(own, text):
    declare(own, "free_disk_space", text)
    assert "free-disk-space" in runbook_names([own])


def test_helpers_and_missing_folders_are_no_runbooks(own):
    declare(own, "_helper", "")
    assert runbook_names([own, own / "missing"]) == runbook_names()


def test_nothing_is_imported_for_it():
    program = (
        "import sys; from forewatch.config.runbook_names import runbook_names; assert runbook_names();"
        "assert not {'prefect', 'runbooks'} & sys.modules.keys(), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


def test_a_remedys_runbook_is_looked_for_in_the_configurations_own_folders(write, own):
    declare(own, "drain_queue", "@runbook(title='x')\nasync def drain_queue(): ...\n")
    assert parse(load_files(write(REMEDY % "drain-queue")), known_runbooks=runbook_names).services
    with pytest.raises(ConfigError, match="drain-queu "):
        parse(load_files(write(REMEDY % "drain-queu")), known_runbooks=runbook_names)


def test_a_runbook_that_appears_switches_a_remedy_on_and_one_that_goes_switches_it_off(write, store, own):
    path = write(REMEDY % "restart-service")
    watcher = ConfigWatcher(path, store, FakeClock())
    watcher.load_first()
    path.write_text(REMEDY % "drain-queue", encoding="utf-8")
    assert watcher.poll() is None
    assert isinstance(watcher.poll(), Changed)
    [remark] = watcher.remarks
    assert "there is no runbook drain-queue" in remark
    declare(own, "drain_queue", "@runbook(title='x')\nasync def drain_queue(): ...\n")
    assert watcher.poll() is None
    assert isinstance(watcher.poll(), Changed)
    assert watcher.remarks == []
    (own / "drain_queue.py").unlink()
    assert watcher.poll() is None
    assert isinstance(watcher.poll(), Changed)
    assert "there is no runbook drain-queue" in watcher.remarks[0]
