"""Prefect's server answers nobody for a while: watching, paging and remedies go on, and Prefect is told afterwards."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import psutil
import pytest
from harness import Forewatch, wait_for
from receiver import Receiver
from scene import configuration_of
from victim import Victim

from forewatch.orchestration import orphans

pytestmark = pytest.mark.e2e

OUTAGE = float(os.environ.get("FOREWATCH_TEST_OUTAGE", "30"))
"""Seconds; set the variable to 600 to see ten minutes of it."""
LENGTH = 10.0
"""Seconds between two scheduled runs of a shift: several fall into the outage."""
SHIFTS = ("check-health", "collect-metrics", "page-people")


@pytest.fixture(scope="module")
def configuration(victim: Victim, healable: Victim, receiver: Receiver) -> str:
    return configuration_of(victim.watched() + healable.restarted(), receiver, length=f"{LENGTH:.0f}s")


@contextlib.contextmanager
def stopped(forewatch: Forewatch) -> Iterator[None]:
    """The server takes connections and answers none: harder to notice than one that is gone."""
    pid = forewatch.pid("server")
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)


def shift_runs(forewatch: Forewatch, *states: str) -> list[Any]:
    found: list[Any] = forewatch.prefect(
        "POST",
        "/flow_runs/filter",
        {
            "flow_runs": {"state": {"type": {"any_": list(states)}}},
            "deployments": {"name": {"any_": list(SHIFTS)}},
            "limit": 200,
        },
    )
    return found


@pytest.mark.timeout(OUTAGE + 240)
def test_while_prefect_is_away_the_watch_goes_on_and_afterwards_everything_resumes_without_a_backlog(
    forewatch: Forewatch, victim: Victim, healable: Victim, receiver: Receiver
) -> None:
    children_before = len(orphans.living(forewatch.home, "children"))
    with stopped(forewatch):
        began = time.monotonic()
        wait_for("health to say so", lambda: forewatch.health()[0] == 503, 20)
        assert "Prefect" in " ".join(forewatch.health()[1]["problems"])

        victim.fault("errors")
        fault = time.monotonic()
        page = receiver.wait_for(victim.name, "page", since=fault, timeout=10)
        assert page.at - fault < 10
        victim.fault("none")
        receiver.wait_for(victim.name, "resolved", since=fault, timeout=20)

        # The one that stood by is inside its flow run already; the next remedy is carried out without one.
        healed = [heals(healable, receiver), heals(healable, receiver)]

        for shift in SHIFTS:
            kill_holder(forewatch, shift)
            victim.fault("errors")
            fault = time.monotonic()
            receiver.wait_for(victim.name, "page", since=fault, timeout=10)
            victim.fault("none")
            receiver.wait_for(victim.name, "resolved", since=fault, timeout=20)

        while time.monotonic() - began < OUTAGE:
            terms = {shift: forewatch.shift(shift) for shift in SHIFTS}
            time.sleep(min(5.0, OUTAGE))
            for shift, before in terms.items():
                now = forewatch.shift(shift)
                assert now.term > before.term or now.beat > before.beat, f"{shift} stands still"
        restarts = forewatch.output.count("ended unexpectedly")

    back = time.monotonic()
    forewatch.wait_ready(60)
    # No backlog: what was scheduled meanwhile leaves at once, and one run stands each watch.
    wait_for("one running flow run a shift", lambda: one_each(forewatch), 60, every=0.5)
    assert time.monotonic() - back < 60
    wait_for("nothing to be late", lambda: not late(forewatch), 30, every=0.5)
    wait_for(
        "the children of before",
        lambda: len(orphans.living(forewatch.home, "children")) <= children_before + 1,
        30,
        every=0.2,
    )
    assert restarts == 0
    for incident_id in healed:
        assert_prefect_knows_the_remedy(forewatch, incident_id, healable.name)
    heals(healable, receiver)


def heals(healable: Victim, receiver: Receiver) -> str:
    """Killed, and nobody's business but the machine's; returns the incident."""
    killed = time.monotonic()
    healable.kill()
    report = receiver.wait_for(healable.name, "report", since=killed, timeout=20)
    assert receiver.of(healable.name, "page", since=killed) == []
    healable.wait_healthy()
    assert report.incident is not None
    return report.incident


def assert_prefect_knows_the_remedy(forewatch: Forewatch, incident_id: str, service: str) -> None:
    def known() -> Any:
        [run] = forewatch.runs(incident_id)
        if run.flow_run is None:
            return None
        found = forewatch.prefect("GET", f"/flow_runs/{run.flow_run}")
        return found if found["state_type"] == "COMPLETED" else None

    flow_run = wait_for(f"Prefect to know the remedy of {incident_id}", known, 60, every=0.5)
    assert flow_run["name"] == f"respond {incident_id} {service}"
    [run] = forewatch.runs(incident_id)
    assert {incident_id, service, run.id} <= set(flow_run["tags"])
    assert "healed" in flow_run["state"]["message"]


def test_an_incident_that_closes_meanwhile_leaves_its_story_though_no_remedy_ran(
    forewatch: Forewatch, victim: Victim, receiver: Receiver
) -> None:
    with stopped(forewatch):
        fault = time.monotonic()
        victim.fault("errors")
        incident_id = receiver.wait_for(victim.name, "page", since=fault, timeout=10).incident
        victim.fault("none")
        receiver.wait_for(victim.name, "resolved", since=fault, timeout=20)
    assert incident_id is not None
    assert forewatch.runs(incident_id) == []
    text = wait_for("its story", lambda: story(forewatch, incident_id), 60, every=0.5)
    assert text.startswith(f"# {incident_id}: ")
    assert "recovered by itself" in text


def story(forewatch: Forewatch, incident_id: str) -> str | None:
    """The newest artifact with the incident's story; None while there is none."""
    try:
        return str(forewatch.prefect("GET", f"/artifacts/incident-{incident_id.lower()}/latest")["data"])
    except httpx.HTTPError:
        return None


def kill_holder(forewatch: Forewatch, shift: str) -> None:
    """`kill -9` of who stands a watch; another does within the three seconds that a silent one gets, and a little."""
    before, gone = forewatch.shift(shift), time.monotonic()
    os.kill(forewatch.holder_pid(shift), signal.SIGKILL)
    wait_for(f"a stand-in for {shift}", lambda: forewatch.shift(shift).term > before.term, 10)
    assert time.monotonic() - gone < 5


def one_each(forewatch: Forewatch) -> bool:
    """Exactly one flow run stands each watch, and it is the one the store names."""
    running = Counter(run["name"] for run in shift_runs(forewatch, "RUNNING"))
    ours = all(forewatch.shift(shift).flow_run_id for shift in SHIFTS)
    return ours and running == Counter(SHIFTS) and not shift_runs(forewatch, "PENDING", "CANCELLING")


def late(forewatch: Forewatch) -> list[Any]:
    return [run for run in shift_runs(forewatch, "SCHEDULED") if run["state_name"] == "Late"]
