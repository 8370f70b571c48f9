"""Anomalies on a real store: scored once and in order, whoever stands the watch, and told of as they should be."""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import Any

import pytest

from forewatch.clock import MICROSECONDS, micros
from forewatch.config.models import Config
from forewatch.deciding import decide
from forewatch.detection.anomaly import Detector
from forewatch.errors import StoreUnavailable
from forewatch.home import Home
from forewatch.incidents.events import AlertCleared, AlertRaised
from forewatch.store import alerts, anomalies, detectors, points, series
from forewatch.store.engine import Store
from forewatch.store.points import Point
from tasks.scoring.anomaly_alerts import tell
from tasks.scoring.anomaly_table import anomaly_rows
from tasks.scoring.scorer import Scorer

pytestmark = pytest.mark.unit

T0 = 1_767_225_600 * MICROSECONDS
EVERY = 600
"""Seconds between two points: so slow that a warm-up of two days is quickly told."""
LEARNED = 3 * 144
"""Points of three days."""
RARELY = {"false_alarms": 0.3}
SLOW, MEMORY = "app.latency", "app.memory.usage"


def configured(**fields: Any) -> Config:
    shop = {"name": "shop", "depends_on": ["db"]}
    usual = {"services": [shop, {"name": "db"}], "metrics": {"starter_rules": False}}
    return Config.model_validate(usual | {"anomalies": RARELY} | fields)


class World:
    """A service with two metrics. `round` is what the shift does once a step; nothing is remembered but the store."""

    def __init__(self, store, config: Config | None = None) -> None:
        self.store, self.config = store, config or configured()
        self.scorer = Scorer(store)
        self.dice = random.Random(3)
        self.step = 0
        self.events: list[AlertRaised | AlertCleared] = []

    @property
    def now(self) -> int:
        return T0 + micros(EVERY * self.step + 11)

    def measure(self, *unusual: str, without: tuple[str, ...] = (), more: tuple[Point, ...] = ()) -> None:
        """One step passes; `unusual` metrics are far from what they usually are, others come not at all."""
        self.write([*self.points(*unusual, without=without), *more])

    def points(self, *unusual: str, without: tuple[str, ...] = ()) -> list[Point]:
        at = T0 + micros(EVERY * self.step)
        self.step += 1
        values = {metric: self.dice.gauss(100, 2) + (100 if metric in unusual else 0) for metric in (SLOW, MEMORY)}
        return [Point(metric, {}, "shop", at, value) for metric, value in values.items() if metric not in without]

    def write(self, batch: list[Point]) -> None:
        with self.store.measure() as conn:
            points.write(conn, batch)

    def learn(self, count: int = LEARNED) -> World:
        self.write([point for _ in range(count) for point in self.points()])
        self.look()
        return self

    def look(self) -> list[AlertRaised | AlertCleared]:
        """Score what has come, and process what that says."""
        self.scorer.begin(self.config, self.now)
        while not self.scorer.work():
            pass
        while not self.scorer.catch_up():
            pass
        told = tell(self.store, self.config, self.scorer.looked_at, self.now)
        self.scorer.now_told(told.changed)
        for event in told.events:
            decide(self.store, event, config=(1, self.config), now=self.now)
        self.events += told.events
        return list(told.events)

    def round(self, *unusual: str, without: tuple[str, ...] = ()) -> list[AlertRaised | AlertCleared]:
        self.measure(*unusual, without=without)
        return self.look()

    def next_watch(self) -> None:
        self.scorer = Scorer(self.store)

    def anomalies(self) -> list[Any]:
        with self.store.read_metrics() as conn:
            return anomalies.listing(conn)[::-1]

    def firing(self) -> list[Any]:
        with self.store.read() as conn:
            return alerts.all_firing(conn)

    def number(self, metric: str) -> int:
        with self.store.read_metrics() as conn:
            return series.find(conn, metric)[0].id

    def state(self, metric: str) -> detectors.Detector:
        with self.store.read_metrics() as conn:
            return next(iter(detectors.get_many(conn, [self.number(metric)])))


def test_what_is_as_usual_is_not_told_of(store):
    world = World(store).learn()
    for _ in range(30):
        world.round()
    assert world.anomalies() == []


