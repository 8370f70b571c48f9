"""What is stored decides the same again, from what is stored alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from histories import SHOP, History, at_random
from sqlalchemy import delete, select, text

from forewatch.errors import ForewatchError, NotFound
from forewatch.incidents.events import Acknowledged
from forewatch.store import history as stored_history
from forewatch.store import schema
from forewatch.trials.replay.replay import Report, compared, replay, replay_history, stored_configurations

pytestmark = pytest.mark.unit


@pytest.fixture
def history(begin: Callable[..., History]) -> History:
    return begin()


def replayed(history: History) -> Report:
    return replay_history(history.store)


@pytest.mark.parametrize("seed", range(16))
def test_any_history_decides_the_same_again(history: History, seed: int) -> None:
    at_random(history, seed)
    found = replayed(history)
    assert found.differences == []
    assert (found.same, found.different, found.cannot_tell) == (found.observations, 0, 0)
    assert found.observations > 10


def test_the_random_histories_are_no_trivial_ones(begin: Callable[..., History]) -> None:
    """What a replay has to get right happens in them: else the test above would show little."""
    codes: set[str] = set()
    kinds: set[str] = set()
    for seed in range(8):
        history = begin()
        at_random(history, seed, steps=90)
        with history.store.read() as conn:
            codes |= {one["code"] for row in conn.scalars(select(schema.decision_records.c.reasons)) for one in row}
            kinds |= {fact for row in conn.scalars(select(schema.observations.c.facts)) for fact in row}
    assert kinds == {"ids", "automation_stopped", "automation_down", "undelivered", "held", "runs"}
    assert codes >= {
        "incident-opened", "incident-joined", "incident-resolved", "remedy-sent", "run-started", "run-failed", "healed",
        "silence-set", "silence", "inhibition", "dependency", "withheld-no-more", "merged", "split", "told-already",
        "automation-stopped", "automation-down", "pages-released", "alert-resolved", "still-firing", "timer-pointless",
    }  # fmt: skip


def test_the_computation_never_reads_what_was_decided(history: History) -> None:
    at_random(history, 7, steps=80)
    store = history.store
    with store.read() as conn:
        known = stored_history.extent(conn)
    assert known is not None
    records = list(stored_history.records(store, known))
    with store.decide() as conn:
        for table in ("decisions", "decision_subjects", "alerts", "incidents", "runs", "outbox", "timers", "timeline"):
            conn.execute(text(f'DROP TABLE "{table}"'))
    again = list(replay(stored_history.each(store, known), stored_configurations(store)))
    found = compared(again, records, known)
    assert found.differences == []
    assert found.same == len(records) > 20


def test_a_record_that_was_tampered_with_is_found_and_named(history: History) -> None:
    history.fails()
    history.recovers()
    with history.store.decide() as conn:
        [reasons] = conn.execute(text("SELECT reasons FROM decisions WHERE seq = 2")).scalars()
        conn.execute(text("UPDATE decisions SET reasons = :r WHERE seq = 2"), {"r": reasons.replace("resolved", "ill")})
    found = replayed(history)
    assert (found.same, found.different) == (1, 1)
    [line] = found.differences
    assert line.startswith("Observation 2 (2026-11-03T09:00:00.200Z, CheckFailing was cleared): then ")
    assert "AL-1 is ill after" in line
    assert 'now "AL-1 is resolved after' in line


def test_a_change_that_is_missing_is_a_difference_though_the_reasons_agree(history: History) -> None:
    history.fails(service="mail")
    with history.store.decide() as conn:
        conn.execute(text("UPDATE decisions SET effects = '[]' WHERE seq = 1"))
    assert "effect 1, Notify, is only there now" in replayed(history).differences[0]


def test_each_observation_is_decided_upon_with_the_configuration_of_its_time(history: History) -> None:
    history.fails(service="host")
    history.configure(SHOP.replace("notify: [ops]", "notify: [web]"))
    history.wait(60)
    history.fails(service="database")
    assert replayed(history).different == 0
    with history.store.decide() as conn:
        conn.execute(text("UPDATE observations SET config_version = 2"))
    found = replayed(history)
    assert found.different == 1
    assert "goes to web now" in found.differences[0]


def test_what_automation_and_delivery_said_is_part_of_the_history(history: History) -> None:
    history.turn("off")
    history.fails(severity="warning")
    history.deliver(fails=True, permanent=True)
    history.turn("on")
    history.fails("tcp", severity="warning")
    assert replayed(history).different == 0
    with history.store.decide() as conn:
        conn.execute(text("UPDATE observations SET facts = '{}'"))
    assert replayed(history).different == 2


def test_only_the_time_asked_for_is_counted_but_all_before_it_is_decided_again(history: History) -> None:
    history.fails()
    history.wait(3600)
    middle = history.clock.now()
    history.recovers()
    found = replay_history(history.store, since=middle)
    assert (found.observations, found.same) == (1, 1)
    assert found.replayed > 1
    assert replay_history(history.store, until=middle).observations == found.replayed - 1


def test_what_began_before_the_history_is_neither_the_same_nor_another(history: History) -> None:
    history.fails()
    history.fails(service="mail")
    history.wait(60)
    with history.store.decide() as conn:
        conn.execute(delete(schema.observations).where(schema.observations.c.seq <= 1))
        conn.execute(delete(schema.decision_records).where(schema.decision_records.c.seq <= 1))
    history.fails("tcp")
    history.after(1, Acknowledged, incident_id="INC-2", actor="ana")
    history.after(1, Acknowledged, incident_id="INC-1", actor="ana")
    history.recovers(service="mail")
    found = replayed(history)
    assert found.differences == []
    # The second incident lies in the history whole, but what was told of it depends on what the receiver was told
    # before: only its acknowledgement does not.
    assert (found.same, found.cannot_tell) == (2, 5)
    assert found.begins is not None


def test_a_hole_in_the_history_is_where_it_begins(history: History) -> None:
    for service in ("mail", "shop", "database", "host"):
        history.fails(service=service)
    with history.store.decide() as conn:
        conn.execute(delete(schema.observations).where(schema.observations.c.seq == 2))
    with history.store.read() as conn:
        known = stored_history.extent(conn)
    assert known is not None
    assert (known.first, known.whole) == (3, False)
    assert replayed(history).observations == 2


def test_nothing_stored_is_nothing_to_replay(history: History) -> None:
    assert replayed(history) == Report()


def test_a_configuration_that_is_gone_is_named(history: History) -> None:
    history.fails()
    with history.store.decide() as conn:
        conn.execute(delete(schema.config_versions))
    with pytest.raises(NotFound, match="configuration version 1 is not in the store any more"):
        replayed(history)


def test_a_configuration_that_needs_what_is_not_here_is_named(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.fails()
    with history.store.decide() as conn:
        conn.execute(
            text("UPDATE config_versions SET files = :files"), {"files": '[["/etc/f.yaml", "listen: ${GONE}"]]'}
        )
    monkeypatch.delenv("GONE", raising=False)
    with pytest.raises(ForewatchError, match=r"version 1 cannot be read any more.*f\.yaml:1:"):
        replayed(history)


def test_an_event_of_a_later_version_is_named(history: History) -> None:
    history.fails()
    with history.store.decide() as conn:
        conn.execute(text("""UPDATE observations SET event = '{"type": "MoonLanded"}', code_version = '9.0'"""))
    with pytest.raises(
        ForewatchError, match=r"observation 1 is of a kind this version does not know \(MoonLanded\).*9\.0"
    ):
        replayed(history)


def test_an_event_that_cannot_be_decided_upon_now_is_a_difference(history: History) -> None:
    history.fails()
    history.after(1, Acknowledged, incident_id="INC-1", actor="ana")
    with history.store.read() as conn:
        known = stored_history.extent(conn)
    assert known is not None
    observed = list(stored_history.each(history.store, known))
    observed[1] = replace(observed[1], event={**observed[1].event, "incident_id": "INC-9"})
    again = replay(observed, stored_configurations(history.store))
    found = compared(again, stored_history.records(history.store, known), known)
    assert "it cannot be decided now: there is no incident INC-9" in found.differences[0]


def test_it_is_fast_enough_for_a_month(history: History) -> None:
    """A month of a busy installation, 20,000 decisions, must not take more than a few minutes."""
    at_random(history, 3, steps=150)
    began = time.perf_counter()
    found = replayed(history)
    assert found.replayed / (time.perf_counter() - began) > 20
