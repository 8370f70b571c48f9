from __future__ import annotations

import pytest

from forewatch.clock import MICROSECONDS, micros
from forewatch.config.models import Config
from forewatch.deciding import decide
from forewatch.errors import StoreUnavailable
from forewatch.incidents.events import AlertCleared, AlertRaised
from forewatch.store import alerts, check_states, forecasts, points, rule_states, series
from forewatch.store.points import Point
from tasks.rules.evaluate_rules import RuleEngine

pytestmark = pytest.mark.unit

T0 = 1_767_225_600 * MICROSECONDS
DISK = "system.filesystem.utilization"


def config(*rules: dict[str, object]) -> Config:
    return Config.model_validate({"rules": list(rules), "metrics": {"starter_rules": False}})


FULL = {"alert": "DiskFull", "metric": DISK, "statistic": "last", "window": "1m", "above": "90%"}


class World:
    def __init__(self, store, *rules: dict[str, object]) -> None:
        self.store, self.config = store, config(*rules)
        self.engine = RuleEngine(store)

    def put(self, second: float, value: float, metric: str = DISK, **labels: str) -> None:
        point = Point(metric, labels or {"mountpoint": "/"}, "host", T0 + micros(second), value)
        with self.store.measure() as conn:
            points.write(conn, [point])

    def tick(self, second: float, decided: bool = True):
        now = T0 + micros(second)
        events = self.engine.tick(self.config, now)
        for event in events if decided else ():
            decide(self.store, event, config=(1, self.config), now=now)
        return events


def states(store):
    with store.read_metrics() as conn:
        return rule_states.get_all(conn)


def test_a_series_beyond_its_bound_raises_once_and_clears_once(store):
    world = World(store, FULL)
    world.put(0, 0.95)
    (raised,) = world.tick(1)
    assert isinstance(raised, AlertRaised)
    assert raised.labels == {"mountpoint": "/", "alertname": "DiskFull", "service": "host", "severity": "warning"}
    world.put(10, 0.96)
    assert world.tick(11) == []
    world.put(20, 0.5)
    (cleared,) = world.tick(21)
    assert isinstance(cleared, AlertCleared)
    assert cleared.labels == raised.labels
    assert states(store) == {}


def test_every_matching_series_is_judged_on_its_own(store):
    world = World(store, FULL | {"match": ['mountpoint!~"/boot.*"']})
    for mountpoint in ("/", "/var", "/boot/efi"):
        world.put(0, 0.95, mountpoint=mountpoint)
    assert {event.labels["mountpoint"] for event in world.tick(1)} == {"/", "/var"}
    world.put(10, 0.99, mountpoint="/srv")
    assert [event.labels["mountpoint"] for event in world.tick(11)] == ["/srv"]


def test_for_goes_on_in_the_next_watch(store):
    world = World(store, FULL | {"for": "30s"})
    world.put(0, 0.95)
    assert world.tick(1) == []
    world.engine = RuleEngine(store)
    world.put(30, 0.95)
    (raised,) = world.tick(31)
    assert raised.at == T0 + micros(1)


def test_what_a_dead_watch_saw_and_could_not_decide_is_said_again(store):
    world = World(store, FULL)
    world.put(0, 0.95)
    assert len(world.tick(1, decided=False)) == 1
    world.engine = RuleEngine(store)
    (again,) = world.tick(2)
    assert isinstance(again, AlertRaised)
    world.engine = RuleEngine(store)
    assert world.tick(3) == []
    world.put(10, 0.1)
    assert len(world.tick(11, decided=False)) == 1
    world.engine = RuleEngine(store)
    world.put(20, 0.1)
    (cleared,) = world.tick(21)
    assert isinstance(cleared, AlertCleared)


def test_taking_over_without_data_ends_nothing(store):
    world = World(store, FULL)
    world.put(0, 0.95)
    world.tick(1)
    with store.measure() as conn:
        rule_states.remove(conn, list(rule_states.get_all(conn)))
    world.engine = RuleEngine(store)
    assert world.tick(600) == []


def test_a_removed_rule_ends_what_it_fired_and_says_why(store):
    world = World(store, FULL)
    world.put(0, 0.95)
    (raised,) = world.tick(1)
    world.config = config()
    (cleared,) = world.tick(2)
    assert isinstance(cleared, AlertCleared)
    assert cleared.labels == raised.labels
    assert cleared.values["reason"] == "rule DiskFull is gone or changed, or its series is no longer kept"
    assert states(store) == {}


def test_a_series_silent_for_a_day_ends_what_fired_and_says_why(store):
    world = World(store, FULL)
    world.put(0, 0.95)
    world.tick(1)
    assert world.tick(86_000) == []
    (cleared,) = world.tick(86_500)
    assert isinstance(cleared, AlertCleared)
    assert "has no data" in cleared.values["reason"]
    assert cleared.values["note"] == "no data for 1d 1m: the series is gone"


def test_a_threshold_moved_in_the_configuration_holds_at_once(store):
    world = World(store, FULL)
    world.put(0, 0.95)
    world.tick(1)
    world.config = config(FULL | {"above": "97%"})
    (cleared,) = world.tick(2)
    assert isinstance(cleared, AlertCleared)


def test_a_ratio_pairs_the_series_with_the_same_labels(store):
    errors = {"alert": "Errors", "metric": "errors", "per": "requests", "statistic": "ratio", "above": "1%"}
    world = World(store, errors)
    for path, count in (("/a", 5.0), ("/b", 0.0)):
        world.put(0, count, "errors", path=path)
        world.put(0, 100.0, "requests", path=path)
    assert [event.labels["path"] for event in world.tick(1)] == ["/a"]


