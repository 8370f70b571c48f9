"""Ctrl-C ends all of it and nothing else; starting again goes on where it stopped."""

from __future__ import annotations

import signal
import socket
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from harness import Forewatch, free_port, wait_for
from receiver import Receiver
from scene import configuration_of
from slow_runbook import ended, install, run_of, start_slowly
from victim import Victim

from forewatch.orchestration import orphans

pytestmark = pytest.mark.e2e

STOPPED_WITHIN = 10.0
SHIFTS = ("check-health", "collect-metrics", "page-people")


def processes(forewatch: Forewatch) -> list[psutil.Process]:
    """All of this Forewatch: the supervisor, its parts, their children and the children's children."""
    assert forewatch.process is not None
    found = [psutil.Process(forewatch.process.pid)]
    for role in ("server", "worker", "serve", "children"):
        found += orphans.living(forewatch.home, role)
    return list({one.pid: one for top in found for one in (top, *top.children(recursive=True))}.values())


def assert_stops(forewatch: Forewatch, sign: signal.Signals) -> None:
    """It ends in time with code 0 and leaves no process and no port."""
    there = processes(forewatch)
    assert len(there) >= 1 + 3 + len(SHIFTS)
    assert forewatch.process is not None
    began = time.monotonic()
    forewatch.process.send_signal(sign)
    assert forewatch.process.wait(STOPPED_WITHIN) == 0
    assert time.monotonic() - began < STOPPED_WITHIN
    left = [one for one in there if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    assert left == [], forewatch.output
    for port in (forewatch.port, forewatch.prefect_port):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
    assert "Stopped after" in forewatch.output
    assert "Traceback" not in forewatch.output


@pytest.fixture(scope="module")
def configuration(folder: Path, victim: Victim, healable: Victim, receiver: Receiver) -> str:
    install(folder)
    return configuration_of(victim.watched() + healable.restarted(), receiver) + "runbook_folders: [books]\n"


@pytest.fixture(scope="module")
def under_way() -> dict[str, str]:
    """The run that a test leaves to the next one."""
    return {}


def running(forewatch: Forewatch) -> list[Any]:
    filter = {"flow_runs": {"state": {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}}, "limit": 200}
    found: list[Any] = forewatch.prefect("POST", "/flow_runs/filter", filter)
    return found


def shifts_alone(forewatch: Forewatch) -> bool:
    """Beside what is resumed, one flow run a shift is under way, and one that stands by."""
    under_way = sorted(run["name"] for run in running(forewatch) if "take-time" not in run["name"])
    return under_way == sorted([*SHIFTS, "stand-by"])


def test_a_second_start_on_the_same_folder_is_refused_and_the_first_does_not_notice(forewatch: Forewatch) -> None:
    second = forewatch.cli(
        "up", "--config", str(forewatch.config), "--home", str(forewatch.home.root),
        "--port", str(free_port()), "--prefect-port", str(free_port()),
    )  # fmt: skip
    assert second.returncode != 0
    assert "another Forewatch runs on" in second.stderr
    assert str(forewatch.process.pid if forewatch.process else None) in second.stderr
    assert "Traceback" not in second.stderr
    assert forewatch.health()[0] == 200


def test_a_taken_port_is_refused_by_name(forewatch: Forewatch, tmp_path: Path) -> None:
    for option, taken in (("--port", forewatch.port), ("--prefect-port", forewatch.prefect_port)):
        ports = {"--port": free_port(), "--prefect-port": free_port()} | {option: taken}
        arguments = [str(part) for pair in ports.items() for part in pair]
        refused = forewatch.cli(
            "up", "--config", str(forewatch.config), "--home", str(tmp_path / option.strip("-")), *arguments
        )
        assert refused.returncode != 0
        assert f"port {taken} is in use by another program; choose another with {option}" in refused.stderr
        assert "Traceback" not in refused.stderr


def test_ctrl_c_stops_everything_and_leaves_a_service_that_a_runbook_started(
    forewatch: Forewatch,
    folder: Path,
    victim: Victim,
    healable: Victim,
    receiver: Receiver,
    under_way: dict[str, str],
) -> None:
    began = time.monotonic()
    healable.kill()
    receiver.wait_for(healable.name, "report", since=began, timeout=30)
    started = healable.pid
    victim.fault("errors")
    receiver.wait_for(victim.name, "page", since=began, timeout=10)
    wait_for("flow runs to stand", lambda: all(forewatch.shift(shift).flow_run_id for shift in SHIFTS), 60)
    under_way["run"] = start_slowly(forewatch, folder / "work", clear=True, seconds=12)
    assert_stops(forewatch, signal.SIGINT)
    assert run_of(forewatch, under_way["run"]).finished_at is None
    assert psutil.pid_exists(started)
    assert healable.pid == started
    assert healable.healthy()


def test_starting_again_goes_on_where_it_stopped_though_alerts_have_other_labels_since(
    forewatch: Forewatch, victim: Victim, receiver: Receiver
) -> None:
    """As after an upgrade that labels alerts otherwise, while a check fails."""
    named = f"  - name: {victim.name}\n"
    text = forewatch.config.read_text(encoding="utf-8")
    forewatch.write_config(text.replace(named, f"{named}    owner: shop-team\n", 1))
    [incident] = forewatch.incidents(victim.name)
    assert incident.status != "resolved"
    terms = {shift: forewatch.shift(shift).term for shift in SHIFTS}
    again = time.monotonic()
    forewatch.up()
    for shift, term in terms.items():
        assert forewatch.shift(shift).term > term
    # Nobody is paged twice for a trouble that is known, and its end is told.
    time.sleep(3)
    assert receiver.of(victim.name, since=again) == []
    victim.fault("none")
    resolved = receiver.wait_for(victim.name, "resolved", since=again, timeout=20)
    assert resolved.incident == incident.id
    # Of what ran before the stop nothing is left as running in Prefect.
    wait_for("flow runs to stand", lambda: all(forewatch.shift(shift).flow_run_id for shift in SHIFTS), 60)
    wait_for("only them to run", lambda: shifts_alone(forewatch), 40)


def test_a_runbook_that_was_cut_off_is_resumed_without_the_step_that_was_done(
    forewatch: Forewatch, folder: Path, under_way: dict[str, str]
) -> None:
    run = wait_for("the run to end", lambda: ended(forewatch, under_way["run"]), 40)
    assert run.state == "done"
    assert (folder / "work" / "first").read_text() == "done\n"
    assert len((folder / "work" / "slow").read_text().split()) == 2


def test_sigterm_stops_it_just_as_well(forewatch: Forewatch) -> None:
    assert_stops(forewatch, signal.SIGTERM)
