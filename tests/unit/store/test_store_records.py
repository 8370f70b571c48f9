"""Receipts, timers, observations, configuration versions, components, switches, attachments, audit."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, delete
from store_rows import HOUR, NOW, SECOND

from forewatch.config.models import Config
from forewatch.incidents.events import AlertRaised, Noted
from forewatch.store import (
    attachments,
    audit,
    components,
    config_versions,
    observations,
    receipts,
    schema,
    switches,
    timers,
)
from forewatch.store.engine import Store
from forewatch.store.view import StoreView

pytestmark = pytest.mark.unit


@pytest.fixture
def conn(store: Store):
    with store.decide() as conn:
        yield conn


def intend(conn: Connection, ordinal: int = 1) -> bool:
    return receipts.intend(conn, "RUN-1", ordinal, name="stop", kind="act", input_hash="h", now=NOW)


def test_a_step_has_one_receipt(conn: Connection) -> None:
    assert intend(conn)
    assert not intend(conn)
    assert receipts.finish(conn, "RUN-1", 1, now=NOW + 1, result={"pid": 7})
    assert not receipts.finish(conn, "RUN-1", 1, now=NOW + 2, result={"pid": 8})
    assert not intend(conn)
    [receipt] = receipts.of_run(conn, "RUN-1")
    assert (receipt.state, receipt.result, receipt.done_at) == ("done", {"pid": 7}, NOW + 1)


def test_a_failed_step_keeps_its_error_and_receipts_keep_their_order(conn: Connection) -> None:
    intend(conn, 2)
    intend(conn, 1)
    receipts.finish(conn, "RUN-1", 2, now=NOW, error="the process did not stop")
    assert [(found.ordinal, found.state, found.error) for found in receipts.of_run(conn, "RUN-1")] == [
        (1, "intent", None),
        (2, "failed", "the process did not stop"),
    ]


def test_a_timer_is_due_at_its_time_and_fires_once(conn: Connection) -> None:
    timers.add(conn, "verification", "RUN-1", NOW + 20 * SECOND, NOW)
    assert timers.next_due(conn) == NOW + 20 * SECOND
    assert timers.due(conn, NOW + 19 * SECOND) == []
    [timer] = timers.due(conn, NOW + 20 * SECOND)
    assert (timer.kind, timer.subject) == ("verification", "RUN-1")
    assert timers.finish(conn, timer.id)
    assert not timers.finish(conn, timer.id)
    assert timers.due(conn, NOW + HOUR) == []
    assert timers.next_due(conn) is None


def test_timers_of_a_subject_are_called_off_by_kind_or_all(conn: Connection) -> None:
    for kind, subject in (("start", "RUN-1"), ("verification", "RUN-1"), ("start", "RUN-2")):
        timers.add(conn, kind, subject, NOW, NOW)
    assert timers.cancel(conn, "RUN-1", "start") == 1
    assert [(timer.kind, timer.subject) for timer in timers.due(conn, NOW)] == [
        ("verification", "RUN-1"),
        ("start", "RUN-2"),
    ]
    assert timers.cancel(conn, "RUN-1") == 1
    assert timers.cancel(conn, "RUN-1") == 0


def test_a_clock_set_back_an_hour_does_not_delay_a_timer(conn: Connection) -> None:
    timers.add(conn, "verification", "RUN-1", NOW + 20 * SECOND, NOW)
    assert len(timers.due(conn, NOW - HOUR)) == 1
    assert timers.due(conn, NOW - SECOND) == []


def test_observations_are_numbered_in_the_order_decided_and_come_back_as_events(conn: Connection) -> None:
    raised = AlertRaised({"alertname": "CheckFailing"}, {}, NOW, {"status": 503})
    noted = Noted("INC-1", "ann", "looking", NOW - 1)
    first = observations.add(conn, raised, config_version=3, now=NOW)
    second = observations.add(conn, noted, config_version=3, now=NOW - HOUR)
    assert second == first + 1
    found = observations.get(conn, first)
    assert found is not None
    assert found.decoded() == raised
    assert (found.source, found.config_version) == ("alert", 3)
    assert [entry.decoded() for entry in observations.since(conn, first)] == [noted]


def test_a_sequence_number_is_never_given_again(conn: Connection) -> None:
    first = observations.add(conn, Noted("INC-1", "ann", "looking", NOW), config_version=1, now=NOW)
    conn.execute(delete(schema.observations))
    assert observations.add(conn, Noted("INC-1", "ann", "looking", NOW), config_version=1, now=NOW) == first + 1


def test_a_configuration_gets_a_new_version_only_when_it_changed(conn: Connection) -> None:
    assert config_versions.newest(conn) is None
    first = config_versions.add(conn, [("forewatch.yaml", "services: []")], NOW)
    assert config_versions.add(conn, [("forewatch.yaml", "services: []")], NOW + 1) == first
    second = config_versions.add(conn, [("forewatch.yaml", "rules: []"), ("more.yaml", "")], NOW + 2)
    assert config_versions.newest_version(conn) == second > first
    newest = config_versions.newest(conn)
    assert newest is not None
    assert newest.files == [("forewatch.yaml", "rules: []"), ("more.yaml", "")]
    assert config_versions.add(conn, [("forewatch.yaml", "services: []")], NOW + 3) > second


def test_a_component_says_since_when_it_is_as_it_is(conn: Connection) -> None:
    assert not components.report(conn, "prefect", "ok", "", NOW)
    assert components.report(conn, "prefect", "down", "no answer for 5s", NOW + 1)
    assert not components.report(conn, "prefect", "down", "no answer for 10s", NOW + 2, {"port": 4200})
    [found] = components.listing(conn)
    assert (found.since, found.at, found.reason, found.data) == (NOW + 1, NOW + 2, "no answer for 10s", {"port": 4200})
    assert components.report(conn, "prefect", "ok", "", NOW + 3)
    assert components.report(conn, "worker", "down", "not started", NOW)


def test_automation_is_stopped_and_resumed_on_the_record(conn: Connection) -> None:
    view = StoreView(conn, Config())
    assert view.automation_stopped() is None
    assert switches.turn(conn, "automation", "off", actor="ann", reason="moving racks", now=NOW)
    assert not switches.turn(conn, "automation", "off", actor="bob", reason="", now=NOW + 1)
    assert view.automation_stopped() == "automation was stopped by ann: moving racks"
    assert switches.turn(conn, "automation", "on", actor="bob", reason="", now=NOW + 2)
    assert view.automation_stopped() is None
    assert [(entry.actor, entry.action) for entry in audit.listing(conn)] == [("bob", "turn on"), ("ann", "turn off")]


def test_automation_is_down_while_there_is_no_worker_and_not_while_prefect_is_away(conn: Connection) -> None:
    view = StoreView(conn, Config())
    assert view.automation_down() is None
    components.report(conn, "configuration", "down", "line 3", NOW)
    assert view.automation_down() is None
    components.report(conn, "prefect", "down", "no answer for 5s", NOW)
    components.report(conn, "link", "down", "the worker has no link to Prefect", NOW)
    assert view.automation_down() is None
    components.report(conn, "worker", "down", "restarting", NOW)
    assert view.automation_down() == "the worker is down: restarting"


def test_attachments_are_found_by_incident_and_by_run(conn: Connection) -> None:
    attachments.add(conn, name="top", text="1 init", at=NOW, incident_id="INC-1", run_id="RUN-1")
    attachments.add(conn, name="df", text="/ 90%", at=NOW, run_id="RUN-1")
    assert [found.name for found in attachments.of_incident(conn, "INC-1")] == ["top"]
    assert [found.name for found in attachments.of_run(conn, "RUN-1")] == ["top", "df"]
