"""Deciding upon the inbox: nothing twice, nothing passed over, and nothing held up by what fails."""

import json
import logging
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from forewatch.clock import iso, micros
from forewatch.errors import Fenced, StoreError, StoreUnavailable, TransitionRefused
from forewatch.incidents.events import AlertRaised, AlertsRefreshed, ChangeReported
from forewatch.intake import drain as module
from forewatch.intake import pending
from forewatch.store import alerts, components, inbox, schema, set_aside, shifts
from forewatch.store.inbox import Mark

pytestmark = pytest.mark.unit


def alert(name, *, ends=None, starts=None, annotations=None, **labels):
    found = {"labels": {"alertname": name, "service": "web", "severity": "warning", **labels}}
    if annotations:
        found["annotations"] = annotations
    if ends is not None:
        found["endsAt"] = iso(ends)
    if starts is not None:
        found["startsAt"] = iso(starts)
    return found


def body(*alerts):
    return json.dumps(alerts).encode()


def events(world):
    """The types of all events processed, in order."""
    with world.store.read() as conn:
        return [
            row.event["type"] for row in conn.execute(select(schema.observations).order_by(schema.observations.c.seq))
        ]


@pytest.fixture
def failing(monkeypatch):
    """Deciding upon an alert named here raises what is put in for it."""
    trouble = {}
    real = module.decide_in

    def decide_in(conn, event, **others):
        outcome = real(conn, event, **others)
        name = getattr(event, "labels", {}).get("alertname")
        if name in trouble:
            raise trouble[name]
        return outcome

    monkeypatch.setattr(module, "decide_in", decide_in)
    return trouble


def test_a_posted_alert_opens_an_incident(world):
    world.arrive(body(alert("A", annotations={"summary": "it burns"})))
    world.drain()
    firing = world.firing()["A"]
    assert (firing.service, firing.source, firing.timeout) == ("web", "prometheus", True)
    assert firing.until == world.clock.now() + micros(300)
    assert firing.incident_id is not None


def test_the_service_is_the_first_of_the_source_s_labels_that_is_there(world):
    source = world.config.sources[0].model_copy(update={"service": ["app", "job"], "default_service": "elsewhere"})
    world.config = world.config.model_copy(update={"sources": [source]})
    world.arrive(body(alert("A", job="db"), alert("B", app="shop", job="db"), alert("C")))
    world.drain()
    assert {name: one.service for name, one in world.firing().items()} == {"A": "db", "B": "shop", "C": "elsewhere"}


def test_the_same_news_of_a_slice_are_one_event(world):
    world.arrive(body(*(alert(f"A{n}") for n in range(20))))
    world.drain()
    before = len(events(world))
    world.clock.advance(30)
    for _ in range(5):
        world.arrive(body(*(alert(f"A{n}") for n in range(20))))
    (done,) = world.drain()
    assert done.decided == 100
    assert events(world)[before:] == ["AlertsRefreshed"]
    assert {one.until for one in world.firing().values()} == {world.clock.now() + micros(300)}


def test_a_new_alert_between_repeated_news_is_an_event_of_its_own(world):
    world.arrive(body(alert("A"), alert("B")))
    world.drain()
    before = len(events(world))
    world.arrive(body(alert("A"), alert("New"), alert("B")))
    world.drain()
    assert sorted(events(world)[before:]) == ["AlertRaised", "AlertsRefreshed"]


@pytest.mark.parametrize("news", [{"annotations": {"summary": "other"}}, {"starts": micros(1_767_000_000)}])
def test_news_that_say_more_than_another_end_are_decided_upon(world, news):
    world.arrive(body(alert("A")))
    world.drain()
    world.arrive(body(alert("A", **news)))
    world.drain()
    assert events(world) == ["AlertRaised", "AlertRaised"]


