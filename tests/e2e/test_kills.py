"""kill -9 of each process in turn: a fault right after it is paged all the same, and what was killed comes back."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from harness import Forewatch, wait_for
from receiver import Receiver
from scene import configuration_of
from slow_runbook import ended, install, run_of, start_slowly
from victim import Victim

from forewatch.orchestration import orphans
from forewatch.store import receipts

pytestmark = pytest.mark.e2e

PAGED_WITHIN = 10.0
"""Seconds from a fault to its page, whatever was killed just before it."""
SHIFTS = ("check-health", "collect-metrics", "page-people")


@pytest.fixture(scope="module")
def configuration(folder: Path, victim: Victim, healable: Victim, receiver: Receiver) -> str:
    install(folder)
    services = victim.watched() + healable.restarted()
    # No scheduled run relieves a watch while a test looks whether it goes on undisturbed.
    return configuration_of(services, receiver, length="2h") + "runbook_folders: [books]\n"


@pytest.fixture(autouse=True)
def _all_stands(forewatch: Forewatch) -> Iterator[None]:
    """Each test finds everything standing, in flow runs, and leaves no process that is nobody's."""
    forewatch.wait_ready()
    wait_for("flow runs to stand", lambda: all(forewatch.shift(shift).flow_run_id for shift in SHIFTS), 40)
    yield
    forewatch.wait_ready()
    assert_no_strays(forewatch)


def assert_no_strays(forewatch: Forewatch) -> None:
    """One server, one worker, one serve; and no more children than stand a shift, run a flow or are spares."""

    def look() -> bool:
        alone = all(len(orphans.living(forewatch.home, role)) == 1 for role in ("worker", "serve", "server"))
        return alone and len(orphans.living(forewatch.home, "children")) <= len(SHIFTS) + 2

    def there() -> str:
        roles = ("server", "worker", "serve", "children")
        return str({role: [process.pid for process in orphans.living(forewatch.home, role)] for role in roles})

    try:
        wait_for("no stray process", look, 20, every=0.2)
    except AssertionError as error:
        raise AssertionError(f"{error}: {there()}\n{forewatch.tail()}") from error


def assert_a_fault_is_paged(victim: Victim, receiver: Receiver) -> str:
    """Hurt a service that nobody heals: its page comes in time, once; mend it, and word of that comes too. The text."""
    began = time.monotonic()
    victim.fault("errors")
    page = receiver.wait_for(victim.name, "page", since=began, timeout=PAGED_WITHIN)
    assert page.at - began < PAGED_WITHIN
    victim.fault("none")
    receiver.wait_for(victim.name, "resolved", since=began, timeout=20)
    assert len(receiver.of(victim.name, "page", since=began)) == 1
    return str(page.body["text"])


def assert_a_service_is_healed(forewatch: Forewatch, healable: Victim, timeout: float = 20) -> None:
    known = len(forewatch.incidents(healable.name))
    healable.kill()

    def look() -> bool:
        found = forewatch.incidents(healable.name)
        return len(found) > known and found[0].status == "resolved"

    wait_for(f"{healable.name} to be healed", look, timeout)
    assert healable.healthy()


def beats_on(forewatch: Forewatch, shift: str, term: int, beats: int = 3) -> None:
    """The same term goes on beating: the watch was not disturbed."""
    before = forewatch.shift(shift)
    assert before.term == term
    wait_for(f"{shift} to beat on", lambda: forewatch.shift(shift).beat >= before.beat + beats, beats + 5)
    assert forewatch.shift(shift).term == term


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_killed_shift_child_is_stood_in_for_and_a_fault_right_after_is_paged(
    forewatch: Forewatch, victim: Victim, receiver: Receiver, shift: str
) -> None:
    before = forewatch.shift(shift)
    os.kill(forewatch.holder_pid(shift), signal.SIGKILL)
    assert_a_fault_is_paged(victim, receiver)
    after = forewatch.shift(shift)
    assert after.term > before.term
    assert after.holder != before.holder
    if before.flow_run_id is not None:
        wait_for("its flow run to be called crashed", lambda: _state(forewatch, before.flow_run_id) == "CRASHED")


def _state(forewatch: Forewatch, flow_run_id: str | None) -> str:
    return str(forewatch.prefect("GET", f"/flow_runs/{flow_run_id}")["state_type"])


def test_a_killed_worker_disturbs_no_watch_and_a_new_one_takes_over(
    forewatch: Forewatch, victim: Victim, healable: Victim, receiver: Receiver
) -> None:
    terms = {shift: forewatch.shift(shift).term for shift in SHIFTS}
    killed = forewatch.kill("worker")
    assert_a_fault_is_paged(victim, receiver)
    for shift, term in terms.items():
        beats_on(forewatch, shift, term)
    wait_for("another worker", lambda: forewatch.pid("worker") != killed)
    forewatch.wait_ready()
    assert_a_service_is_healed(forewatch, healable)
    # The old worker's children are looked after by the new one.
    before = forewatch.shift("check-health")
    os.kill(forewatch.holder_pid("check-health"), signal.SIGKILL)
    assert_a_fault_is_paged(victim, receiver)
    if before.flow_run_id is not None:
        wait_for("its flow run to end", lambda: _state(forewatch, before.flow_run_id) == "CRASHED", 60)


