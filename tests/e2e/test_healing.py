"""The way of a fault: noticed, an incident, a runbook that fixes it, verified, told, and all of it readable."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness import Forewatch, free_port, wait_for
from receiver import Receiver
from scene import HOOK_SECRET, configuration_of
from victim import Victim

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def services(folder: Path) -> Iterator[dict[str, Victim]]:
    made = {name: Victim(name, folder, free_port()) for name in ("healable", "doomed", "shadowed", "limited")}
    for service in made.values():
        service.start()
    yield made
    for service in made.values():
        service.stop()


@pytest.fixture(scope="module")
def configuration(services: dict[str, Victim], receiver: Receiver) -> str:
    useless = [sys.executable, "-c", "import time; time.sleep(60)"]
    return configuration_of(
        services["healable"].restarted()
        + services["doomed"].restarted(command=useless, verify="2s")
        + services["shadowed"].restarted(autonomy="shadow")
        + services["limited"].restarted(limits="{per_hour: 2, cooldown: 0s}"),
        receiver,
    )


def resolved(forewatch: Forewatch, service: str, *, at_least: int = 1, timeout: float = 30) -> Any:
    """The newest incident of a service, once it and its last run have come to their end."""

    def look() -> Any:
        found = forewatch.incidents(service)
        if len(found) < at_least or found[0].status != "resolved":
            return None
        return found[0] if all(run.finished_at for run in forewatch.runs(found[0].id)) else None

    return wait_for(f"the incident of {service} to be resolved", look, timeout)


def final(forewatch: Forewatch, flow_run_id: str) -> Any:
    """A flow run, once Prefect knows how it ended."""

    def look() -> Any:
        flow_run = forewatch.prefect("GET", f"/flow_runs/{flow_run_id}")
        return flow_run if flow_run["state_type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED") else None

    return wait_for(f"flow run {flow_run_id} to end", look, 30)


def test_a_killed_service_is_healed_within_seconds_and_the_held_page_becomes_a_report(
    forewatch: Forewatch, services: dict[str, Victim], receiver: Receiver
) -> None:
    before, began = services["healable"].pid, time.monotonic()
    services["healable"].kill()
    services["healable"].wait_healthy()
    took = time.monotonic() - began
    incident = resolved(forewatch, "healable")
    assert services["healable"].pid != before
    assert took < 10
    report = receiver.wait_for("healable", "report", since=began, timeout=10)
    assert report.incident == incident.id
    assert report.is_signed_with(HOOK_SECRET)
    assert not report.is_signed_with("another secret")
    time.sleep(1)
    assert [one.kind for one in receiver.of("healable", since=began)] == ["report"]


def test_everything_about_it_can_be_read_in_prefect_and_leads_there_and_back(
    forewatch: Forewatch, services: dict[str, Victim]
) -> None:
    incident = resolved(forewatch, "healable")
    [run] = forewatch.runs(incident.id)
    assert (run.state, run.verified) == ("done", "healed")
    respond = final(forewatch, run.flow_run_id)
    assert respond["name"] == f"respond {incident.id} healable"
    assert respond["state_type"] == "COMPLETED"
    assert {incident.id, "healable", run.id, "forewatch"} <= set(respond["tags"])
    filter = {"flow_runs": {"parent_flow_run_id": {"any_": [respond["id"]]}}}
    [below] = wait_for("the runbook's own flow run", lambda: forewatch.prefect("POST", "/flow_runs/filter", filter))
    assert below["name"] == f"restart-service {run.id}"
    assert final(forewatch, below["id"])["state_type"] == "COMPLETED"
    assert respond["parameters"] == {"run": run.id}

    def steps() -> Any:
        found = forewatch.prefect(
            "POST",
            "/task_runs/filter",
            {"task_runs": {"flow_run_id": {"any_": [respond["id"]]}}, "sort": "END_TIME_DESC"},
        )
        done = {task["name"].rpartition("-")[0] or task["name"] for task in found if task["state_type"] == "COMPLETED"}
        return found if len(done) >= 3 else None

    names = " ".join(task["name"] for task in wait_for("the steps' task runs", steps))
    for step in ("find-service", "start-service", "see-it-settle"):
        assert step in names
    [story] = forewatch.prefect(
        "POST", "/artifacts/filter", {"artifacts": {"key": {"any_": [f"incident-{incident.id.lower()}"]}}}
    )
    assert story["flow_run_id"] == respond["id"]
    assert f"/runs/flow-run/{respond['id']}" in story["data"]
    assert f"http://127.0.0.1:{forewatch.port}/incidents/{incident.id}" in story["data"] + story["description"]
    page = httpx.get(f"http://127.0.0.1:{forewatch.port}/incidents/{incident.id}", timeout=5, trust_env=False)
    assert page.status_code == 200
    assert f"/runs/flow-run/{respond['id']}" in page.text
    assert run.id in page.text


def test_why_prints_the_chain_of_every_part_of_it(forewatch: Forewatch, services: dict[str, Victim]) -> None:
    incident = resolved(forewatch, "healable")
    [run] = forewatch.runs(incident.id)
    [notification] = forewatch.notifications(incident.id)
    for subject in (incident.id, run.id, notification.id, run.alert_id):
        said = forewatch.cli("why", subject)
        assert said.returncode == 0, said.stderr
        assert subject in said.stdout
        assert f"{run.id} (restart-service)" in said.stdout
    assert "healed" in forewatch.cli("why", incident.id).stdout
    assert "became a report" in forewatch.cli("why", notification.id).stdout
    unknown = forewatch.cli("why", "INC-999")
    assert unknown.returncode != 0
    assert "INC-999" in unknown.stderr


def test_a_service_that_takes_connections_and_never_answers_is_healed_too(
    forewatch: Forewatch, services: dict[str, Victim], receiver: Receiver
) -> None:
    hung, began = services["healable"].pid, time.monotonic()
    services["healable"].fault("hang")
    wait_for("another process in its place", lambda: _other_pid(services["healable"], hung), 30)
    services["healable"].wait_healthy()
    incident = resolved(forewatch, "healable", at_least=2)
    assert "restart-service" in incident.resolution
    receiver.wait_for("healable", "report", since=began, timeout=10)
    assert receiver.of("healable", "page") == []


def _other_pid(service: Victim, before: int) -> bool:
    try:
        return service.pid != before
    except (OSError, ValueError):
        return False


def test_a_remedy_that_does_not_heal_is_paged_at_once(
    forewatch: Forewatch, services: dict[str, Victim], receiver: Receiver
) -> None:
    began = time.monotonic()
    services["doomed"].kill()
    page = receiver.wait_for("doomed", "page", since=began, timeout=25)
    incident = forewatch.incidents("doomed")[0]
    [run, *_] = forewatch.runs(incident.id)
    assert (run.state, run.verified) == ("failed", "not healed")
    # Not the hold of 30 s: the verification gave it 2 s.
    assert page.at - began < 15
    assert "did not heal" in page.body["text"]
    flow_run = final(forewatch, run.flow_run_id)
    assert flow_run["state_type"] == "FAILED"
    assert [one.kind for one in receiver.of("doomed", "page")] == ["page"]
    services["doomed"].start()
    receiver.wait_for("doomed", "resolved", since=began, timeout=20)


def test_shadow_says_what_it_would_do_and_pages_at_once(
    forewatch: Forewatch, services: dict[str, Victim], receiver: Receiver
) -> None:
    began = time.monotonic()
    services["shadowed"].kill()
    page = receiver.wait_for("shadowed", "page", since=began, timeout=10)
    assert "Automation is in shadow mode for this remedy: it would have run restart-service." in page.body["text"]
    incident = forewatch.incidents("shadowed")[0]
    assert not services["shadowed"].healthy()
    assert [run for run in forewatch.runs(incident.id) if run.started_at] == []
    wait_for(
        "what it would have done",
        lambda: "In shadow: restart-service could have run" in forewatch.cli("why", incident.id).stdout,
        20,
    )
    services["shadowed"].start()
    receiver.wait_for("shadowed", "resolved", since=began, timeout=20)


def test_limits_end_a_loop_of_restarts_and_a_person_is_paged(
    forewatch: Forewatch, services: dict[str, Victim], receiver: Receiver
) -> None:
    for loop in (1, 2):
        services["limited"].kill()
        services["limited"].wait_healthy()
        resolved(forewatch, "limited", at_least=loop)
    began = time.monotonic()
    services["limited"].kill()
    page = receiver.wait_for("limited", "page", since=began, timeout=10)
    assert "its limit is 2" in page.body["text"]
    time.sleep(2)
    assert not services["limited"].healthy()
    services["limited"].start()
    receiver.wait_for("limited", "resolved", since=began, timeout=20)
