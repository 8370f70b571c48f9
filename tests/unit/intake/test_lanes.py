"""Critical first: which lane what came rides in, and that nothing overtakes an older row about the same alert."""

import json

import pytest
from sqlalchemy import select

from forewatch.clock import iso
from forewatch.errors import StoreUnavailable
from forewatch.incidents.events import AlertAcknowledged, AlertCleared, AlertRaised, ChangeReported
from forewatch.intake import drain as module
from forewatch.intake import pending
from forewatch.intake.lanes import parts_of_events
from forewatch.intake.posted_alerts import check
from forewatch.store import history, inbox, lanes, schema
from forewatch.store.inbox import Mark
from forewatch.store.migrate import upgrade
from forewatch.trials.replay.replay import compared, replay

pytestmark = pytest.mark.unit


def alert(name, severity="warning", *, ends=None):
    found = {"labels": {"alertname": name, "service": "web", "severity": severity}}
    return found if ends is None else found | {"endsAt": iso(ends)}


def raised(name, severity, key="7"):
    return AlertRaised({"alertname": name, "severity": severity}, {}, 1, sender="ci", identity={"key": key})


def cleared(name="", key="7"):
    return AlertCleared({"alertname": name}, 1, sender="ci", identity={"key": key})


def ends(world):
    """The marks of the critical lane and of the rest once all is decided."""
    with world.store.read_intake() as conn:
        return Mark(lanes.newest(conn) + 1, 0), Mark(inbox.newest(conn) + 1, 0)


def in_lane(world):
    """The numbers of the rows in the critical lane, in the order of their places."""
    with world.store.read_intake() as conn:
        return list(conn.execute(select(schema.critical_lane.c.seq).order_by(schema.critical_lane.c.place)).scalars())


def names(part):
    return [one["labels"]["alertname"] for one in json.loads(part.body)]


class TestWhichLane:
    def test_a_mixed_post_is_a_row_a_lane(self):
        body = json.dumps([alert("A"), alert("B", "critical"), alert("C", "info"), alert("D", "critical")]).encode()
        parts = check(body, 0).parts
        assert [(part.critical, names(part)) for part in parts] == [(True, ["B", "D"]), (False, ["A", "C"])]

    def test_a_severity_nobody_knows_rides_with_the_critical_ones_as_it_counts_as_that(self):
        body = json.dumps([alert("A", "page"), {"labels": {"alertname": "B"}}]).encode()
        assert [part.critical for part in check(body, 0).parts] == [True]

    def test_events_about_one_alert_stay_together_and_in_order(self):
        critical, rest = parts_of_events([raised("A", "warning"), raised("B", "info", "8"), raised("A", "critical")])
        assert (critical.critical, rest.critical) == (True, False)
        assert [one["labels"]["severity"] for one in json.loads(critical.body)] == ["warning", "critical"]
        assert not critical.identities & rest.identities

    def test_ends_are_a_row_of_their_own_for_what_ends_may_be_critical(self):
        acknowledged = AlertAcknowledged({"key": "9"}, "ana", 1)
        ends, rest = parts_of_events([cleared(), raised("A", "warning", "8"), cleared("", "8"), acknowledged])
        assert (ends.critical, ends.if_critical, rest.if_critical) == (False, True, False)
        assert [one["type"] for one in json.loads(ends.body)] == ["AlertCleared", "AlertAcknowledged"]
        assert [one["type"] for one in json.loads(rest.body)] == ["AlertRaised", "AlertCleared"]

    def test_what_is_about_no_alert_rides_with_the_rest(self):
        (part,) = parts_of_events([ChangeReported("deployed", "web", "ci", 1)])
        assert (part.critical, part.if_critical, part.identities) == (False, False, frozenset())

    def test_nothing_is_no_row(self):
        assert parts_of_events([]) == ()
        assert check(b"[]", 0).parts == ()


