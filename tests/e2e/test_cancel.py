"""A flow run is cancelled in the Prefect UI: it ends as Cancelled, the watch goes on, and nobody is left waiting."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from harness import Forewatch, wait_for
from receiver import Receiver
from scene import configuration_of
from victim import Victim

from forewatch.store import receipts

pytestmark = pytest.mark.e2e

PATIENT_RUNBOOK = '''
import asyncio
from pathlib import Path

from forewatch.runbook import runbook, step


@step(timeout=60)
async def prepare(folder: str) -> str:
    (Path(folder) / "begun").touch()
    await asyncio.sleep(3)
    (Path(folder) / "prepared").touch()
    return "prepared"


@step(timeout=60)
async def go_on(folder: str) -> str:
    (Path(folder) / "gone-on").touch()
    return "gone on"


@runbook(title="Heal patiently")
async def heal_patiently(folder: str) -> str:
    """Takes three seconds for its first step.

    Args:
        folder: Where each step leaves a file.
    """
    await prepare(folder)
    return await go_on(folder)
'''

REMEDY = """\
    remedies:
      - on: {{alertname: CheckFailing}}
        runbook: heal-patiently
        with: {{folder: "{folder}"}}
        autonomy: auto
        limits: {{per_hour: 50, cooldown: 0s}}
"""


@pytest.fixture(scope="module")
def work(folder: Path) -> Path:
    """Where the runbook leaves its files."""
    made = folder / "work"
    made.mkdir()
    return made


@pytest.fixture(scope="module")
def configuration(folder: Path, work: Path, victim: Victim, healable: Victim, receiver: Receiver) -> str:
    (folder / "books").mkdir()
    (folder / "books" / "heal_patiently.py").write_text(PATIENT_RUNBOOK, encoding="utf-8")
    services = victim.watched() + healable.watched(REMEDY.format(folder=work))
    return configuration_of(services, receiver, hold="60s", length="2h") + "runbook_folders: [books]\n"


def cancel(forewatch: Forewatch, flow_run_id: str) -> None:
    """What the UI's button does."""
    body = {"state": {"type": "CANCELLING", "name": "Cancelling", "message": "Cancelled from the UI"}}
    answer = forewatch.prefect("POST", f"/flow_runs/{flow_run_id}/set_state", body)
    assert answer["status"] == "ACCEPT"


def wait_cancelled(forewatch: Forewatch, flow_run_id: str) -> None:
    def look() -> bool:
        state = forewatch.prefect("GET", f"/flow_runs/{flow_run_id}")["state"]
        return bool(state["type"] == "CANCELLED")

    wait_for(f"flow run {flow_run_id} to be Cancelled", look, 30)


def flow_run_of(forewatch: Forewatch, shift: str) -> str:
    return str(wait_for(f"a flow run to stand {shift}", lambda: forewatch.shift(shift).flow_run_id, 60))


def assert_a_stand_in_follows(forewatch: Forewatch, shift: str, flow_run_id: str) -> None:
    """The cancelled holder ends, another has the watch within three seconds, and a flow run relieves it later."""
    before, pid = forewatch.shift(shift), forewatch.holder_pid(shift)
    gone: list[float] = []

    def look() -> bool:
        if not gone and not psutil.pid_exists(pid):
            gone.append(time.monotonic())
        return forewatch.shift(shift).term > before.term

    cancel(forewatch, flow_run_id)
    wait_for(f"a stand-in for {shift}", look, 30)
    assert not gone or time.monotonic() - gone[0] < 3
    wait_cancelled(forewatch, flow_run_id)
    assert flow_run_of(forewatch, shift) != flow_run_id


def assert_a_fault_is_paged(victim: Victim, receiver: Receiver) -> None:
    began = time.monotonic()
    victim.fault("errors")
    receiver.wait_for(victim.name, "page", since=began, timeout=10)
    victim.fault("none")
    receiver.wait_for(victim.name, "resolved", since=began, timeout=20)


@pytest.mark.parametrize("shift", ["check-health", "page-people"])
def test_a_cancelled_shift_is_stood_in_for(
    forewatch: Forewatch, victim: Victim, receiver: Receiver, shift: str
) -> None:
    assert_a_stand_in_follows(forewatch, shift, flow_run_of(forewatch, shift))
    assert_a_fault_is_paged(victim, receiver)


def test_a_shift_that_an_earlier_worker_started_can_be_cancelled_too(
    forewatch: Forewatch, victim: Victim, receiver: Receiver
) -> None:
    flow_run_id = flow_run_of(forewatch, "check-health")
    killed = forewatch.kill("worker")
    wait_for("another worker", lambda: forewatch.pid("worker") != killed)
    wait_for("health to notice", lambda: forewatch.health()[0] != 200, 10)
    forewatch.wait_ready()
    assert forewatch.shift("check-health").flow_run_id == flow_run_id
    assert_a_stand_in_follows(forewatch, "check-health", flow_run_id)
    assert_a_fault_is_paged(victim, receiver)


@pytest.mark.parametrize("which", ["the respond run", "the runbook's own run"])
def test_a_cancelled_remedy_ends_after_its_step_and_a_person_is_paged(
    forewatch: Forewatch, healable: Victim, receiver: Receiver, work: Path, which: str
) -> None:
    for left in work.iterdir():
        left.unlink()
    known, began = len(forewatch.incidents(healable.name)), time.monotonic()
    healable.kill()
    wait_for("the runbook to begin", lambda: (work / "begun").exists(), 20)
    incident = forewatch.incidents(healable.name)[0]
    assert len(forewatch.incidents(healable.name)) == known + 1
    [run] = forewatch.runs(incident.id)
    below = subflow_of(forewatch, run.flow_run_id)
    cancel(forewatch, run.flow_run_id if which == "the respond run" else below)
    # Its page was held for the remedy, which is over.
    page = receiver.wait_for(healable.name, "page", since=began, timeout=20)
    assert "cancelled" in page.body["text"]
    wait_cancelled(forewatch, run.flow_run_id)
    wait_cancelled(forewatch, below)
    [ended] = forewatch.runs(incident.id)
    assert ended.state == "cancelled"
    assert (work / "prepared").exists()
    with forewatch.runtime() as runtime, runtime.store.read() as conn:
        assert [(one.name, one.state) for one in receipts.of_run(conn, run.id)] == [("prepare", "done")]
    # Nothing starts behind a person's back.
    time.sleep(4)
    assert not (work / "gone-on").exists()
    assert len(forewatch.runs(incident.id)) == 1
    assert not healable.healthy()
    healable.start()
    receiver.wait_for(healable.name, "resolved", since=began, timeout=20)
    assert len(receiver.of(healable.name, "page", since=began)) == 1


def subflow_of(forewatch: Forewatch, flow_run_id: str) -> str:
    def look() -> Any:
        below = {"flow_runs": {"parent_flow_run_id": {"any_": [flow_run_id]}}}
        return forewatch.prefect("POST", "/flow_runs/filter", below)

    return str(wait_for("the subflow", look)[0]["id"])