def test_one_anomalous_metric_is_a_note_with_what_was_usual_and_why_it_is_only_that(store):
    world = World(store).learn()
    assert world.round(SLOW) == []
    (one,) = world.anomalies()
    assert (one.kind, one.level, one.told, one.end) == ("unusual", "high", "note", None)
    assert one.value > 180
    assert 85 < one.lower < 100 < one.upper < 115
    assert one.reason.startswith("alone: no other metric of shop was unusual within 15m")
    for _ in range(3):
        world.round()
    (one,) = world.anomalies()
    assert one.end == T0 + micros(EVERY * (LEARNED + 1))


def test_two_anomalous_metrics_raise_one_alert_that_ends_when_both_are_calm(store):
    world = World(store).learn()
    (raised,) = world.round(SLOW, MEMORY)
    assert isinstance(raised, AlertRaised)
    assert raised.values["metrics"] == [SLOW, MEMORY]
    assert world.round(SLOW, MEMORY) == []
    (firing,) = world.firing()
    assert (firing.name, firing.service, firing.severity) == ("Anomalous", "shop", "warning")
    assert [one.told for one in world.anomalies()] == ["alert", "alert"]
    assert world.round() == world.round() == []
    (cleared,) = world.round()
    assert isinstance(cleared, AlertCleared)
    assert world.firing() == []


def test_one_anomalous_metric_is_an_alert_where_a_service_it_depends_on_is_in_trouble(store):
    world = World(store).learn()
    world.step += 1
    down = AlertRaised({"alertname": "CheckFailing", "service": "db", "severity": "critical"}, {}, world.now)
    decide(store, down, config=(1, world.config), now=world.now)
    world.step -= 1
    (raised,) = world.round(SLOW)
    assert "confirmed by CheckFailing of db" in raised.annotations["description"]


def test_an_alert_that_could_not_be_decided_upon_is_raised_again(store):
    world = World(store).learn()
    world.measure(SLOW, MEMORY)
    world.scorer.begin(world.config, world.now)
    while not world.scorer.work():
        pass
    assert len(tell(store, world.config, world.scorer.looked_at, world.now).events) == 1
    world.next_watch()
    assert len(world.look()) == 1
    assert world.look() == []


def story(store, hand_over: bool, saved: bool) -> tuple[list[Any], list[float]]:
    world = World(store).learn()
    for step in range(40):
        world.round(*((SLOW, MEMORY) if 12 <= step < 15 else (SLOW,) if step == 30 else ()))
        if hand_over:
            if saved:
                assert world.scorer.save()
            world.next_watch()
    world.look()
    while not world.scorer.save():
        pass
    left = [Detector.load(world.state(metric).state) for metric in (SLOW, MEMORY)]
    scores = [one.update(world.now + micros(EVERY * k), 100.0 * 1000**k).score for one in left for k in range(3)]
    return world.anomalies(), scores


@pytest.mark.parametrize("saved", [True, False])
def test_a_new_watch_at_every_step_goes_on_exactly_whether_the_last_one_could_save_or_died(tmp_path, saved):
    found = []
    for hand_over in (False, True):
        home = Home(tmp_path / str(hand_over))
        home.create()
        opened = Store.open(home, migrate=True)
        found.append(story(opened, hand_over, saved))
        opened.close()
    (told, scores), (told_by_many, scores_of_many) = found
    assert len(told) == 2
    assert told == told_by_many
    assert scores == pytest.approx(scores_of_many, abs=1e-9)
    assert any(scores)


def test_what_was_missed_is_caught_up_with_in_order(store):
    world = World(store).learn()
    for unusual in ((), (SLOW,), (), (), ()):
        world.measure(*unusual)
    world.next_watch()
    world.look()
    (one,) = world.anomalies()
    assert (one.start, one.end) == (T0 + micros(EVERY * (LEARNED + 1)), T0 + micros(EVERY * (LEARNED + 2)))


def test_history_is_learned_from_and_not_told_of(store):
    world = World(store)
    history = [world.points(*((SLOW, MEMORY) if step == LEARNED - 20 else ())) for step in range(LEARNED)]
    world.write([point for step in history for point in step])
    world.look()
    assert world.anomalies() == []
    assert world.scorer.watched[world.number(SLOW)].learned


