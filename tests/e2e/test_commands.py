"""Every command against a Forewatch that stands: what it does, what it prints, and its one sentence when it cannot."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Forewatch, wait_for
from receiver import Receiver
from scene import configuration_of
from victim import Victim

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

RUNBOOK = '''
from typing import Literal

from forewatch.runbook import note, runbook, step


@step
async def write(path: str, text: str, times: int) -> int:
    """Append a text to a file."""
    with open(path, "a") as file:
        file.write(text * times)
    return len(text) * times


@step
async def fail() -> None:
    """Fail."""
    raise ValueError("nothing to see here")


@runbook(title="Write a file")
async def write_file(path: str, times: int = 1, how: Literal["loud", "quiet"] = "quiet") -> str:
    """Append a word to a file.

    Args:
        path: The file.
        times: How often.
        how: In which case.
    """
    written = await write(path, "HEY" if how == "loud" else "hey", times)
    await note(f"wrote {written} characters")
    return f"wrote {written} characters"


@runbook(title="Fail always")
async def fail_always() -> None:
    """It fails."""
    await fail()
'''


@pytest.fixture(scope="module")
def configuration(folder: Path, victim: Victim, receiver: Receiver) -> Iterator[str]:
    own = folder / "own"
    own.mkdir()
    (own / "write_file.py").write_text(RUNBOOK, encoding="utf-8")
    return configuration_of(victim.watched(), receiver) + "runbook_folders: [own]\n"


@pytest.fixture(scope="module")
def incident(forewatch: Forewatch, victim: Victim, receiver: Receiver) -> str:
    """An open incident of the victim."""
    hurt = time.monotonic()
    victim.fault("errors")
    return str(receiver.wait_for("victim", "page", since=hurt, timeout=15).incident)


def said(forewatch: Forewatch, *arguments: str, code: int = 0) -> str:
    """What a command prints to standard output; nothing goes to standard error."""
    ended = forewatch.cli(*arguments, timeout=150)
    assert (ended.returncode, ended.stderr) == (code, ""), ended
    return ended.stdout


def complaint(forewatch: Forewatch, *arguments: str) -> str:
    """The one sentence of a command that cannot do what it was asked."""
    ended = forewatch.cli(*arguments)
    assert (ended.returncode, ended.stdout) == (1, ""), ended
    [line] = ended.stderr.splitlines()
    assert line.startswith("forewatch: ")
    return line.removeprefix("forewatch: ")


def test_version_and_login(forewatch: Forewatch) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", said(forewatch, "version"))
    assert said(forewatch, "--version") == f"forewatch {said(forewatch, 'version')}"
    assert re.fullmatch(r"forewatch:\S{20,}\n", said(forewatch, "login"))


def test_check_says_that_the_configuration_is_right(forewatch: Forewatch) -> None:
    assert said(forewatch, "check") == "forewatch.yaml is valid.\n"


def test_probe_says_how_each_target_is_and_exits_by_it(forewatch: Forewatch, victim: Victim) -> None:
    head, row = said(forewatch, "probe", "victim").splitlines()
    assert head.split() == ["SERVICE", "CHECK", "INSTANCE", "RESULT", "TOOK", "REASON"]
    assert re.fullmatch(r"victim +http +default +ok +[\d.]+ ?ms +200 after \d+ ms", row)
    victim.fault("errors")
    assert said(forewatch, "probe", code=1).count("victim") == 1
    _, row = said(forewatch, "probe", "victim/http", code=1).splitlines()
    assert re.search(r"FAILS .*500 after", row)
    victim.fault("none")
    assert complaint(forewatch, "probe", "victm") == "no service victm with checks (did you mean victim?)"
    assert "has no check https" in complaint(forewatch, "probe", "victim/https")


def test_status_is_for_people_and_for_machines(forewatch: Forewatch) -> None:
    text = said(forewatch, "status")
    assert text.startswith("All systems are up.\n")
    assert all(shift in text for shift in ("check-health", "collect-metrics", "page-people"))
    assert not [line for line in text.splitlines() if line != line.rstrip()]
    found = json.loads(said(forewatch, "status", "--json"))
    assert found["ready"] is True
    assert [check["service"] for check in found["checks"]] == ["victim"]
    assert {component["name"] for component in found["components"]} >= {"worker", "prefect", "configuration"}


def test_doctor_finds_nothing_wrong(forewatch: Forewatch) -> None:
    text = said(forewatch, "doctor")
    assert "BAD" not in text
    for what in ("python", "prefect", "keys", "port", "decisions.db", "metrics.db", "clock", "notifier hook"):
        assert what in text


def test_a_notifier_is_tried(forewatch: Forewatch, receiver: Receiver) -> None:
    assert re.fullmatch(r"hook accepted it: 204 in \d+ms\n", said(forewatch, "notify", "test", "hook"))
    assert receiver.received[-1].kind == "test"
    assert "there is no notifier hok" in complaint(forewatch, "notify", "test", "hok")


def test_an_incident_is_listed_shown_noted_acknowledged_and_resolved(
    forewatch: Forewatch, incident: str, victim: Victim
) -> None:
    assert re.search(rf"^{incident} +triggered +critical +victim ", said(forewatch, "incidents", "list"), re.MULTILINE)
    assert said(forewatch, "incidents", "note", incident, "it was the disk") == f"Noted on {incident}.\n"
    assert said(forewatch, "incidents", "ack", incident) == f"{incident} is acknowledged.\n"
    shown = said(forewatch, "incidents", "show", incident)
    assert shown.startswith(f"{incident} acknowledged, critical: victim answers with errors: ")
    assert "it was the disk" in shown
    assert incident in complaint(forewatch, "incidents", "ack", incident)
    why = said(forewatch, "why", incident)
    assert why.startswith(f"{incident} (critical, victim) is acknowledged.")
    alert = re.search(r"AL-\d+", why)
    notification = re.search(r"NT-\d+", why)
    assert alert
    assert notification
    assert alert[0] in said(forewatch, "why", alert[0])
    assert "hook" in said(forewatch, "why", notification[0])
    victim.fault("none")
    said(forewatch, "incidents", "list", "--all")
    wait_for("its end", lambda: forewatch.incidents("victim")[0].status == "resolved")
    assert "No open incidents." in said(forewatch, "incidents", "list")
    assert incident in said(forewatch, "incidents", "list", "--all")
    assert "is resolved" in complaint(forewatch, "incidents", "resolve", incident)


def test_ids_that_do_not_exist_get_one_sentence(forewatch: Forewatch) -> None:
    for arguments in (
        ("incidents", "show", "INC-999"), ("incidents", "ack", "INC-999"), ("incidents", "resolve", "INC-999"),
        ("incidents", "note", "INC-999", "x"), ("why", "INC-999"), ("why", "AL-999"), ("why", "NT-999"),
        ("why", "RUN-999"), ("why", "nonsense"), ("why", "' OR 1=1"), ("runbooks", "show", "no-such"),
        ("runbooks", "run", "no-such"), ("probe", ""),
    ):  # fmt: skip
        assert complaint(forewatch, *arguments), arguments


def test_a_state_folder_that_is_none_gets_one_sentence(forewatch: Forewatch, tmp_path: Path) -> None:
    for arguments in (("status",), ("incidents", "list"), ("why", "INC-1"), ("login",), ("stop-automation",)):
        assert str(tmp_path) in complaint(forewatch, *arguments, "--home", str(tmp_path))


def test_runbooks_are_listed_and_shown(forewatch: Forewatch) -> None:
    listed = said(forewatch, "runbooks", "list")
    assert {"write-file", "fail-always", "restart-service", "collect-diagnostics"} <= set(listed.split())
    shown = said(forewatch, "runbooks", "show", "write-file")
    assert re.search(r"^path +string +\(required\) +The file\.", shown, re.MULTILINE)
    assert re.search(r"^times +integer +1 +How often\.", shown, re.MULTILINE)
    assert re.search(r"^write +act ", shown, re.MULTILINE)


def test_a_runbook_runs_from_the_command_line(forewatch: Forewatch, tmp_path: Path) -> None:
    file = tmp_path / "written"
    text = said(
        forewatch, "runbooks", "run", "write-file", "--with", f"path={file}", "--with", "times=2", "-w", "how=loud"
    )
    assert re.fullmatch(r"RUN-\d+ is queued\.\nRUN-\d+ is done: wrote 6 characters\n", text)
    assert file.read_text() == "HEYHEY"
    run = text.split()[0]
    assert "write-file" in said(forewatch, "why", run)


def test_a_runbook_that_fails_says_so_and_exits_1(forewatch: Forewatch) -> None:
    text = said(forewatch, "runbooks", "run", "fail-always", code=1)
    assert re.search(
        r"^RUN-\d+ \(fail-always\) failed: step fail failed: ValueError: nothing to see here\.$", text, re.MULTILINE
    )


def test_inputs_that_a_runbook_does_not_take_are_refused_before_it_is_asked_for(forewatch: Forewatch) -> None:
    assert "paht: there is no such parameter (did you mean path?)" in complaint(
        forewatch, "runbooks", "run", "write-file", "--with", "paht=/tmp/x"
    )
    assert "times" in complaint(
        forewatch, "runbooks", "run", "write-file", "--with", "path=/tmp/x", "--with", "times=many"
    )
    assert "write NAME=VALUE" in complaint(forewatch, "runbooks", "run", "write-file", "--with", "path")


def start_as_the_ui_does(forewatch: Forewatch, runbook: str, parameters: dict[str, object]) -> str:
    """Submit a deployment's form; returns the flow run's id."""
    deployment = forewatch.prefect("GET", f"/deployments/name/{runbook}/{runbook}")
    form = deployment["parameter_openapi_schema"]["properties"]
    assert form["times"]["type"] == "integer"
    assert form["how"]["enum"] == ["loud", "quiet"]
    made = forewatch.prefect(
        "POST",
        f"/deployments/{deployment['id']}/create_flow_run",
        {"parameters": parameters, "state": {"type": "SCHEDULED"}},
    )
    return str(made["id"])


def ended(forewatch: Forewatch, flow_run_id: str) -> dict[str, object]:
    def look() -> dict[str, object] | None:
        found = forewatch.prefect("GET", f"/flow_runs/{flow_run_id}")
        return found if found["state"]["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED") else None

    return wait_for("the flow run to end", look, timeout=60)


def test_a_runbook_runs_from_prefects_form(forewatch: Forewatch, tmp_path: Path) -> None:
    file = tmp_path / "written"
    flow_run = start_as_the_ui_does(forewatch, "write-file", {"path": str(file), "times": 3})
    assert ended(forewatch, flow_run)["state"]["type"] == "COMPLETED"  # type: ignore[index]
    assert file.read_text() == "heyheyhey"
    with forewatch.runtime() as runtime, runtime.store.read() as conn:
        from forewatch.store import receipts, runs

        run = runs.of_flow_run(conn, flow_run)
        assert run is not None
        assert (run.state, run.inputs["times"]) == ("done", 3)
        assert next(receipt.name for receipt in receipts.of_run(conn, run.id)) == "write"


def test_stopped_automation_refuses_the_command_line_and_the_form_until_it_is_resumed(
    forewatch: Forewatch, tmp_path: Path
) -> None:
    file = tmp_path / "written"
    inputs = {"path": str(file)}
    stopped = said(forewatch, "stop-automation", "--reason", "a migration")
    assert stopped == "Automation is stopped; people are still paged.\n"
    assert json.loads(said(forewatch, "status", "--json"))["automation"] == "stopped"
    assert "a migration" in complaint(forewatch, "runbooks", "run", "write-file", "--with", f"path={file}")
    refused = ended(forewatch, start_as_the_ui_does(forewatch, "write-file", inputs))
    assert refused["state"]["name"] == "Refused"  # type: ignore[index]
    assert "automation" in refused["state"]["message"].lower()  # type: ignore[index]
    assert not file.exists()
    assert said(forewatch, "stop-automation", "--resume") == "Automation may act again.\n"
    said(forewatch, "runbooks", "run", "write-file", "--with", f"path={file}")
    assert file.exists()
