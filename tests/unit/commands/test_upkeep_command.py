"""`forewatch upkeep`: the maintenance list out of a real store, for a person, a program and an artifact."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from forewatch.cli import app
from forewatch.clock import SystemClock, micros
from forewatch.home import Home
from forewatch.remedy.run import Run
from forewatch.reports.upkeep import maintenance_list, markdown
from forewatch.store import check_states, points, runs
from forewatch.store.check_states import CheckState
from forewatch.store.engine import Store

pytestmark = pytest.mark.unit

DAY = 86_400.0


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.create()
    Store.open(home, migrate=True).close()
    return home


def fill(home: Home, now: int) -> None:
    batch = [
        points.Point("check.certificate.left", {"check": "tls"}, "shop", now - micros(60), 12.5 * DAY),
        points.Point(
            "system.disk.smart.readable", {"device": "all", "reason": "smartctl is not installed"}, "host", now, 0.0
        ),
    ]
    store = Store.open(home)
    with store.measure() as conn:
        points.write(conn, batch)
    with store.decide() as conn:
        for number in range(4):
            runs.put(conn, _run(number, now - micros((number + 1) * DAY)))
    store.close()


def _run(number: int, at: int) -> Run:
    return Run(
        id=f"RUN-{number}", kind="respond", runbook="restart-service", service="shop", incident_id=None, alert_id=None,
        remedy="shop/restart-service", inputs={}, autonomy="auto", requested_by="forewatch", state="done", attempts=1,
        flow_run_id=None, created_at=at, started_at=at, acted_at=at, finished_at=at, outcome="done", verified="healed",
    )  # fmt: skip


def test_the_list_is_shown_most_urgent_first_with_what_cannot_be_read(home):
    fill(home, SystemClock().now())
    said = CliRunner().invoke(app, ["upkeep", "--home", str(home.root)]).output
    head, first, second, third = said.strip().splitlines()
    assert head.split() == ["BY", "WHAT", "TO", "DO", "WHY"]
    assert "restart-service on shop" in first
    assert "it acted 4 times in 7 days" in first
    assert "certificate of shop/tls" in second
    assert third == "disks' own reports: not readable: smartctl is not installed"


def test_a_program_reads_it_as_json(home):
    fill(home, SystemClock().now())
    found = json.loads(CliRunner().invoke(app, ["upkeep", "--json", "--home", str(home.root)]).output)
    assert [item["kind"] for item in found["items"]] == ["remedies", "certificate"]
    assert found["unknown"] == ["disks' own reports: not readable: smartctl is not installed"]


def test_nothing_to_do_is_said(home):
    said = CliRunner().invoke(app, ["upkeep", "--home", str(home.root)]).output
    assert said == "Nothing is wearing out, leaking or drifting, as far as can be seen.\n"


def test_the_artifact_is_a_table_that_no_name_can_break(home):
    now = SystemClock().now()
    store = Store.open(home)
    with store.measure() as conn:
        points.write(conn, [points.Point("check.certificate.left", {"check": "a|b"}, "shop", now, DAY)])
    said = markdown(maintenance_list(store, now))
    store.close()
    assert said.splitlines()[0] == "| by | what | to do | why |"
    assert "certificate of shop/a\\|b" in said.splitlines()[2]


def test_the_authority_whose_certificate_expires_first_is_named(home):
    now = SystemClock().now()
    labels = {"service": "shop", "check": "tls", "instance": "default"}
    reason = "certificate is good for 2 days, as that of its authority Between CA expires first"
    store = Store.open(home)
    with store.measure() as conn:
        points.write(conn, [points.Point("check.certificate.left", labels, "shop", now, 2 * DAY)])
        check_states.put_many(conn, [CheckState("shop", "tls", "default", "up", 0, 1, now, now, 0.1, reason)])
    (item,) = maintenance_list(store, now).items
    store.close()
    assert item.evidence.startswith("that of its authority Between CA expires in ")
