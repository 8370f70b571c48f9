"""A decision is stored whole, with its reasons, or not at all."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace

import pytest
from store_rows import HOUR, NOW, SECOND, alert, incident, run

from forewatch import deciding
from forewatch.alerting.naming import Named, Naming
from forewatch.config.models import Config
from forewatch.errors import Fenced, TransitionRefused
from forewatch.incidents.events import AlertRaised, Event, Noted, TimerDue
from forewatch.incidents.outcome import (
    AddEntry,
    CancelTimers,
    Dispatch,
    Notify,
    Outcome,
    PutAlert,
    PutIncident,
    PutRun,
    Reason,
    Release,
    SetTimer,
)
from forewatch.incidents.view import View
from forewatch.store import (
    alerts,
    decision_log,
    incidents,
    naming,
    observations,
    outbox,
    runs,
    shifts,
    timeline,
    timers,
)
from forewatch.store.engine import Store

pytestmark = pytest.mark.unit

CONFIG = (3, Config())
EVENT = AlertRaised({"alertname": "CheckFailing", "service": "storefront", "severity": "critical"}, {}, NOW)
HELD = Notify("NT-1", "page", "critical", "terminal", NOW + HOUR, True, {"title": "down"}, incident_id="INC-1")


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch):
    """Let the pure decision be this outcome."""

    def answer(outcome: Outcome) -> None:
        def decide(view: View, event: Event, now: int) -> Outcome:
            return outcome

        monkeypatch.setattr(deciding, "incidents_decide", SimpleNamespace(decide=decide))

    return answer


def decide(store: Store, event: Event = EVENT, fence: shifts.Fence | None = None) -> Outcome:
    return deciding.decide(store, event, config=CONFIG, now=NOW, fence=fence)


def test_every_change_and_effect_lands_in_its_table(store: Store, answer) -> None:
    answer(
        Outcome(
            changes=[
                PutAlert(alert(incident_id="INC-1")),
                PutIncident(incident()),
                PutRun(run()),
                AddEntry("INC-1", "opened", "forewatch", "INC-1 is open.", {"alert": "AL-1"}),
            ],
            effects=[HELD, Dispatch("RUN-1"), SetTimer("start", "RUN-1", NOW + SECOND)],
            reasons=[Reason("remedy-sent", "RUN-1 is sent.", ("RUN-1", "INC-1"))],
        )
    )
    decide(store)
    with store.read() as conn:
        assert alerts.get(conn, "AL-1") == alert(incident_id="INC-1")
        assert incidents.get(conn, "INC-1") == incident()
        assert runs.get(conn, "RUN-1") == run()
        assert [(entry.text, entry.at) for entry in timeline.of_incident(conn, "INC-1")] == [("INC-1 is open.", NOW)]
        [page] = outbox.of_incident(conn, "INC-1")
        assert (page.state, page.not_before, page.created_at) == ("held", NOW + HOUR, NOW)
        assert [timer.subject for timer in timers.due(conn, NOW + SECOND)] == ["RUN-1"]


def test_a_decision_is_of_the_instant_in_which_it_is_its_turn(store: Store, answer) -> None:
    """Not of the one in which it was asked for: others have decided since, and theirs must not lie in its future."""
    answer(Outcome([PutAlert(alert())], [], [Reason("fires", "AL-1 fires.", ("AL-1",))]))
    with closing(sqlite3.connect(store.home.decisions_db, timeout=0, isolation_level=None)) as another:

        def clock() -> int:
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                another.execute("BEGIN IMMEDIATE")
            return NOW + SECOND

        deciding.decide(store, EVENT, config=CONFIG, now=clock)
    with store.read() as conn:
        [record] = decision_log.of_subject(conn, "AL-1")
        assert record.at == NOW + SECOND


def test_a_decision_is_found_by_all_it_speaks_of_and_changes(store: Store, answer) -> None:
    answer(Outcome([PutAlert(alert())], [HELD], [Reason("held", "NT-1 waits for RUN-7.", ("RUN-7",))]))
    decide(store)
    with store.read() as conn:
        [record] = decision_log.of_subject(conn, "RUN-7")
        assert [decision_log.of_subject(conn, subject) for subject in ("AL-1", "NT-1")] == [[record], [record]]
        assert decision_log.of_subject(conn, "INC-9") == []
        assert record.reasons == [{"code": "held", "text": "NT-1 waits for RUN-7.", "subjects": ["RUN-7"]}]
        assert [change["type"] for change in record.changes] == ["PutAlert"]
        assert record.changes[0]["alert"]["labels"]["service"] == "storefront"
        assert (record.config_version, record.at) == (3, NOW)
        observation = observations.get(conn, record.seq)
        assert observation is not None
        assert observation.decoded() == EVENT


def test_held_pages_are_released_or_become_reports(store: Store, answer) -> None:
    answer(Outcome(effects=[HELD]))
    decide(store)
    answer(Outcome(effects=[Release("NT-1", "terminal", "page", {"title": "down"})]))
    decide(store)
    with store.read() as conn:
        [page] = outbox.of_incident(conn, "INC-1")
        assert (page.state, page.kind, page.not_before) == ("due", "page", NOW)
    answer(Outcome(effects=[Release("NT-1", "terminal", "report", {"title": "healed"})]))
    decide(store)
    with store.read() as conn:
        assert outbox.of_incident(conn, "INC-1") == [page]


def test_what_a_held_page_names_counts_as_told_once_it_is_released(store: Store, answer) -> None:
    named = (Naming("AL-1", "CheckFailing", "critical"),)
    answer(Outcome([PutAlert(alert())], [replace(HELD, named=named)]))
    decide(store)
    with store.read() as conn:
        assert naming.of_alert(conn, "AL-1") == []
    answer(Outcome(effects=[Release("NT-1", "terminal", "page", {"title": "down"}, named)]))
    decide(store)
    with store.read() as conn:
        assert naming.of_alert(conn, "AL-1") == [Named("AL-1", "terminal", "critical", True, NOW, "NT-1")]


def test_timers_are_called_off(store: Store, answer) -> None:
    answer(Outcome(effects=[SetTimer("start", "RUN-1", NOW), CancelTimers("RUN-1", "start")]))
    decide(store)
    with store.read() as conn:
        assert timers.due(conn, NOW) == []


def test_a_refused_change_leaves_nothing_behind(store: Store, answer) -> None:
    answer(Outcome([PutAlert(alert()), PutIncident(incident(revision=2))], [HELD]))
    with pytest.raises(TransitionRefused):
        decide(store)
    with store.read() as conn:
        assert alerts.get(conn, "AL-1") is None
        assert observations.since(conn, 0) == []


def test_a_shift_whose_term_is_over_decides_nothing(store: Store, answer) -> None:
    answer(Outcome([PutAlert(alert())]))
    with store.decide() as conn:
        fence = shifts.take(conn, "check-health", "a", expected_term=None, scheduled_for=1, now=NOW)
        assert fence is not None
    decide(store, Noted("INC-1", "ann", "still mine", NOW), fence)
    with store.decide() as conn:
        shifts.take(conn, "check-health", "b", expected_term=fence.term, scheduled_for=1, now=NOW)
    answer(Outcome([PutAlert(alert("AL-2", fingerprint="f2"))]))
    with pytest.raises(Fenced):
        decide(store, fence=fence)
    with store.read() as conn:
        assert [found.id for found in alerts.all_firing(conn)] == ["AL-1"]


def test_a_timer_fires_in_one_decision_only(store: Store, answer) -> None:
    with store.decide() as conn:
        timers.add(conn, "verification", "RUN-1", NOW, NOW)
        [timer] = timers.due(conn, NOW)
    event = TimerDue(timer.id, timer.kind, timer.subject, NOW)
    answer(Outcome(effects=[HELD]))
    assert decide(store, event).effects == [HELD]
    assert decide(store, event) == Outcome()


def test_a_timer_whose_decision_fails_is_still_due(store: Store, answer) -> None:
    with store.decide() as conn:
        timers.add(conn, "verification", "RUN-1", NOW, NOW)
        [timer] = timers.due(conn, NOW)
    answer(Outcome([PutIncident(incident(revision=2))]))
    with pytest.raises(TransitionRefused):
        decide(store, TimerDue(timer.id, timer.kind, timer.subject, NOW))
    with store.read() as conn:
        assert timers.due(conn, NOW) == [timer]


def test_the_real_decision_runs_on_the_store(store: Store) -> None:
    decide(store)
    decide(store)
    with store.read() as conn:
        [found] = incidents.listing(conn, open_only=True)
        [raised] = alerts.all_firing(conn)
        assert raised.incident_id == found.id
        assert len(outbox.of_incident(conn, found.id)) == 1
        assert len(decision_log.of_subject(conn, raised.id)) == 2
