"""What Forewatch will not start on, each in one clear line; and what goes wrong beside it and must not spread."""

from __future__ import annotations

import json
import os
import re
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from harness import Forewatch, wait_for
from receiver import Receiver
from scene import HOOK_SECRET, configuration_of
from victim import Victim

from forewatch.clock import SystemClock
from forewatch.home import Home
from forewatch.store import backup
from forewatch.store.engine import Store

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

GOOD = "metrics: {host: false, starter_rules: false}\n"
BROKEN_YAML = "services:\n  - name: web\n   checks: [\n"
WRONG = """\
services:
  - name: web
    checks:
      - http: http://127.0.0.1:1/
        every: 5 minuts
    remedies:
      - on: {alertname: CheckFailing}
        runbook: restart-servise
routs: []
"""
PROBLEM = re.compile(r"^\S*forewatch\.yaml:\d+:\d+: .+")


class Refused:
    """A `forewatch up` that ends by itself."""

    def __init__(self, folder: Path, config: str = GOOD, home: Path | None = None) -> None:
        forewatch = Forewatch(folder)
        forewatch.write_config(config)
        ports = ("--port", str(forewatch.port), "--prefect-port", str(forewatch.prefect_port))
        place = str(home or forewatch.home.root)
        ended = forewatch.cli("up", "--config", str(forewatch.config), "--home", place, *ports, timeout=30)
        self.code, self.said = ended.returncode, ended.stdout + ended.stderr
        self.lines = ended.stderr.splitlines()
        assert "Traceback" not in self.said
        assert not [process for process in psutil.process_iter(["cmdline"]) if place in (process.info["cmdline"] or [])]


def test_a_file_that_is_no_yaml_is_refused_with_its_line(tmp_path: Path) -> None:
    refused = Refused(tmp_path, BROKEN_YAML)
    assert refused.code == 2
    assert refused.lines
    assert all(PROBLEM.match(line) for line in refused.lines), refused.said


def test_wrong_types_unknown_keys_and_unknown_runbooks_get_one_line_each(tmp_path: Path) -> None:
    refused = Refused(tmp_path, WRONG)
    assert refused.code == 2
    assert all(PROBLEM.match(line) for line in refused.lines), refused.said
    assert [line.split(": ", 1)[1] for line in refused.lines[:1]] == [
        "services[0].checks[0].every: 5 minuts is not a duration (try 5m)"
    ]
    assert any("routs" in line and "routes" in line for line in refused.lines)


def test_a_remedy_that_is_wrong_is_an_error_of_check(tmp_path: Path) -> None:
    forewatch = Forewatch(tmp_path)
    forewatch.write_config(WRONG.replace("5 minuts", "5s").replace("routs: []\n", ""))
    checked = forewatch.cli("check", str(forewatch.config))
    assert (checked.returncode, checked.stdout) == (2, "")
    assert "services[0].remedies[0].runbook: " in checked.stderr
    assert "restart-service" in checked.stderr


RESTARTED = """\
services:
  - name: web
    checks: [{tcp: "127.0.0.1:1", every: 1s}]
    remedies:
      - on: {alertname: CheckFailing}
        runbook: restart-service
        with: {comand: [sh]}
metrics: {host: false, starter_rules: false}
"""


def test_up_and_a_reload_switch_off_a_wrong_remedy_alone_and_say_so(tmp_path: Path) -> None:
    forewatch = Forewatch(tmp_path)
    forewatch.write_config(RESTARTED)
    off = "the remedy restart-service of web is off: "
    try:
        forewatch.up(wait=False)
        wait_for("the start", lambda: "Starting the shifts and the Prefect server" in forewatch.output, timeout=60)
        assert off in forewatch.output
        assert "services[0].remedies[0].with: command is missing (and 1 more)" in forewatch.output
        assert status_of(forewatch)["remedies_off"][0]["name"] == "restart-service"
        assert "The remedy restart-service of web is off" in forewatch.cli("status").stdout
        assert "remedy web/restart-service" in forewatch.cli("doctor").stdout

        forewatch.write_config(RESTARTED.replace("comand", "command"))
        wait_for("the remedy to be on", lambda: not status_of(forewatch)["remedies_off"], timeout=60)
        forewatch.write_config(RESTARTED.replace("{comand: [sh]}", "{command: sh}") + "listen: 127.0.0.1\n")
        wait_for("it to be off again", lambda: "with.command: must be a list" in forewatch.output, timeout=60)
        found = status_of(forewatch)
        assert (found["config"]["version"], len(found["remedies_off"])) == (3, 1)
        assert "configuration is refused" not in forewatch.output
    finally:
        forewatch.stop(20)