def test_what_is_not_known_yet_is_said_and_nothing_told_of_it(store):
    world = World(store).learn(200)
    assert world.round(SLOW, MEMORY) == []
    assert world.anomalies() == []
    world.scorer.save()
    (row,) = anomaly_rows(store, world.scorer.looked_at, world.now)
    assert row["what"] == (
        "0 series are known; 2 more are still being learned, the first of them for another 14h: "
        "nothing is reported for them yet"
    )


def test_a_series_of_few_points_is_not_begun_with(store):
    world = World(store).learn(9)
    assert world.scorer.watched == {}
    world.round()
    assert len(world.scorer.watched) == 2


def test_silence_is_an_anomaly_of_its_own_until_data_comes_again(store):
    world = World(store).learn()
    for _ in range(8):
        world.round(without=(SLOW,))
        assert world.anomalies() == []
    world.round(without=(SLOW,))
    (one,) = world.anomalies()
    assert (one.kind, one.told, one.start) == ("silent", "note", T0 + micros(EVERY * (LEARNED - 1)))
    world.next_watch()
    world.round(without=(SLOW,))
    world.round()
    (one,) = world.anomalies()
    assert one.end == T0 + micros(EVERY * (LEARNED + 10))


def test_silence_of_all_while_forewatch_was_away_is_none(store):
    world = World(store).learn()
    lag = [Point("forewatch.tick.lag", {"shift": "collect-metrics"}, "forewatch", world.now - 1, 0.0)]
    world.step += 60
    lag += [Point("forewatch.tick.lag", {"shift": "collect-metrics"}, "forewatch", world.now, 0.0)]
    with store.measure() as conn:
        points.write(conn, lag)
    world.look()
    assert world.anomalies() == []


def test_one_of_several_series_of_a_metric_may_go(store):
    world = World(store)
    at = [T0 + micros(EVERY * step) for step in range(LEARNED)]
    world.write([Point(SLOW, {"instance": "b"}, "shop", one, world.dice.gauss(100, 2)) for one in at])
    world.learn()
    for _ in range(15):
        world.round()
    assert world.anomalies() == []


def test_what_went_on_of_a_service_that_is_no_more_ends_once_nothing_comes_of_it(store):
    world = World(store).learn()
    world.round(SLOW, MEMORY)
    world.config = configured(services=[{"name": "db"}])
    for _ in range(11):
        world.round(without=(SLOW, MEMORY))
    assert [one.end for one in world.anomalies()] == [T0 + micros(EVERY * (LEARNED + 1))] * 2
    assert world.firing() == []


def test_what_went_on_of_one_of_several_series_ends_after_a_day_without_it(store):
    world, metrics = World(store), (SLOW, MEMORY)
    times = [T0 + micros(EVERY * step) for step in range(LEARNED)]
    for metric in metrics:
        world.write([Point(metric, {"instance": "b"}, "shop", at, world.dice.gauss(100, 2)) for at in times])
    world.learn()
    unusual = T0 + micros(EVERY * LEARNED)
    world.measure(more=tuple(Point(metric, {"instance": "b"}, "shop", unusual, 300.0) for metric in metrics))
    world.look()
    for _ in range(140):
        world.round()
    assert len(world.firing()) == 1
    for _ in range(6):
        world.round()
    assert world.firing() == []


def test_a_counter_is_judged_by_its_growth_and_a_reset_is_none(store):
    world = World(store, configured(anomalies={"ignore": ["app.*"], **RARELY}))
    count = 0.0

    def counted(growth: float, fresh: bool = False) -> Point:
        nonlocal count
        count = growth if fresh else count + growth
        world.step += 1
        return Point("shop.disk.io", {}, "shop", T0 + micros(EVERY * (world.step - 1)), count)

    world.write([counted(world.dice.gauss(60_000, 1000)) for _ in range(LEARNED)])
    world.look()
    for step in range(10):
        world.write([counted(world.dice.gauss(60_000, 1000), fresh=step == 5)])
        world.look()
    assert world.anomalies() == []
    world.write([counted(600_000)])
    world.look()
    (one,) = world.anomalies()
    assert one.value == pytest.approx(1000.0)