def test_a_forecast_made_during_the_trouble_is_not_what_it_is_held_against(store):
    world = World(store, {"alert": "Odd", "metric": DISK, "statistic": "last", "window": "1m", "outside": "forecast"})
    world.put(0, 0.5)

    def forecast(made: float, low: float, high: float) -> None:
        with store.measure() as conn:
            (one,) = series.find(conn, DISK)
            mean = [(low + high) / 2] * 12
            at = T0 + micros(made)
            record = forecasts.Forecast(one.id, at, "hour", at, 300.0, "test", mean, [low] * 12, [high] * 12)
            forecasts.add(conn, record)

    forecast(0, 0.4, 0.6)
    assert world.tick(1) == []
    world.put(10, 0.9)
    assert len(world.tick(11)) == 1
    forecast(20, 0.8, 1.0)
    world.put(30, 0.9)
    assert world.tick(31) == []
    world.put(40, 0.5)
    assert isinstance(world.tick(41)[0], AlertCleared)


def test_states_that_cannot_be_stored_do_not_silence_a_rule(store, monkeypatch, caplog):
    world = World(store, FULL)
    world.put(0, 0.95)

    def refuse():
        raise StoreUnavailable("metrics.db: the disk is full")

    monkeypatch.setattr(store, "measure", refuse)
    assert len(world.tick(1)) == 1
    assert world.tick(2) == []
    assert "kept in memory only: metrics.db: the disk is full" in caplog.text


SLOW = {
    "alert": "Slow",
    "metric": "check.duration",
    "statistic": "mean",
    "window": "5m",
    "above": 0.5,
    "service": "shop",
}


def recovered(store, second):
    with store.measure() as conn:
        row = check_states.CheckState("shop", "http", "default", "up", 0, 5, T0 + micros(second), T0, 0.1, "200")
        check_states.put_many(conn, [row])


def test_a_rule_that_looks_back_says_what_it_sees_since_the_service_recovered(store):
    world = World(store, SLOW)
    for second in range(0, 60, 10):
        world.put(second, 2.0, "check.duration", service="shop")
    recovered(store, 60)
    (raised,) = world.tick(61)
    assert raised.values["since_recovery"] is None
    assert raised.values["aftermath_until"] == T0 + micros(360)
    assert raised.values["recovered_at"] == T0 + micros(60)


def test_a_rule_that_fires_already_says_so_once_after_a_recovery_and_again_where_the_sight_changes(store):
    world = World(store, SLOW)
    for second in range(0, 60, 10):
        world.put(second, 2.0, "check.duration", service="shop")
    (raised,) = world.tick(50)
    assert "since_recovery" not in raised.values
    recovered(store, 60)
    (again,) = world.tick(61)
    assert (again.labels, again.values["since_recovery"]) == (raised.labels, None)
    assert world.tick(62) == []
    for second in range(70, 100, 10):
        world.put(second, 3.0, "check.duration", service="shop")
    (slow,) = world.tick(101)
    assert slow.values["since_recovery"] == 3.0
    assert world.tick(102) == []


def test_a_rule_on_something_else_than_answers_has_no_aftermath(store):
    world = World(store, {**FULL, "window": "5m"})
    world.put(0, 0.95, service="shop")
    recovered(store, 1)
    (raised,) = world.tick(2)
    assert "since_recovery" not in raised.values


OWNED = [{"name": "shop", "owner": "web-team", "labels": {"team": "web", "mountpoint": "spoofed"}}]


def owned(services, *rules):
    return Config.model_validate({"services": services, "rules": list(rules), "metrics": {"starter_rules": False}})


def firing(store):
    with store.read() as conn:
        return [dict(alert.labels) for alert in alerts.all_firing(conn)]


def test_an_alert_carries_the_labels_and_the_owner_of_the_service_it_belongs_to(store):
    world = World(store)
    world.config = owned(OWNED, FULL | {"service": "shop"}, FULL | {"alert": "Host"})
    world.put(0, 0.95)
    shop, host = world.tick(1)
    assert shop.labels == {
        "mountpoint": "/", "alertname": "DiskFull", "service": "shop", "severity": "warning",
        "team": "web", "owner": "web-team",
    }  # fmt: skip
    assert "owner" not in host.labels
    world.put(10, 0.1)
    assert {tuple(sorted(event.labels)) for event in world.tick(11)} == {
        tuple(sorted(shop.labels)), tuple(sorted(host.labels)),
    }  # fmt: skip
    assert firing(store) == []


def test_labels_of_the_service_do_not_decide_which_alert_it_is(store):
    rule = FULL | {"service": "shop"}
    world = World(store)
    world.config = owned([{"name": "shop"}], rule)
    world.put(0, 0.95)
    assert len(world.tick(1)) == 1
    # An owner is added while it fires: nothing ends, nothing begins.
    world.config = owned(OWNED, rule)
    world.put(10, 0.95)
    assert world.tick(11) == []
    world.engine = RuleEngine(store)
    world.put(20, 0.95)
    assert world.tick(21) == []
    world.put(30, 0.1)
    (cleared,) = world.tick(31)
    assert isinstance(cleared, AlertCleared)
    assert firing(store) == []


def test_a_rule_that_is_gone_ends_its_alert_whatever_the_service_was_labelled(store):
    world = World(store)
    world.config = owned(OWNED, FULL | {"service": "shop"})
    world.put(0, 0.95)
    world.tick(1)
    world.config = owned([{"name": "shop", "labels": {"team": "data"}}])
    world.tick(11)
    assert firing(store) == []
