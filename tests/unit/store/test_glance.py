"""What `status` and `incidents list` read with plain SQL is what the store's own modules say."""

import sqlite3
from dataclasses import asdict

import pytest
from sqlalchemy import update
from store_rows import HOUR, NOW, SECOND, alert, incident, notification, run

from forewatch.config.remedy import RemedyOff
from forewatch.store import (
    alerts,
    check_states,
    components,
    config_versions,
    glance,
    incidents,
    outbox,
    runs,
    schema,
    shifts,
    switches,
)
from forewatch.store.check_states import CheckState

pytestmark = pytest.mark.unit


@pytest.fixture
def looked(store):
    """A look at the store after `fill(conn)` has been committed."""

    def looked(fill):
        with store.decide() as conn:
            fill(conn)
        return glance.looking(store.home.decisions_db)

    return looked


def test_incidents_are_those_of_the_store_with_how_many_services_each_has(store, looked):
    def fill(conn):
        for number in range(1, 5):
            incidents.put(conn, incident(f"INC-{number}", group_key=f"g{number}", opened_at=NOW + number * HOUR))
        incidents.put(conn, incident("INC-2", group_key="g2", opened_at=NOW + 2 * HOUR, status="resolved", revision=2))
        for number, service in enumerate(("app", "db", "app"), 1):
            alerts.put(conn, alert(f"AL-{number}", fingerprint=f"f{number}", service=service, incident_id="INC-3"))

    with looked(fill) as conn:
        for open_only, limit in ((True, 50), (False, 50), (False, 2)):
            found = glance.incidents(conn, open_only=open_only, limit=limit)
            with store.read() as whole:
                expected = incidents.listing(whole, open_only=open_only, limit=limit)
            assert [one["id"] for one in found] == [one.id for one in expected]
            for row, one in zip(found, expected, strict=True):
                assert {key: row[key] for key in row if key != "services"} == {
                    key: getattr(one, key) for key in row if key != "services"
                }
        assert {one["id"]: one["services"] for one in glance.incidents(conn, open_only=True, limit=9)} == {
            "INC-4": 0, "INC-3": 2, "INC-1": 0,
        }  # fmt: skip


def test_the_parts_of_forewatch_are_those_of_the_store(store, looked):
    def fill(conn):
        shifts.take(conn, "page-people", "vm:2", expected_term=None, scheduled_for=NOW, now=NOW)
        shifts.take(conn, "check-health", "vm:1", expected_term=None, scheduled_for=NOW, now=NOW)
        components.report(conn, "worker", "ok", "", NOW, {"pid": 1})
        components.report(conn, "prefect", "down", "it is starting", NOW)

    with looked(fill) as conn, store.read() as whole:
        for ours, theirs in (
            (glance.shifts(conn), shifts.listing(whole)),
            (glance.parts(conn), components.listing(whole)),
        ):
            assert [vars(one) for one in ours] == [{key: getattr(one, key) for key in vars(ours[0])} for one in theirs]


def test_counts_and_the_switch_are_those_of_the_store(store, looked):
    def fill(conn):
        alerts.put(conn, alert("AL-1"))
        alerts.put(conn, alert("AL-2", fingerprint="f2", status="resolved", ends_at=NOW))
        for number, state in enumerate(("waiting", "claimed", "started", "done"), 1):
            runs.put(conn, run(f"RUN-{number}", state=state))
        config_versions.add(conn, [("forewatch.yaml", "metrics: {}")], NOW)
        off = [RemedyOff("web", 0, "restart-service", "forewatch.yaml:1:1: no such parameter")]
        config_versions.add(conn, [("forewatch.yaml", "services: []")], NOW, off)

    with looked(fill) as conn, store.read() as whole:
        assert glance.alerts_firing(conn) == len(alerts.all_firing(whole)) == 1
        assert glance.runs_under_way(conn) == len(runs.under_way(whole)) == 2
        assert glance.configuration_version(conn) == config_versions.newest_version(whole) == 2
        newest = config_versions.newest(whole)
        assert glance.remedies_off(conn) == [asdict(one) for one in newest.remedies_off] != []
        assert glance.is_on(conn, switches.AUTOMATION)
    with looked(lambda conn: switches.turn(conn, "automation", "off", actor="ana", reason="", now=NOW)) as conn:
        assert not glance.is_on(conn, switches.AUTOMATION)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ({}, None),
        ({"due": {"not_before": NOW + HOUR}}, None),
        ({"sent": {}, "dead": {}}, None),
        ({"due": {}, "held": {"not_before": NOW - 9 * SECOND}}, NOW - 9 * SECOND),
        ({"failed": {"not_before": NOW - 2 * SECOND}}, NOW - 2 * SECOND),
        ({"claimed": {"claimed_until": NOW - SECOND}}, NOW - SECOND),
        ({"claimed": {"claimed_until": NOW + SECOND}}, None),
    ],
)
def test_the_oldest_notification_that_is_due_is_the_one_of_the_outbox(store, looked, states, expected):
    def fill(conn):
        for number, (state, fields) in enumerate(states.items()):
            outbox.add(conn, notification(f"NT-{number}", state=state))
            if fields:
                conn.execute(update(schema.outbox).where(schema.outbox.c.id == f"NT-{number}").values(fields))

    with looked(fill) as conn, store.read() as whole:
        assert glance.oldest_due(conn, NOW) == outbox.oldest_due(whole, NOW) == expected


def test_checks_are_those_of_the_store(store):
    states = [
        CheckState(service, "http", "default", "up", 0, 1, NOW, NOW, 0.1, "200 after 2 ms")
        for service in ("web", "app")
    ]
    with store.measure() as conn:
        check_states.put_many(conn, states)
    with glance.looking(store.home.metrics_db) as conn, store.read_metrics() as whole:
        found = glance.checks(conn)
        expected = check_states.get_all(whole)
    assert [row["service"] for row in found] == ["app", "web"]
    assert found == [{key: getattr(one, key) for key in found[0]} for one in expected]


def test_nothing_is_written_by_looking(store):
    with glance.looking(store.home.decisions_db) as conn, pytest.raises(sqlite3.OperationalError, match="readonly"):
        conn.execute("DELETE FROM incidents")


def test_a_file_that_is_not_there_is_not_made(store, tmp_path):
    with pytest.raises(sqlite3.OperationalError), glance.looking(tmp_path / "none.db"):
        pass
    assert not (tmp_path / "none.db").exists()
