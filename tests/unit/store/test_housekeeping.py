"""Housekeeping removes what is old and never what still matters."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Table, func, insert, select

from forewatch.clock import micros
from forewatch.config.models import Retention
from forewatch.store import housekeeping, points, schema, series
from forewatch.store import slices as slices_module
from forewatch.store.engine import Store
from forewatch.store.points import Point
from forewatch.store.slices import Report

pytestmark = pytest.mark.unit

DAY = micros(86400)
NOW = micros(1_767_225_600)
OLD = NOW - 100 * DAY
RECENT = NOW - 10 * DAY
RETENTION = Retention()


@pytest.fixture(autouse=True)
def _no_breath(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices_module, "BREATH", 0.0)
    monkeypatch.setattr(housekeeping, "BREATH", 0.0)


def put(store: Store, table: Table, **values: Any) -> None:
    with store.decide() as conn:
        conn.execute(insert(table).values(**values))


def names(store: Store, table: Table) -> set[Any]:
    with store.read() as conn:
        return set(conn.scalars(select(next(iter(table.primary_key)))))


def retain(store: Store) -> Report:
    return housekeeping.retain_decisions(store, RETENTION, NOW)


def incident(store: Store, name: str, *, status: str = "resolved", resolved_at: int | None = OLD) -> None:
    put(
        store, schema.incidents, id=name, group_key=name, service="web", title="", severity="critical", status=status,
        opened_at=OLD, resolved_at=resolved_at, revision=1,
    )  # fmt: skip


def alert(store: Store, name: str, incident_id: str | None = None, *, status: str = "resolved", at: int = OLD) -> None:
    put(
        store, schema.alerts, id=name, fingerprint=name, labels={}, annotations={}, service="web", severity="critical",
        status=status, starts_at=at, ends_at=None if status == "firing" else at, updated_at=at, incident_id=incident_id,
        source="", generator_url="", timeout=False, classification="availability",
    )  # fmt: skip


def notification(store: Store, name: str, incident_id: str | None = None, *, state: str = "sent", **more: Any) -> None:
    put(
        store, schema.outbox, id=name, incident_id=incident_id, kind="page", severity="critical", notifier="ops",
        state=state, not_before=OLD, content={}, created_at=OLD, sent_at=OLD if state == "sent" else None, **more,
    )  # fmt: skip


def run(store: Store, name: str, incident_id: str | None = None, *, state: str = "done", at: int | None = OLD) -> None:
    put(
        store, schema.runs, id=name, kind="respond", runbook="restart-service", incident_id=incident_id, inputs={},
        autonomy="auto", requested_by="x", state=state, created_at=OLD, finished_at=at,
    )  # fmt: skip
    put(
        store, schema.receipts, run_id=name, ordinal=1, name="stop", kind="act", input_hash="", state="done",
        intent_at=OLD,
    )  # fmt: skip
    put(store, schema.attachments, incident_id=incident_id, run_id=name, at=OLD, name="log", text="")


def decision(store: Store, number: int, *subjects: str, at: int = OLD, version: int = 1) -> None:
    put(
        store, schema.observations, seq=number, at=at, source="check", event={}, config_version=version,
        code_version="1",
    )  # fmt: skip
    put(
        store, schema.decision_records, id=number, seq=number, at=at, config_version=version, reasons=[], changes=[],
        effects=[],
    )  # fmt: skip
    for subject in subjects:
        put(store, schema.decision_subjects, subject=subject, decision_id=number)


def timeline(store: Store, incident_id: str) -> None:
    put(store, schema.timeline, incident_id=incident_id, at=OLD, kind="opened", actor="", text="", data={})


def whole_incident(store: Store, number: int, **more: Any) -> None:
    name = f"INC-{number}"
    incident(store, name, **more)
    alert(store, f"AL-{number}", name)
    notification(store, f"NT-{number}", name)
    run(store, f"RUN-{number}", name)
    timeline(store, name)
    decision(store, number, name, f"AL-{number}", f"NT-{number}", f"RUN-{number}")


ALL = (
    schema.incidents, schema.alerts, schema.outbox, schema.runs, schema.receipts, schema.attachments, schema.timeline,
    schema.decision_records, schema.decision_subjects, schema.observations,
)  # fmt: skip


def counts(store: Store) -> dict[str, int]:
    with store.read() as conn:
        return {table.name: conn.execute(select(func.count()).select_from(table)).scalar_one() for table in ALL}


def test_an_incident_resolved_long_ago_goes_with_all_that_is_its_own(store: Store) -> None:
    whole_incident(store, 1)
    retain(store)
    assert set(counts(store).values()) == {0}


@pytest.mark.parametrize(
    "state",
    [
        {"status": "triggered", "resolved_at": None},
        {"status": "acknowledged", "resolved_at": None},
        {"status": "mitigated", "resolved_at": None},
        {"resolved_at": RECENT},
    ],
)
def test_an_open_or_young_incident_keeps_everything_however_old(store: Store, state: dict[str, Any]) -> None:
    whole_incident(store, 1, **state)
    before = counts(store)
    assert retain(store).rows == 0
    assert counts(store) == before


@pytest.mark.parametrize("state", ["held", "due", "claimed", "failed", "dead"])
def test_a_notification_that_was_never_sent_stays_and_so_does_what_it_is_about(store: Store, state: str) -> None:
    whole_incident(store, 1)
    notification(store, "NT-2", "INC-1", state=state)
    alert(store, "AL-3")
    run(store, "RUN-3")
    notification(store, "NT-3", state=state, alert_id="AL-3", run_id="RUN-3")
    before = counts(store)
    assert retain(store).rows == 0
    assert counts(store) == before


def test_an_incident_with_a_run_under_way_or_an_alert_firing_stays(store: Store) -> None:
    whole_incident(store, 1)
    run(store, "RUN-11", "INC-1", state="started", at=None)
    whole_incident(store, 2)
    alert(store, "AL-22", "INC-2", status="firing")
    retain(store)
    assert names(store, schema.incidents) == {"INC-1", "INC-2"}


def test_what_belongs_to_no_incident_goes_by_its_own_age(store: Store) -> None:
    for name, at in (("1", OLD), ("2", RECENT)):
        alert(store, f"AL-{name}", at=at)
        run(store, f"RUN-{name}", at=at)
    alert(store, "AL-3", status="firing")
    run(store, "RUN-3", state="waiting", at=None)
    notification(store, "NT-1", incident_id="INC-gone")
    retain(store)
    assert names(store, schema.alerts) == {"AL-2", "AL-3"}
    assert names(store, schema.runs) == names(store, schema.receipts) == {"RUN-2", "RUN-3"}
    assert names(store, schema.outbox) == set()


def test_a_decision_stays_as_long_as_anything_it_was_about(store: Store) -> None:
    alert(store, "AL-1", status="firing")
    decision(store, 1, "AL-1", "INC-gone")
    decision(store, 2, "AL-gone")
    decision(store, 3, at=RECENT)
    put(store, schema.observations, seq=9, at=OLD, source="check", event={}, config_version=1, code_version="1")
    retain(store)
    assert names(store, schema.decision_records) == names(store, schema.observations) == {1, 3}
    assert names(store, schema.decision_subjects) == {"AL-1", "INC-gone"}


def test_timers_that_wait_stay_and_old_audit_goes(store: Store) -> None:
    for number, state in enumerate(("waiting", "done", "cancelled"), 1):
        put(store, schema.timers, id=number, kind="start", subject="RUN-x", set_at=OLD, due_at=OLD, state=state)
    for at in (OLD, RECENT):
        put(store, schema.audit, at=at, actor="", action="", subject="", detail={})
    report = retain(store)
    assert names(store, schema.timers) == {1}
    assert report.removed == {"timers": 2, "audit": 1}


def test_configurations_in_force_or_named_by_a_decision_stay(store: Store) -> None:
    for version, at in ((1, OLD), (2, OLD + 1), (3, OLD + 2), (4, RECENT)):
        put(store, schema.config_versions, version=version, digest="", files=[], code_version="1", at=at)
    decision(store, 1, at=RECENT, version=1)
    retain(store)
    # 3 was in force until ten days ago.
    assert names(store, schema.config_versions) == {1, 3, 4}


def test_the_only_configuration_stays_however_old(store: Store) -> None:
    put(store, schema.config_versions, version=1, digest="", files=[], code_version="1", at=OLD)
    retain(store)
    assert names(store, schema.config_versions) == {1}


def measure(store: Store, metric: str, *days_ago: float) -> int:
    with store.measure() as conn:
        points.write(conn, [Point(metric, {}, "host", NOW - round(days * DAY), 1.0) for days in days_ago])
        (one,) = series.find(conn, metric)
        return one.id


def ages(store: Store, table: Table, resolution: int | None = None) -> list[float]:
    query = select(table.c.at).order_by(table.c.at)
    if resolution is not None:
        query = query.where(table.c.resolution == resolution)
    with store.read_metrics() as conn:
        return [round((NOW - at) / DAY) for at in conn.scalars(query)]


def test_points_and_roll_ups_go_each_at_its_own_age(store: Store) -> None:
    measure(store, "m", 1000, 200, 30, 1)
    housekeeping.roll_up(store, NOW)
    housekeeping.retain_metrics(store, RETENTION, NOW)
    assert ages(store, schema.points) == [1]
    assert ages(store, schema.rollups, 300) == [30, 1]
    assert ages(store, schema.rollups, 3600) == [200, 30, 1]


def test_points_stay_until_they_are_rolled_up(store: Store) -> None:
    measure(store, "m", 30)
    assert housekeeping.retain_metrics(store, RETENTION, NOW).rows == 0
    assert ages(store, schema.points) == [30]


def test_a_series_with_nothing_left_goes(store: Store) -> None:
    measure(store, "old", 1000)
    measure(store, "new", 1)
    housekeeping.roll_up(store, NOW)
    report = housekeeping.retain_metrics(store, RETENTION, NOW)
    with store.read_metrics() as conn:
        assert [one.metric for one in series.all_series(conn)] == ["new"]
    assert report.removed["series"] == 1


def test_many_rows_go_in_short_transactions_between_which_others_get_their_turn(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.measure() as conn:
        points.write(conn, [Point("m", {}, "host", NOW - 20 * DAY + at * 1000, 1.0) for at in range(5000)])
    housekeeping.roll_up(store, NOW)
    monkeypatch.setattr(slices_module, "SLICE", 0.0005)
    report = housekeeping.retain_metrics(store, RETENTION, NOW)
    assert report.removed["points"] == 5000
    assert report.slices > 5
    assert 0 < report.longest < 1


@pytest.fixture
def fat(store: Store) -> Store:
    with store.decide() as conn:
        rows = [{"at": OLD, "actor": "x" * 500, "action": "", "subject": "", "detail": {}} for _ in range(4000)]
        conn.execute(insert(schema.audit), rows)
    return store


def test_vacuum_gives_back_what_retention_freed(fat: Store) -> None:
    retain(fat)
    with fat.read() as conn:
        assert conn.exec_driver_sql("PRAGMA freelist_count").scalar_one() > 100
    assert housekeeping.vacuum(fat, "decisions") == 0
    with fat.read() as conn:
        assert conn.exec_driver_sql("PRAGMA freelist_count").scalar_one() == 0