class TestWhatIsDecidedFirst:
    def test_a_critical_alert_is_decided_before_all_that_waits(self, world):
        world.post(*(alert(f"W{number}") for number in range(5)))
        world.post(alert("C", "critical"))
        world.drain()
        assert world.decided() == ["C", *(f"W{number}" for number in range(5))]

    def test_of_one_post_the_critical_ones_are_decided_first(self, world):
        world.post(alert("W"), alert("C", "critical"))
        world.drain()
        assert world.decided() == ["C", "W"]

    def test_one_that_comes_while_the_rest_is_decided_waits_for_one_slice_at_most(self, world, monkeypatch):
        monkeypatch.setattr(module, "BUDGET", 0.0)
        world.post(*(alert(f"W{number}") for number in range(3)))
        world.drainer.slice()
        world.post(alert("C", "critical"))
        world.drain()
        assert world.decided() == ["W0", "C", "W1", "W2"]

    def test_the_end_of_a_critical_alert_rides_in_its_lane(self, world):
        world.post(alert("C", "critical"))
        world.drain()
        world.post(alert("W"))
        world.post(alert("C", "critical", ends=world.clock.now()))
        world.drain()
        assert world.decided() == ["C", "-C", "W"]

    def test_so_does_an_end_that_does_not_say_how_bad_it_was(self, world):
        world.send(raised("C", "critical"))
        world.drain()
        world.post(alert("W"))
        world.send(cleared("C"))
        world.drain()
        assert world.decided() == ["C", "-C", "W"]

    def test_and_one_of_an_alert_that_is_not_decided_yet(self, world):
        world.post(alert("W"))
        world.send(raised("C", "critical"))
        world.send(cleared("C"))
        world.drain()
        assert world.decided() == ["C", "-C", "W"]

    def test_the_end_of_a_warning_waits_with_the_rest(self, world):
        world.send(raised("A", "warning"))
        world.drain()
        world.post(alert("W"))
        world.send(cleared("A"))
        world.drain()
        assert world.decided() == ["A", "W", "-A"]

    def test_where_it_cannot_be_looked_up_what_ends_it_counts_as_critical(self, world, monkeypatch):
        def damaged(conn, fingerprints):
            raise StoreUnavailable("decisions.db: the file is damaged")

        world.post(alert("W"))
        with monkeypatch.context() as patched:
            patched.setattr("forewatch.store.alerts.critical_among", damaged)
            world.send(cleared("A"))
        assert len(in_lane(world)) == 1

    def test_no_alert_times_out_while_news_of_it_may_wait_in_either_lane(self, world):
        world.post(alert("C", "critical"), alert("W"))
        world.drain()
        world.clock.advance(290)
        world.post(alert("C", "critical"), alert("W"))
        world.clock.advance(20)
        world.drain()
        assert set(world.firing()) == {"C", "W"}


class TestNothingIsOvertaken:
    def test_older_rows_about_an_alert_move_up_with_it_in_their_order(self, world):
        world.post(alert("W"))
        world.send(raised("A1", "info"), raised("B", "info", "8"))
        world.send(raised("A2", "warning"))
        world.send(raised("A3", "critical"))
        world.drain()
        assert world.decided() == ["A1", "B", "A2", "A3", "W"]
        assert world.firing()["A3"].severity == "critical"

    def test_a_row_that_moves_takes_those_along_that_it_would_overtake(self, world):
        world.send(raised("B1", "info", "8"))
        world.send(raised("C1", "info", "9"))
        world.send(raised("A1", "info"), raised("B2", "info", "8"))
        world.send(raised("A2", "critical"))
        world.drain()
        assert world.decided() == ["B1", "A1", "B2", "A2", "C1"]

    def test_an_acknowledgement_is_not_left_behind_by_the_end(self, world):
        world.send(raised("A", "critical"))
        world.drain()
        world.send(AlertAcknowledged({"key": "7"}, "ana", 1))
        world.send(cleared("A"))
        world.drain()
        with world.store.read() as conn:
            kinds = [row.event["type"] for row in conn.execute(select(schema.observations))]
        assert kinds == ["AlertRaised", "AlertAcknowledged", "AlertCleared"]

    def test_a_row_that_moves_up_after_it_was_read_is_decided_once(self, world, monkeypatch):
        monkeypatch.setattr(module, "BUDGET", 0.0)
        world.post(alert("W1"))
        world.send(raised("A1", "info"))
        world.post(alert("W2"))
        world.drainer.slice()  # reads all three
        world.send(raised("A2", "critical"))
        world.drain()
        assert world.decided() == ["W1", "A1", "A2", "W2"]

    def test_a_row_that_moves_up_when_it_is_half_decided_is_decided_to_its_end(self, world, monkeypatch):
        monkeypatch.setattr(module, "BUDGET", 0.0)
        world.send(raised("A1", "info"), raised("B", "info", "8"), raised("C", "info", "9"))
        world.post(alert("W"))
        world.drainer.slice()
        world.send(raised("A2", "critical"))
        world.drain()
        assert world.decided() == ["A1", "B", "C", "A2", "W"]

    def test_a_row_that_moved_up_when_it_was_decided_already_is_not_decided_again(self, world):
        world.send(raised("A1", "info"))
        world.drain()
        with world.store.intake() as conn:
            lanes.enter(conn, [inbox.newest(conn)])  # the writer did not know yet
        world.send(raised("A2", "critical"))
        world.drain()
        assert world.decided() == ["A1", "A2"]


class TestCrashes:
    def test_between_two_slices_each_lane_goes_on_where_it_was(self, world, monkeypatch):
        monkeypatch.setattr(module, "BUDGET", 0.0)
        world.post(alert("W1"), alert("W2"), alert("C1", "critical"), alert("C2", "critical"))
        for _ in range(4):
            world.drainer = world.new_drain()
            world.drainer.slice()
        world.drain()
        assert world.decided() == ["C1", "C2", "W1", "W2"]

    @pytest.mark.parametrize("lane", ["critical", "rest"])
    def test_before_the_commit_the_mark_of_no_lane_has_moved(self, world, monkeypatch, lane):
        real = inbox.put_mark

        def killed(conn, mark, which="rest"):
            real(conn, mark, which)
            if which == lane:
                raise KeyboardInterrupt  # as a kill -9 would: nothing behind this line happens

        world.post(alert("C", "critical"))
        with monkeypatch.context() as patched:
            patched.setattr(inbox, "put_mark", killed)
            with pytest.raises(KeyboardInterrupt):
                world.drainer.slice()
        assert (world.mark(), world.mark("critical")) == (Mark(1, 0), Mark(1, 0))
        world.drainer = world.new_drain()
        world.drain()
        assert world.decided() == ["C"]

    def test_what_fails_in_one_lane_holds_up_neither(self, world, monkeypatch):
        real = module.decide_in

        def decide_in(conn, event, **others):
            if getattr(event, "labels", {}).get("alertname") == "Bad":
                raise ZeroDivisionError
            return real(conn, event, **others)

        monkeypatch.setattr(module, "decide_in", decide_in)
        world.post(alert("W"), alert("Bad", "critical"), alert("C", "critical"))
        aside = [one for done in world.drain() for one in done.set_aside]
        assert [one.event.labels["alertname"] for one in aside] == ["Bad"]
        assert world.decided() == ["C", "W"]