def test_ends_merge_as_in_alertmanager(world):
    now = world.clock.now()
    world.arrive(body(alert("A", ends=now + micros(600))))
    world.drain()
    world.arrive(body(alert("A", ends=now + micros(200))))
    world.drain()
    assert world.firing()["A"].until == now + micros(600), "the later of two named ends"
    world.arrive(body(alert("A")))
    world.drain()
    assert world.firing()["A"].until == now + micros(600), "our patience does not shorten what the sender named"
    world.arrive(body(alert("A", ends=now + micros(900)), alert("A", ends=now + micros(700))))
    world.drain()
    assert (world.firing()["A"].until, world.firing()["A"].timeout) == (now + micros(900), False)


def test_an_end_that_has_come_resolves_and_is_decided_upon_once(world):
    world.arrive(body(alert("A")))
    world.drain()
    for _ in range(3):
        world.arrive(body(alert("A", ends=world.clock.now())))
    world.drain()
    assert world.firing() == {}
    assert events(world) == ["AlertRaised", "AlertCleared"]


def test_firing_over_and_firing_again_in_one_request_are_two_episodes(world):
    now = world.clock.now()
    world.arrive(body(alert("A"), alert("A", ends=now), alert("A", starts=now)))
    world.drain()
    with world.store.read() as conn:
        assert len(alerts.listing(conn)) == 2
    assert set(world.firing()) == {"A"}


def test_refreshes_before_an_end_are_not_lost_to_it(world):
    world.arrive(body(alert("A")))
    world.drain()
    world.clock.advance(60)
    world.arrive(
        body(alert("A"), alert("A", annotations={"summary": "worse"}), alert("A", annotations={"summary": "worse"}))
    )
    world.drain()
    assert world.firing()["A"].until == world.clock.now() + micros(300)


def test_events_of_other_sources_are_decided_upon_as_they_are(world):
    change = ChangeReported("deployed 4.2", "web", "ci", world.clock.now())
    raised = AlertRaised({"alertname": "A", "n": "1"}, {}, world.clock.now(), sender="ci", identity={"key": "7"})
    again = AlertRaised({"alertname": "A", "n": "2"}, {}, world.clock.now(), sender="ci", identity={"key": "7"})
    world.arrive(json.dumps([one.as_json() for one in (change, raised, again)]).encode(), kind="events", source="ci")
    world.drain()
    assert events(world) == ["ChangeReported", "AlertRaised", "AlertRaised"]
    assert len(world.firing()) == 1


def test_a_row_without_events_only_moves_the_mark(world):
    seq = world.arrive(b"[]", kind="events")
    world.drain()
    assert world.mark() == Mark(seq + 1, 0)
    assert events(world) == []


def test_the_mark_moves_in_the_transaction_of_the_decision(world, monkeypatch):
    world.arrive(body(alert("A"), alert("B")))

    def killed(conn, mark, lane):
        raise KeyboardInterrupt  # as a kill -9 would: nothing behind this line happens

    with monkeypatch.context() as patched:
        patched.setattr(inbox, "put_mark", killed)
        with pytest.raises(KeyboardInterrupt):
            world.drainer.slice()
    assert world.firing() == {}
    world.drainer = world.new_drain()
    world.drain()
    assert events(world) == ["AlertRaised", "AlertRaised"]


def test_a_slice_may_end_in_the_middle_of_a_row(world, monkeypatch):
    monkeypatch.setattr(module, "BUDGET", 0.0)
    seq = world.arrive(body(alert("A"), alert("B"), alert("C")))
    world.drainer.slice()
    assert (set(world.firing()), world.mark()) == ({"A"}, Mark(seq, 1))
    world.drainer = world.new_drain()  # the next watch
    assert len(world.drain()) == 2
    assert set(world.firing()) == {"A", "B", "C"}
    assert events(world) == ["AlertRaised"] * 3
    assert world.mark() == Mark(seq + 1, 0)


def test_the_place_within_a_row_that_is_gone_is_no_place_within_the_next_one(world):
    with world.store.decide() as conn:
        inbox.put_mark(conn, Mark(3, 2))
    with world.store.intake() as conn:
        inbox.begin_after(conn, Mark(3, 2))
    world.arrive(body(alert("A"), alert("B"), alert("C")))
    world.drain()
    assert set(world.firing()) == {"A", "B", "C"}