def status_of(forewatch: Forewatch) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(forewatch.cli("status", "--json").stdout)
    return found


def test_a_store_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "state")
    home.create()
    Store.open(home, migrate=True).close()
    with sqlite3.connect(home.decisions_db) as store:
        store.execute("UPDATE alembic_version SET version_num = '9999_of_the_future'")
    refused = Refused(tmp_path)
    assert refused.code == 1
    [line] = refused.lines
    assert line.startswith(f"forewatch: {home.decisions_db} was written by a newer Forewatch")
    status = Forewatch(tmp_path).cli("status")
    assert status.returncode == 1
    assert "written by a newer Forewatch" in status.stderr
    with sqlite3.connect(home.decisions_db) as store:
        assert store.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999_of_the_future",)


def test_a_damaged_store_is_told_to_every_notifier_once_with_the_command_that_restores_it(
    tmp_path: Path, receiver: Receiver
) -> None:
    home = Home(tmp_path / "state")
    home.create()
    store = Store.open(home, migrate=True)
    backup.make(store, SystemClock().now())
    store.close()
    home.decisions_db.write_bytes(b"damaged" * 10_000)
    config = GOOD + f"notifiers: [{{name: hook, webhook: {{url: '{receiver.url}'}}}}, {{name: shown, console: {{}}}}]\n"
    began = time.monotonic()
    for _ in range(2):
        refused = Refused(tmp_path, config)
        assert refused.code == 1
        assert refused.lines[0].startswith(f"forewatch: {home.decisions_db}: the file is not a database")
        assert refused.lines[1].startswith("The newest good backup is decisions-")
    [page] = receiver.of("forewatch", "page", since=began)
    assert page.body["title"] == "Forewatch does not start: decisions.db is damaged"
    command = refused.lines[1].partition("To restore it: ")[2].partition(", then start")[0]
    assert command in page.body["text"]
    subprocess.run(command, shell=True, check=True)
    Store.open(home).close()


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A state folder that was in use and cannot be written any more, by root neither."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m,mode=0700", "forewatch-test", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode != 0 and os.getuid() == 0:
        pytest.skip(f"a read-only folder cannot be mounted here: {mounted.stderr.strip()}")
    home = Home(folder)
    home.create()
    Store.open(home, migrate=True).close()
    if mounted.returncode == 0:
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    else:
        folder.chmod(0o500)
    yield folder
    if mounted.returncode == 0:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)
    else:
        folder.chmod(0o700)


def test_a_read_only_state_folder_is_refused_with_the_remedy(tmp_path: Path, read_only: Path) -> None:
    refused = Refused(tmp_path)
    assert refused.code == 1
    [line] = refused.lines
    assert line.startswith(f"forewatch: {read_only} cannot be written (")
    assert line.endswith("choose another folder with --home")


def test_commands_on_a_read_only_state_folder_end_with_a_sentence(tmp_path: Path, read_only: Path) -> None:
    forewatch = Forewatch(tmp_path)
    for command in (["incidents", "list"], ["stop-automation"], ["status"], ["doctor"]):
        ended = forewatch.cli(*command)
        assert ended.returncode in (0, 1), ended
        assert "Traceback" not in ended.stderr + ended.stdout, ended.stderr
    assert forewatch.cli("stop-automation").returncode == 1


GOOD_RUNBOOK = '''
from forewatch.runbook import runbook, step


@step
async def greet(name: str) -> str:
    return f"hello {name}"


@runbook(title="Say hello")
async def say_hello(name: str = "you") -> str:
    """Greet somebody."""
    return await greet(name)
'''