class TestMarks:
    def test_a_quiet_inbox_is_decided_to_its_end_in_both_lanes(self, world):
        world.post(alert("C", "critical"))
        (done,) = world.drain()
        assert done.decided == 1, "the mark of the rest needs no slice of its own"
        assert (world.mark("critical"), world.mark()) == ends(world)

    def test_below_the_mark_of_the_rest_all_is_decided(self, world, monkeypatch):
        monkeypatch.setattr(module, "BUDGET", 0.0)
        world.post(alert("W1"), alert("W2"))
        world.post(alert("C", "critical"))
        world.drainer.slice()
        assert (world.mark("critical"), world.mark()) == (ends(world)[0], Mark(1, 0))
        world.drain()
        assert world.mark() == ends(world)[1]

    def test_places_leave_with_their_rows(self, world):
        world.send(raised("A", "critical"))
        world.drain()
        with world.store.intake() as conn:
            place = lanes.newest(conn)
            assert inbox.remove_decided(conn, world.mark(), limit=10) == 1
            assert lanes.newest(conn) == 0
            assert conn.execute(select(schema.inbox_identities)).all() == []
        world.send(raised("A", "critical"))
        with world.store.read_intake() as conn:
            assert lanes.newest(conn) == place + 1, "and no place comes twice"

    def test_an_inbox_older_than_the_decisions_gives_no_place_that_counts_as_decided(self, world):
        with world.store.decide() as conn:
            inbox.put_mark(conn, Mark(500, 0), "critical")
        world.post(alert("C", "critical"))
        world.drain()
        assert world.decided() == ["C"]

    def test_an_inbox_put_back_to_an_older_one_under_a_running_writer_is_noticed(self, world):
        world.post(alert("C", "critical"))
        world.writer._critical = Mark(500, 0)  # as it was in the newer one
        with pytest.raises(StoreUnavailable, match="put back to an older one"):
            world.post(alert("D", "critical"))


class TestRowsOfAnEarlierVersion:
    def test_they_are_decided_first_and_in_their_order(self, world):
        world.arrive(json.dumps([alert("W"), alert("C1", "critical")]).encode())
        world.arrive(json.dumps([raised("A", "warning").as_json()]).encode(), kind="events")
        _migrate_again(world)
        world.post(alert("C2", "critical"))
        world.send(raised("A", "critical"))
        world.drain()
        assert world.decided() == ["W", "C1", "A", "C2", "A"]

    def test_those_decided_before_are_not_decided_again(self, world, monkeypatch):
        monkeypatch.setattr(module, "BUDGET", 0.0)
        world.arrive(json.dumps([alert("W1")]).encode())
        world.arrive(json.dumps([alert("W2"), alert("W3")]).encode())
        world.drainer.slice()
        world.drainer.slice()
        _migrate_again(world)
        world.drainer = world.new_drain()
        world.drain()
        assert world.decided() == ["W1", "W2", "W3"]


def test_a_replay_goes_by_the_order_of_the_decisions_and_not_of_the_inbox(world):
    world.post(alert("W1"), alert("W2"))
    world.send(raised("A", "info"))
    world.post(alert("C", "critical"))
    world.send(raised("A", "critical"))
    world.drain()
    assert world.decided() == ["C", "A", "A", "W1", "W2"]
    with world.store.read() as conn:
        known = history.extent(conn)
    again = replay(history.each(world.store, known), lambda version: world.config)
    report = compared(again, history.records(world.store, known), known)
    assert (report.same, report.differences) == (5, [])


def test_many_rows_are_read_portion_by_portion(world, monkeypatch):
    monkeypatch.setattr(pending, "ROWS", 2)
    for number in range(5):
        world.post(alert(f"W{number}"))
        world.post(alert(f"C{number}", "critical"))
    world.drain()
    assert world.decided() == [f"{kind}{number}" for kind in "CW" for number in range(5)]


def _migrate_again(world):
    """Take the file back to the revision before the lanes, and on again."""
    with world.store.intake() as conn:
        for table in ("critical_lane", "inbox_identities"):
            conn.exec_driver_sql(f"DROP TABLE {table}")
        conn.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = 'critical_lane'")
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
        upgrade(conn, "intake")