def test_a_watch_that_is_over_decides_nothing(world):
    world.arrive(body(alert("A")))
    with world.store.decide() as conn:
        shifts.take(conn, "page-people", "other", expected_term=1, scheduled_for=1, now=world.clock.now())
    with pytest.raises(Fenced):
        world.drainer.slice()
    assert world.firing() == {}


def test_an_inbox_that_another_has_decided_further_is_read_again(world):
    world.arrive(body(alert("A")))
    other = world.new_drain()
    world.drainer._waiting.next()
    other.slice()
    with pytest.raises(StoreError, match="read again"):
        world.drainer.slice()
    world.drain()
    assert events(world) == ["AlertRaised"]


def test_what_fails_for_a_fault_of_ours_is_set_aside_and_holds_up_nothing(world, failing, caplog):
    failing["Bad"] = ZeroDivisionError("division by zero")
    world.arrive(body(alert("A"), alert("Bad"), alert("B")))
    world.arrive(body(alert("C")))
    with caplog.at_level(logging.ERROR):
        aside = [one for done in world.drain() for one in done.set_aside]
    assert set(world.firing()) == {"A", "B", "C"}
    assert [one.event.labels["alertname"] for one in aside] == ["Bad"]
    assert "is set aside" in caplog.text
    with world.store.read() as conn:
        row = conn.execute(select(schema.set_aside)).one()
        assert set_aside.count(conn) == 1
    assert (row.source, row.error, row.event["labels"]["alertname"]) == (
        "prometheus",
        "ZeroDivisionError: division by zero",
        "Bad",
    )
    assert events(world).count("AlertRaised") == 3, "nothing of the failed tries has stayed"


def test_what_failed_once_is_tried_again_before_it_is_set_aside(world, failing):
    failing["A"] = ZeroDivisionError()
    world.arrive(body(alert("A")))
    world.drainer.slice()
    failing.clear()
    assert not [one for done in world.drain() for one in done.set_aside]
    assert set(world.firing()) == {"A"}


def test_what_the_rules_refuse_is_answered_and_not_set_aside(world, failing):
    failing["A"] = TransitionRefused("it may not")
    world.arrive(body(alert("A"), alert("B")))
    assert not [one for done in world.drain() for one in done.set_aside]
    assert set(world.firing()) == {"B"}


def test_a_row_nobody_can_read_is_set_aside(world):
    world.arrive(b"{", kind="events")
    world.arrive(b"[]", kind="from the future")
    world.arrive(body(alert("A")))
    aside = [one for done in world.drain() for one in done.set_aside]
    assert len(aside) == 2
    assert set(world.firing()) == {"A"}


def test_a_row_nobody_can_read_any_more_is_set_aside_from_where_it_was_left(world, monkeypatch):
    monkeypatch.setattr(module, "BUDGET", 0.0)
    seq = world.arrive(body(alert("A"), alert("B")))
    world.drainer.slice()
    assert world.mark() == Mark(seq, 1)

    def unreadable(row, source):
        raise ValueError("a row of the kind alertmanager is not known here")

    monkeypatch.setattr(pending, "events_of", unreadable)
    world.drainer = world.new_drain()
    assert len([one for done in world.drain() for one in done.set_aside]) == 1
    assert world.mark() == Mark(seq + 1, 0)


