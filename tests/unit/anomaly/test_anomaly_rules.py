"""Rules that ask for anomalies, for the edges of forecasts, and for what runs out soon."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from forewatch.clock import MICROSECONDS, micros
from forewatch.config.models import Config, Rule
from forewatch.detection.band import Forecast
from forewatch.detection.episode import Episode
from forewatch.detection.rules import RuleState, evaluate, rule_event
from forewatch.incidents import wording
from forewatch.incidents.events import AlertCleared, AlertRaised
from forewatch.store import anomalies, forecasts, points, series
from forewatch.store.points import Point
from tasks.rules.evaluate_rules import RuleEngine

pytestmark = pytest.mark.unit

T0 = 1_767_225_600 * MICROSECONDS
LABELS = {"check": "http", "service": "shop"}
ODD = Episode(1, T0, "unusual", "high", 0.83, T0, T0, 1.9, 0.12, 0.1, 0.14, id=7)


def rule(**fields: Any) -> Rule:
    return Rule.model_validate({"alert": "Slow", "metric": "check.duration", **fields})


def look(of: Rule, value: float | None = 1.9, episode: Episode | None = None, state: RuleState | None = None, second=0):
    now = T0 + micros(second)
    samples = [(now - micros(30), value)] if value is not None else []
    return evaluate(of, samples, (), None, state or RuleState(), now, episode=episode)


def test_an_anomaly_raises_at_once_and_its_end_clears():
    judged = look(rule(anomaly="high"), episode=ODD)
    assert judged.transition == "raised"
    after = look(rule(anomaly="high"), 0.12, state=judged.state, second=300)
    assert after.transition == "cleared"


def test_the_alert_says_how_unusual_it_is_and_what_was_usual():
    event = rule_event(rule(anomaly="high"), LABELS, "shop", look(rule(anomaly="high"), episode=ODD), T0)
    assert isinstance(event, AlertRaised)
    assert event.annotations["summary"] == ("shop's check duration was 1.9s, usually 100ms to 140ms (score 0.83)")
    assert {name: event.values[name] for name in ("score", "low", "high")} == {"score": 0.83, "low": 0.1, "high": 0.14}
    assert "score 0.83" in wording.measured(event.values)
    assert "low 0.1, high 0.14" in wording.measured(event.values)


def test_the_end_says_that_it_is_as_usual_again():
    first = look(rule(anomaly="high"), episode=ODD)
    after = look(rule(anomaly="high"), 0.12, state=first.state, second=300)
    event = rule_event(rule(anomaly="high"), LABELS, "shop", after, T0 + micros(300))
    assert isinstance(event, AlertCleared)
    assert event.values["reason"] == "shop's check duration is as usual again: 120ms"


def test_an_anomaly_must_go_on_for_as_long_as_the_rule_says():
    of = rule(anomaly="high", **{"for": "2m"})
    first = look(of, episode=ODD)
    assert first.transition is None
    later = look(of, episode=ODD, state=first.state, second=119)
    assert later.transition is None
    assert look(of, episode=ODD, state=later.state, second=120).transition == "raised"


def test_silence_as_an_anomaly_fires_though_there_is_no_data():
    silent = Episode(1, T0, "silent", "high", 1.0, T0, T0, id=8)
    judged = look(rule(anomaly="high"), None, silent)
    assert judged.transition == "raised"
    event = rule_event(rule(anomaly="high"), LABELS, "shop", judged, T0)
    assert "has given no data since" in event.annotations["summary"]


def test_without_data_a_firing_rule_that_asks_for_anomalies_keeps_firing():
    judged = look(rule(anomaly="high"), None, state=RuleState(T0, True, 1.9, T0), second=60)
    assert judged.state.firing
    assert judged.evidence.note == "no data for 1m; still firing on what was seen last"


class Filling:
    """A value that grows by one in a minute."""

    def __init__(self, of: Rule) -> None:
        self.rule, self.state = of, RuleState()

    def at(self, minute: float, slope: float = 1.0):
        now = T0 + micros(60 * minute)
        span = int(self.rule.window // 5)
        samples = [(now - micros(5 * k), slope * (minute - 5 * k / 60)) for k in range(span)]
        judged = evaluate(self.rule, samples, (), None, self.state, now)
        self.state = judged.state
        return judged


def leak(**fields: Any) -> Rule:
    return Rule.model_validate(
        {"alert": "Leak", "metric": "app.queue.length", "window": "10m", "limit": 100, "exhausted_within": "30m"}
        | fields
    )


def test_what_is_used_up_soon_is_told_of_with_when():
    filling = Filling(leak())
    assert filling.at(60).transition is None
    judged = filling.at(71)
    assert judged.transition == "raised"
    assert judged.evidence.exhausted_at == pytest.approx(T0 + micros(60 * 100), abs=micros(60))
    event = rule_event(leak(), {}, "shop", judged, T0)
    assert event.annotations["summary"].startswith("app.queue.length reaches 100 in 29")


def test_it_stays_told_until_it_lasts_half_as_long_again():
    filling = Filling(leak())
    filling.at(71)
    assert filling.at(60).transition is None
    assert filling.at(50).transition == "cleared"


def test_what_no_longer_grows_is_over():
    filling = Filling(leak())
    filling.at(71)
    assert filling.at(71, slope=0.0).transition == "cleared"


def test_nothing_left_is_reached_from_above():
    of = leak(metric="app.connections.free", limit=0)
    samples = [(T0 - micros(5 * k), 10.0 + k * 5 / 60) for k in range(120)]
    judged = evaluate(of, samples, (), None, RuleState(), T0)
    assert judged.transition == "raised"
    assert judged.evidence.exhausted_at == pytest.approx(T0 + micros(600), abs=micros(30))


def test_a_counter_is_held_against_its_forecast_by_its_growth():
    of = Rule.model_validate({"alert": "Busy", "metric": "app.disk.io", "above": "forecast", "window": "5m"})
    forecast = Forecast(T0 - micros(600), 300.0, (10.0,) * 4, (5.0,) * 4, (15.0,) * 4, "test")
    samples = [(T0 - micros(60 * k), 1e9 - 60 * 20.0 * k) for k in range(5)]
    judged = evaluate(of, samples, (), forecast, RuleState(), T0)
    assert judged.evidence.value == pytest.approx(20.0)
    event = rule_event(of, {}, "shop", judged, T0)
    assert event.annotations["summary"] == ("app.disk.io was 20B/s over 5m, above its forecast of at most 15B/s")


class World:
    def __init__(self, store, *rules: dict[str, Any]) -> None:
        self.store, self.engine = store, RuleEngine(store)
        self.config = Config.model_validate({"rules": list(rules), "metrics": {"starter_rules": False}})
        with store.measure() as conn:
            points.write(conn, [Point("check.duration", {"check": "http"}, "shop", T0, 1.9)])
            self.series = series.find(conn, "check.duration")[0].id

    def goes_on(self, **fields: Any) -> None:
        with self.store.measure() as conn:
            anomalies.put(conn, replace(ODD, id=None, series_id=self.series, **fields))

    def tick(self, second: float = 1):
        return self.engine.tick(self.config, T0 + micros(second))


HIGH = {"alert": "Slow", "metric": "check.duration", "anomaly": "high"}


@pytest.mark.parametrize(
    ("asked", "level", "told"),
    [("high", "high", 1), ("high", "medium", 0), ("medium", "medium", 1), ("medium", "high", 1)],
)
def test_a_rule_is_told_of_what_is_as_rare_as_it_asks_for(store, asked, level, told):
    world = World(store, HIGH | {"anomaly": asked})
    assert world.tick() == []
    world.goes_on(level=level)
    assert len(world.tick(2)) == told


def test_what_a_person_called_noise_is_over(store):
    world = World(store, HIGH)
    world.goes_on()
    (raised,) = world.tick()
    assert isinstance(raised, AlertRaised)
    with store.measure() as conn:
        anomalies.judge(conn, 1, "noise", by="anna", now=T0)
    (cleared,) = world.tick(2)
    assert isinstance(cleared, AlertCleared)


def test_what_rests_on_forecasts_that_have_failed_is_a_ticket(store, monkeypatch):
    from forewatch.detection.trust import Trust
    from tasks.rules import evaluate_rules

    world = World(store, {"alert": "Slow", "metric": "check.duration", "above": "forecast"})
    flat = [0.1] * 60
    with store.measure() as conn:
        forecasts.add(conn, forecasts.Forecast(world.series, T0, "hour", T0 - 1, 60.0, "test", flat, flat, flat))
    monkeypatch.setattr(evaluate_rules.models, "demoted", lambda conn: {world.series: Trust(True, 0.5, 20)})
    (raised,) = world.tick()
    assert raised.labels["severity"] == "info"
    assert "a ticket: the bands of its forecasts held only 50%" in raised.annotations["summary"]