def test_a_killed_server_disturbs_no_watch_and_remedies_go_on(
    forewatch: Forewatch, victim: Victim, healable: Victim, receiver: Receiver
) -> None:
    terms = {shift: forewatch.shift(shift).term for shift in SHIFTS}
    killed, began = forewatch.kill("server"), time.monotonic()
    wait_for("health to say so", lambda: forewatch.health()[0] == 503, 10)
    healable.kill()
    receiver.wait_for(healable.name, "report", since=began, timeout=20)
    assert receiver.of(healable.name, "page", since=began) == []
    for shift, term in terms.items():
        beats_on(forewatch, shift, term)
    wait_for("another server", lambda: forewatch.pid("server") != killed)
    forewatch.wait_ready()
    assert_a_service_is_healed(forewatch, healable)


def test_a_killed_serve_comes_back_and_nothing_else_notices(
    forewatch: Forewatch, victim: Victim, receiver: Receiver
) -> None:
    terms = {shift: forewatch.shift(shift).term for shift in SHIFTS}
    killed = forewatch.kill("serve")
    assert_a_fault_is_paged(victim, receiver)
    wait_for("another serve", lambda: forewatch.pid("serve") != killed)
    wait_for("/healthz", lambda: forewatch.health()[0] == 200)
    assert {shift: forewatch.shift(shift).term for shift in SHIFTS} == terms


def test_a_killed_supervisor_disturbs_no_watch_and_the_next_start_takes_over(
    forewatch: Forewatch, victim: Victim, healable: Victim, receiver: Receiver
) -> None:
    terms = {shift: forewatch.shift(shift).term for shift in SHIFTS}
    before = {role: forewatch.pid(role) for role in ("worker", "serve", "server")}
    assert forewatch.process is not None
    forewatch.process.kill()
    forewatch.process.wait(5)
    assert_a_fault_is_paged(victim, receiver)
    assert_a_service_is_healed(forewatch, healable)
    forewatch.up(wait=False)
    # While the new one starts, the old watch goes on.
    wait_for("the old worker to end", lambda: not psutil.pid_exists(before["worker"]), 30)
    assert_a_fault_is_paged(victim, receiver)
    for shift, term in terms.items():
        beats_on(forewatch, shift, term)
    forewatch.wait_ready()
    assert all(forewatch.pid(role) != pid for role, pid in before.items())
    assert_a_service_is_healed(forewatch, healable)


def receipts_of(forewatch: Forewatch, run_id: str) -> list[Any]:
    with forewatch.runtime() as runtime, runtime.store.read() as conn:
        return receipts.of_run(conn, run_id)


def test_a_runbook_killed_in_a_step_that_may_be_repeated_is_resumed_without_the_steps_that_are_done(
    forewatch: Forewatch, tmp_path: Path
) -> None:
    run_id = start_slowly(forewatch, tmp_path / "work", clear=True)
    first_flow_run = run_of(forewatch, run_id).flow_run_id
    os.kill(int((tmp_path / "work" / "slow").read_text().split()[0]), signal.SIGKILL)
    run = wait_for("the run to end", lambda: ended(forewatch, run_id), 40)
    assert run.state == "done"
    assert (tmp_path / "work" / "first").read_text() == "done\n"
    assert len((tmp_path / "work" / "slow").read_text().split()) == 2
    assert [(receipt.name, receipt.state) for receipt in receipts_of(forewatch, run_id)] == [
        ("first", "done"),
        ("slow", "done"),
    ]
    assert run.flow_run_id != first_flow_run
    wait_for("the first flow run to be crashed", lambda: _state(forewatch, first_flow_run) == "CRASHED")


def test_a_runbook_killed_in_a_step_that_may_not_be_repeated_is_told_to_a_person(
    forewatch: Forewatch, receiver: Receiver, tmp_path: Path
) -> None:
    began = time.monotonic()
    run_id = start_slowly(forewatch, tmp_path / "work", clear=False)
    os.kill(int((tmp_path / "work" / "unclear").read_text().split()[0]), signal.SIGKILL)
    run = wait_for("the run to end", lambda: ended(forewatch, run_id), 40)
    assert run.state == "failed"
    assert len((tmp_path / "work" / "unclear").read_text().split()) == 1
    wait_for("a person to be told", lambda: _told_of(receiver, run_id, began), 10)


def _told_of(receiver: Receiver, run_id: str, since: float) -> bool:
    return any(one.at >= since and one.body["run"] == {"id": run_id} for one in receiver.received)


def test_a_worker_killed_with_what_it_ran_leaves_no_flow_run_that_runs_for_ever(
    forewatch: Forewatch, tmp_path: Path
) -> None:
    """Neither one that ran, nor one that was handed out and never begun: Prefect by itself never finds out."""
    run_id = start_slowly(forewatch, tmp_path / "work", clear=True)
    cut_off = run_of(forewatch, run_id).flow_run_id
    [deployment] = forewatch.prefect("POST", "/deployments/filter", {"deployments": {"name": {"any_": ["take-time"]}}})
    body = {"parameters": {"folder": str(tmp_path)}, "state": {"type": "PENDING"}}
    pending = forewatch.prefect("POST", f"/deployments/{deployment['id']}/create_flow_run", body)["id"]
    forewatch.kill("worker")
    os.kill(int((tmp_path / "work" / "slow").read_text().split()[0]), signal.SIGKILL)
    assert wait_for("the run to be resumed", lambda: ended(forewatch, run_id), 60).state == "done"
    for flow_run_id in (cut_off, pending):
        wait_for(
            "its flow run to be crashed", lambda one=flow_run_id: _state(forewatch, one) == "CRASHED", 60, every=0.5
        )
