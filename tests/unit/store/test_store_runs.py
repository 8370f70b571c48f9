"""Runs: orders to the worker, what limits count, and signs of life."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Connection
from store_rows import HOUR, NOW, SECOND, run

from forewatch.errors import TransitionRefused
from forewatch.remedy.run import UNRECORDED
from forewatch.store import runs
from forewatch.store.engine import Store

pytestmark = pytest.mark.unit

REMEDY = "storefront/restart-service"


@pytest.fixture
def conn(store: Store):
    with store.decide() as conn:
        yield conn


def counted(conn: Connection, since: int) -> list[str]:
    return [found.id for found in runs.counted(conn, REMEDY, since)]


def test_a_run_comes_back_as_it_was_put(conn: Connection) -> None:
    runs.put(conn, run())
    assert runs.get(conn, "RUN-1") == run()
    assert runs.get(conn, "RUN-2") is None
    assert runs.of_incident(conn, "INC-1") == [run()]
    assert runs.listing(conn, states=["done"]) == []
    assert runs.listing(conn) == [run()]


def test_a_run_changes_only_from_the_state_that_was_expected(conn: Connection) -> None:
    runs.put(conn, run())
    runs.put(conn, run(state="started", flow_run_id="a"), expected="waiting")
    with pytest.raises(TransitionRefused, match="RUN-1 cannot go from waiting to started: it is started"):
        runs.put(conn, run(state="started", flow_run_id="b"), expected="waiting")
    with pytest.raises(TransitionRefused, match="there is no such run"):
        runs.put(conn, run("RUN-9", state="done"), expected="started")
    assert runs.get(conn, "RUN-1") == run(state="started", flow_run_id="a")


def test_waiting_runs_are_claimed_once_oldest_first(conn: Connection) -> None:
    for number in (1, 2, 3):
        runs.put(conn, run(f"RUN-{number}", created_at=NOW - number))
    assert runs.any_waiting(conn)
    first = runs.claim(conn, "worker-a", NOW, 2)
    assert [(found.id, found.state, found.attempts) for found in first] == [
        ("RUN-3", "claimed", 1),
        ("RUN-2", "claimed", 1),
    ]
    assert [found.id for found in runs.claim(conn, "worker-b", NOW, 2)] == ["RUN-1"]
    assert runs.claim(conn, "worker-b", NOW, 2) == []
    assert not runs.any_waiting(conn)


def test_a_released_run_can_be_claimed_and_started_again(conn: Connection) -> None:
    runs.put(conn, run())
    [claimed] = runs.claim(conn, "worker-a", NOW, 1)
    runs.put(conn, replace(claimed, state="started", flow_run_id="first"), expected="claimed")
    assert not runs.release(conn, "RUN-1", expected="claimed")
    assert runs.release(conn, "RUN-1", expected="started")
    [again] = runs.claim(conn, "worker-b", NOW, 1)
    assert again.attempts == 2
    runs.put(conn, replace(again, state="started", flow_run_id="second"), expected="claimed")
    assert not runs.beat(conn, "RUN-1", "first")
    assert runs.beat(conn, "RUN-1", "second")


def test_a_run_that_is_over_is_told_so_when_it_beats(conn: Connection) -> None:
    runs.put(conn, run(state="started"))
    assert runs.beat(conn, "RUN-1")
    runs.put(conn, run(state="cancelled"), expected="started")
    assert not runs.beat(conn, "RUN-1")


def test_limits_count_what_acted_since_and_what_is_about_to(conn: Connection) -> None:
    since = NOW - HOUR
    old = {"created_at": since - 2, "started_at": since - 1, "finished_at": since + 1}
    runs.put(conn, run("RUN-1", state="done", acted_at=since - 1, **old))
    runs.put(conn, run("RUN-2", state="done", acted_at=since, **old))
    runs.put(conn, run("RUN-3", state="waiting", created_at=since - HOUR))
    runs.put(conn, run("RUN-4", state="refused"))
    runs.put(conn, run("RUN-5", state="failed", started_at=NOW - SECOND))
    runs.put(conn, run("RUN-6", state="done", started_at=NOW, acted_at=NOW, remedy="stock/restart-service"))
    runs.put(conn, run("RUN-7", state="done", started_at=NOW, autonomy="shadow"))
    assert sorted(counted(conn, since)) == ["RUN-2", "RUN-3", "RUN-5"]


def test_what_a_person_has_at_work_on_the_service_counts_until_it_ends(conn: Connection) -> None:
    person = {"kind": "runbook", "remedy": None, "autonomy": "person", "incident_id": None, "alert_id": None}
    runs.put(conn, run("RUN-1", state="started", started_at=NOW, **person))
    runs.put(conn, run("RUN-2", state="done", started_at=NOW, acted_at=NOW, **person))
    runs.put(conn, run("RUN-3", state="started", service="stock", **person))
    runs.put(conn, run("RUN-4", state="started", runbook="collect-diagnostics", **person))
    assert counted(conn, NOW - HOUR) == ["RUN-1"]


def test_runs_dated_in_the_future_count_when_the_clock_was_set_back(conn: Connection) -> None:
    runs.put(conn, run(state="done", started_at=NOW, acted_at=NOW))
    assert counted(conn, since=NOW - 2 * HOUR) == ["RUN-1"]


def test_runs_of_an_outage_are_owed_to_prefect_until_it_knows_them(conn: Connection) -> None:
    for number, fields in enumerate(
        [
            {"flow_run_id": f"{UNRECORDED}a", "state": "done", "finished_at": NOW},
            {"flow_run_id": f"{UNRECORDED}b", "state": "started"},
            {"flow_run_id": "c", "state": "done", "finished_at": NOW},
        ]
    ):
        runs.put(conn, run(f"RUN-{number}", **fields))
    [owed] = runs.unrecorded(conn, 10)
    assert (owed.id, owed.flow_run) == ("RUN-0", None)
    assert runs.recorded(conn, owed, "d")
    assert not runs.recorded(conn, owed, "e")
    assert runs.unrecorded(conn, 10) == []
    known = runs.get(conn, "RUN-0")
    assert known is not None
    assert known.flow_run == "d"


def test_only_runs_of_one_kind_are_claimed_where_that_is_asked(conn: Connection) -> None:
    runs.put(conn, run("RUN-1", kind="runbook", state="waiting"))
    assert not runs.any_waiting(conn, "respond")
    assert runs.claim(conn, "worker", NOW, 5, "respond") == []
    runs.put(conn, run("RUN-2", kind="respond", state="waiting"))
    assert runs.any_waiting(conn, "respond")
    assert [run.id for run in runs.claim(conn, "worker", NOW, 5, "respond")] == ["RUN-2"]