def test_noise_counts_for_nothing_more_and_is_taken_in_by_the_watch_that_runs(store):
    world = World(store).learn()
    world.round(SLOW, MEMORY)
    before = world.state(SLOW)
    with store.measure() as conn:
        for one in anomalies.listing(conn):
            anomalies.judge(conn, one.id, "noise", by="anna", now=world.now)
    (cleared,) = world.round(SLOW, MEMORY)
    assert isinstance(cleared, AlertCleared)
    after = world.state(SLOW)
    assert after.heard > before.heard
    assert {one.reason for one in world.anomalies()} == {"anna called it noise"}
    stored = after.state
    world.next_watch()
    world.look()
    assert world.scorer.watched[world.number(SLOW)].detector.dump() == stored


def test_a_verdict_makes_the_series_tell_less_or_more_readily(store):
    world = World(store).learn()
    world.round(SLOW, MEMORY)
    watched = world.scorer.watched
    before = {metric: watched[world.number(metric)].detector.threshold(1.0) for metric in (SLOW, MEMORY)}
    with store.measure() as conn:
        unusual = {one.series_id: one for one in anomalies.listing(conn)}
        slow, memory = unusual[world.number(SLOW)], unusual[world.number(MEMORY)]
        anomalies.judge(conn, slow.id, "noise", by="anna", now=world.now)
        anomalies.judge(conn, memory.id, "real", by="anna", now=world.now)
    world.look()
    assert watched[world.number(SLOW)].detector.threshold(1.0) > before[SLOW]
    assert watched[world.number(MEMORY)].detector.threshold(1.0) < before[MEMORY]


def test_turned_off_it_ends_what_went_on_and_looks_at_nothing(store):
    world = World(store).learn()
    world.round(SLOW, MEMORY)
    world.config = configured(anomalies={"enabled": False})
    (cleared,) = world.round(SLOW, MEMORY)
    assert isinstance(cleared, AlertCleared)
    assert all(one.end is not None for one in world.anomalies())
    assert world.scorer.watched == {}


def test_what_cannot_be_written_is_written_later(store, monkeypatch):
    world = World(store).learn()
    world.measure(SLOW, MEMORY)
    measure = store.measure

    @contextmanager
    def refused():
        raise StoreUnavailable("the disk is full")
        yield

    monkeypatch.setattr(store, "measure", refused)
    with pytest.raises(StoreUnavailable):
        world.look()
    monkeypatch.setattr(store, "measure", measure)
    (raised,) = world.round(SLOW, MEMORY)
    assert isinstance(raised, AlertRaised)
    assert [one.start for one in world.anomalies()] == [T0 + micros(EVERY * LEARNED)] * 2


def test_a_clock_set_back_begins_anew_and_harms_nothing(store):
    world = World(store).learn()
    world.scorer.save()
    world.step -= 100
    world.next_watch()
    world.round()
    assert world.scorer.watched[world.number(SLOW)].next <= world.now


def test_a_series_that_comes_far_more_rarely_is_learned_anew_at_its_own_pace(store):
    world = World(store).learn()
    for _ in range(30):
        world.step += 5
        world.round()
    assert world.scorer.watched[world.number(SLOW)].step == 3600.0


def test_some_missing_points_are_no_new_pace_and_end_nothing(store):
    world = World(store).learn()
    known = dict(world.scorer.watched)
    world.round(SLOW, MEMORY)
    for missing in (1, 30):
        world.step += missing
        world.round(SLOW, MEMORY)
    world.round(SLOW, MEMORY)
    assert world.scorer.watched == known
    assert len(world.firing()) == 1


def test_rows_are_what_people_see(store):
    world = World(store).learn()
    world.round(SLOW)
    unusual, last = anomaly_rows(store, world.scorer.looked_at, world.now)
    assert (unusual["service"], unusual["series"], unusual["told"]) == ("shop", SLOW, "note")
    assert "usually" in str(unusual["what"])
    assert last["what"] == "2 series are known: anything unusual on any of them is reported"