class BadTarget:
    """Accepts connections; then says nothing for ever, or more than anybody wants to hear."""

    def __init__(self, endless: bool) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._endless = endless
        self.port = self._listener.getsockname()[1]
        self.sent = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                wire, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(wire,), daemon=True).start()

    def _answer(self, wire: socket.socket) -> None:
        with wire, suppress(OSError):
            wire.recv(4096)
            if not self._endless:
                time.sleep(3600)
            wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
            while True:
                wire.sendall(b"x" * 65536)
                self.sent += 65536

    def close(self) -> None:
        self._listener.close()


@pytest.fixture(scope="module")
def targets() -> Iterator[tuple[BadTarget, BadTarget]]:
    both = BadTarget(endless=False), BadTarget(endless=True)
    yield both
    for target in both:
        target.close()


@pytest.fixture(scope="module")
def configuration(folder: Path, victim: Victim, receiver: Receiver, targets: tuple[BadTarget, BadTarget]) -> str:
    own = folder / "own"
    own.mkdir()
    (own / "say_hello.py").write_text(GOOD_RUNBOOK, encoding="utf-8")
    (own / "broken_syntax.py").write_text("async def broken(:\n", encoding="utf-8")
    (own / "broken_import.py").write_text("\n\nimport no_such_module\n", encoding="utf-8")
    hangs, floods = targets
    bad = f"""\
  - name: hangs
    checks: [{{http: "http://127.0.0.1:{hangs.port}/", every: 1s, timeout: 900ms, fails_after: 1}}]
  - name: floods
    checks:
      - {{http: "http://127.0.0.1:{floods.port}/", every: 1s, timeout: 900ms, fails_after: 1, expect: {{body: never}}}}
"""
    return configuration_of(victim.watched() + bad, receiver) + "runbook_folders: [own]\n"


def test_a_broken_runbook_file_is_named_and_hides_no_other(forewatch: Forewatch) -> None:
    listed = forewatch.cli("runbooks", "list")
    assert listed.returncode == 0
    assert {"say-hello", "restart-service", "collect-diagnostics"} <= {
        line.split()[0] for line in listed.stdout.splitlines()
    }
    problems = listed.stderr.splitlines()
    assert len(problems) == 2, listed.stderr
    assert re.search(r"own/broken_import\.py:3: ModuleNotFoundError: No module named 'no_such_module'", problems[0])
    assert re.search(r"own/broken_syntax\.py:1: ", problems[1])
    ran = forewatch.cli("runbooks", "run", "say-hello", "--with", "name=all")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "hello all" in ran.stdout


def test_a_target_that_hangs_or_floods_fails_its_own_check_and_delays_no_other(
    forewatch: Forewatch, victim: Victim, receiver: Receiver, targets: tuple[BadTarget, BadTarget]
) -> None:
    opened = {
        name: wait_for(f"{name} to be reported", lambda name=name: forewatch.incidents(name))
        for name in ("hangs", "floods")
    }
    probed = forewatch.cli("probe", "hangs").stdout + forewatch.cli("probe", "floods").stdout
    assert "no answer within 900ms" in probed or "900" in probed, probed
    assert all(len(incidents) == 1 for incidents in opened.values())

    floods = targets[1]
    holder = psutil.Process(forewatch.holder_pid("check-health"))
    before, sent = holder.memory_info().rss, floods.sent
    time.sleep(5)
    assert floods.sent > sent
    # Each round reads at most 1 MiB of it (and the sockets' buffers hold some more).
    assert floods.sent - sent < 10 * (8 << 20)
    assert holder.memory_info().rss - before < 32 << 20

    hurt = time.monotonic()
    victim.fault("errors")
    page = receiver.wait_for("victim", "page", since=hurt, timeout=10)
    assert page.at - hurt < 4
    victim.fault("none")


def test_the_secret_of_the_webhook_is_nowhere(forewatch: Forewatch) -> None:
    assert HOOK_SECRET not in forewatch.output + forewatch.tail(100_000)