def test_a_store_that_refuses_loses_nothing(world, monkeypatch):
    world.arrive(body(alert("A", severity="critical"), alert("B")))

    def full(conn, mark, lane):
        raise StoreUnavailable("decisions.db: the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(inbox, "put_mark", full)
        with pytest.raises(StoreUnavailable):
            world.drainer.slice()
        assert [one.labels["alertname"] for one in world.drainer.firing_unknown()] == ["A"]
    world.drain()
    assert set(world.firing()) == {"A", "B"}


def test_what_was_paged_without_the_store_is_kept_as_sent_when_it_is_decided(world):
    world.arrive(body(alert("A", severity="critical"), alert("B", severity="critical")))

    def as_told(event):
        if event.labels["alertname"] != "A":
            return event
        return replace(event, told_directly={"console": {"id": "NT-direct-1-console", "at": 1}})

    world.drainer = module.Drain(world.store, world.clock, world.configuration, world.fence, as_told)
    world.drain()
    with world.store.read() as conn:
        rows = conn.execute(select(schema.outbox).order_by(schema.outbox.c.created_at, schema.outbox.c.id)).all()
    assert ("console", "sent", "AL-1") in [(row.notifier, row.state, row.alert_id) for row in rows]
    assert [row.receipt["detail"] for row in rows if row.state == "sent"] == ["sent directly as NT-direct-1-console"]


def test_critical_alerts_that_fire_already_or_are_over_need_no_page_of_their_own(world):
    world.arrive(body(alert("A", severity="critical")))
    world.drain()
    now = world.clock.now()
    world.arrive(
        body(
            alert("A", severity="critical"),
            alert("B", severity="critical"),
            alert("B", severity="critical", ends=now),
            alert("C", severity="critical"),
        )
    )
    assert [one.labels["alertname"] for one in world.drainer.firing_unknown()] == ["C"]


def test_an_alert_nobody_repeats_is_over_at_its_end(world):
    world.arrive(body(alert("A"), alert("B", ends=world.clock.now() + micros(400))))
    world.drain()
    world.clock.advance(299)
    assert world.drain() == []
    world.clock.advance(1)
    world.drain()
    assert set(world.firing()) == {"B"}
    world.clock.advance(100)
    world.drain()
    assert world.firing() == {}
    assert events(world)[-2:] == ["AlertTimedOut", "AlertTimedOut"]


def test_no_alert_times_out_while_news_of_it_may_wait_in_the_inbox(world):
    world.arrive(body(alert("A")))
    world.drain()
    world.clock.advance(290)
    world.arrive(body(alert("A")))
    world.clock.advance(20)
    world.drain()
    assert set(world.firing()) == {"A"}


def test_what_nobody_could_repeat_while_we_were_away_gets_its_time_once_more(world):
    world.arrive(body(alert("A")))
    world.drain()
    world.clock.advance(3600)
    with world.store.decide() as conn:  # `serve` listens again
        now = world.clock.now()
        components.report(conn, module.COMPONENT, "ok", "takes alerts in", now, {"since": now})
    world.clock.advance(100)
    world.arrive(body(alert("B", ends=world.clock.now() + micros(10))))
    world.drain()
    world.clock.advance(20)
    world.drain()
    assert set(world.firing()) == {"A"}, "B was heard of since"
    world.clock.advance(180)
    world.drain()
    assert world.firing() == {}


def test_an_alert_that_cannot_time_out_keeps_no_other_from_it(world, monkeypatch):
    world.arrive(body(alert("A"), alert("B"), alert("C")))
    world.drain()
    bad = world.firing()["A"].fingerprint
    real = module.decide_in

    def decide_in(conn, event, **others):
        if getattr(event, "fingerprint", None) == bad:
            raise ZeroDivisionError
        return real(conn, event, **others)

    monkeypatch.setattr(module, "decide_in", decide_in)
    world.clock.advance(300)
    aside = [one for done in world.drain() for one in done.set_aside]
    assert len(aside) == 1
    assert set(world.firing()) == {"A"}
    assert world.drain() == [], "it is left alone for a while"


def test_a_flood_is_decided_in_short_slices(world, monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE", 10)
    monkeypatch.setattr(module, "BUDGET", 60.0)
    monkeypatch.setattr(module, "LONGEST", 60.0)
    world.arrive(body(*(alert(f"A{n}") for n in range(25))))
    assert [done.decided for done in world.drain()] == [10, 10, 5]
    with world.store.read() as conn:
        assert conn.execute(select(func.count()).select_from(schema.alerts)).scalar() == 25


def test_repeated_news_carry_the_end_of_each_alert(world):
    now = world.clock.now()
    world.arrive(body(alert("A", ends=now + micros(100)), alert("B")))
    world.drain()
    world.arrive(body(alert("A", ends=now + micros(500)), alert("B")))
    done = world.drain()
    (outcome,) = done[0].outcomes
    (change,) = outcome.changes
    assert sorted(timeout for _, timeout in change.untils.values()) == [False, True]
    assert isinstance(AlertsRefreshed(change.untils, now).as_json(), dict)
