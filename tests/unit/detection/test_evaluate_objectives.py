"""Objectives on a real store: what burns is told once, ends once, and survives the end of a watch."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert

from forewatch.alerting.matchers import Matcher
from forewatch.alerting.silence import Silence
from forewatch.clock import MICROSECONDS, micros
from forewatch.config.models import Config, Times
from forewatch.deciding import decide
from forewatch.errors import StoreUnavailable
from forewatch.home import Home
from forewatch.incidents.events import AlertCleared, AlertRaised
from forewatch.reports.objectives import Figures, standing
from forewatch.series.objective_answers import DURATION, UP, service_objectives
from forewatch.store import alerts, incidents, marks, points, rollups, schema, series, silences
from forewatch.store.engine import Store
from forewatch.store.points import Point
from tasks.rules.evaluate_objectives import LEFT, ObjectiveEngine

pytestmark = pytest.mark.unit

T0 = 1_767_225_600 * MICROSECONDS
HOUR, DAY = 3600, 86400
EVERY = 30
AVAILABLE = {"availability": "99.9%"}
QUICK = {"latency": {"under": "300ms", "share": "99%"}}


def config(*objectives: dict[str, Any], **service: Any) -> Config:
    shop = {"name": "shop", "checks": [{"http": "http://shop/"}], "objectives": list(objectives), **service}
    return Config.model_validate({"services": [shop]})


class World:
    """Seconds count from T0; a watch ticks when told to."""

    def __init__(self, store, *objectives: dict[str, Any], **service: Any) -> None:
        self.store, self.config = store, config(*objectives, **service)
        self.engine = ObjectiveEngine(store)

    def answers(
        self,
        seconds: range,
        up: float = 1.0,
        took: float | None = None,
        instance: str = "default",
        service: str = "shop",
    ) -> None:
        labels = {"check": "http", "instance": instance}
        batch = [
            Point(metric, labels, service, T0 + micros(s), value)
            for s in seconds for metric, value in ((UP, up), (DURATION, took)) if value is not None
        ]  # fmt: skip
        with self.store.measure() as conn:
            points.write(conn, batch)

    def hours(self, bad: list[int]) -> None:
        """Hours of twelve answers of which only the roll-ups are kept; so many of each were bad."""
        with self.store.measure() as conn:
            points.write(conn, [Point(UP, {"check": "http", "instance": "default"}, "shop", T0, 1.0)])
            [one] = series.find(conn, UP)
            conn.execute(delete(schema.points))
            rows = [
                (hour, width, part)
                for hour in range(len(bad))
                for width in (300, 3600)
                for part in range(3600 // width)
            ]
            conn.execute(
                insert(schema.rollups),
                [
                    {
                        "series_id": one.id, "resolution": width, "at": T0 + micros(hour * HOUR + part * width),
                        "count": width // 300, "sum": width / 300 - (bad[hour] if width == HOUR else part < bad[hour]),
                        "min": 0.0, "max": 1.0, "last": 1.0,
                    }
                    for hour, width, part in rows
                ],
            )  # fmt: skip
            for width in (300, 3600):
                marks.put(conn, marks.rolled(width), T0 + micros(len(bad) * HOUR))

    def roll(self, second: float) -> None:
        with self.store.measure() as conn:
            assert rollups.roll(conn, T0 + micros(second), budget=60)

    def tick(self, second: float, decided: bool = True) -> list[AlertRaised | AlertCleared]:
        now = T0 + micros(second)
        events = self.engine.tick(self.config, now)
        for event in events if decided else ():
            decide(self.store, event, config=(1, self.config), now=now)
        self.engine.look(now)
        return events

    def relieved(self) -> None:
        """The next watch takes over."""
        self.engine = ObjectiveEngine(self.store)

    def firing(self) -> list[str]:
        with self.store.read() as conn:
            return [f"{one.labels['objective']} {one.labels['speed']}" for one in alerts.all_firing(conn)]

    def figures(self, second: float) -> Figures:
        [found] = standing(self.store, self.config, service_objectives(self.config), T0 + micros(second))
        return found

    def maintain(self, *matchers: Matcher, begin: float, end: float) -> None:
        """Maintenance by hand."""
        span = (T0 + micros(begin), T0 + micros(end))
        with self.store.decide() as conn:
            silences.put(conn, Silence("M", matchers, *span, "ana", "new disks", T0, kind="maintenance"))


END = 7 * HOUR + 300


@pytest.fixture(scope="module")
def burnt_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Seven hours of good answers, then five minutes of bad ones: both speeds have their history."""
    home = Home(tmp_path_factory.mktemp("burning"))
    home.create()
    store = Store.open(home, migrate=True)
    world = World(store, AVAILABLE)
    world.answers(range(0, 7 * HOUR, EVERY))
    world.answers(range(7 * HOUR, END, EVERY), up=0.0)
    store.close()
    return home


@pytest.fixture
def burning(burnt_home: Home, tmp_path: Path) -> Iterator[World]:
    home = Home(tmp_path / "home")
    shutil.copytree(burnt_home.root, home.root)
    store = Store.open(home)
    yield World(store, AVAILABLE)
    store.close()


def test_an_outage_is_told_at_both_speeds_each_once(burning):
    raised = burning.tick(END)
    assert [(one.labels["speed"], one.labels["severity"]) for one in raised] == [
        ("fast", "critical"),
        ("slow", "warning"),
    ]
    assert burning.tick(END + 15) == []
    assert sorted(burning.firing()) == ["availability fast", "availability slow"]
    fast = raised[0]
    assert isinstance(fast, AlertRaised)
    # 10 of 119 answers of the hour, and all of the last five minutes.
    assert fast.values["burn_long"] == pytest.approx(1000 * 10 / 119)
    assert fast.values["burn_short"] == pytest.approx(1000)
    # Five minutes of the month's 43.
    assert fast.values["budget_left"] == pytest.approx(1 - 300 / 2592, abs=0.02)
    assert "12% of the 30d budget went, 88% is left" in fast.annotations["summary"]


def test_the_incident_is_that_of_the_service_and_counts_against_its_objective(burning):
    burning.tick(END)
    with burning.store.read() as conn:
        [incident] = incidents.listing(conn, open_only=True, limit=10)
        kinds = {one.classification for one in alerts.of_incident(conn, incident.id)}
    assert (incident.service, incident.severity, kinds) == ("shop", "critical", {"availability"})


def test_each_speed_ends_when_its_own_short_window_is_back(burning):
    burning.tick(END)
    burning.answers(range(END, END + 3 * HOUR, EVERY))
    assert burning.tick(END + 200) == []
    [fast] = burning.tick(END + 300)
    assert isinstance(fast, AlertCleared)
    assert fast.labels["speed"] == "fast"
    assert fast.values["reason"] == "the last 5m burn 0x, not above 14.4x"
    assert burning.tick(END + 1700) == []
    [slow] = burning.tick(END + 1800)
    assert (slow.labels["speed"], burning.firing()) == ("slow", [])


def test_it_says_the_same_from_roll_ups(burning):
    burning.roll(END)
    assert [one.values["total_long"] for one in burning.tick(END)] == [119, 719]


@pytest.mark.parametrize("relieved_after", ["deciding", "judging"])
def test_the_next_watch_goes_on_whether_or_not_this_one_could_decide(burning, relieved_after):
    assert len(burning.tick(END, decided=relieved_after == "deciding")) == 2
    burning.relieved()
    assert len(burning.tick(END + 1)) == (0 if relieved_after == "deciding" else 2)
    burning.answers(range(END, END + HOUR, EVERY))
    assert len(burning.tick(END + HOUR, decided=relieved_after == "deciding")) == 2
    burning.relieved()
    assert len(burning.tick(END + HOUR + 1)) == (0 if relieved_after == "deciding" else 2)
    assert burning.firing() == []


def test_a_young_history_fires_nothing(store):
    world = World(store, AVAILABLE)
    world.answers(range(0, HOUR - 10, EVERY), up=0.0)
    for second in range(0, HOUR, 300):
        assert world.tick(second) == []
    world.answers(range(HOUR - 10, HOUR, 10), up=0.0)
    assert [one.labels["speed"] for one in world.tick(HOUR + 1)] == ["fast"]


def test_a_young_history_looks_no_older_once_it_is_rolled_up(store):
    world = World(store, AVAILABLE)
    world.answers(range(1800, 1800 + HOUR - 60, EVERY), up=0.0)
    world.roll(HOUR + 1700)
    assert world.tick(HOUR + 1730) == []


def test_after_a_long_gap_a_few_bad_answers_fire_nothing(store):
    world = World(store, AVAILABLE)
    world.answers(range(0, 7 * HOUR, EVERY))
    world.answers(range(30 * HOUR, 30 * HOUR + 300, EVERY), up=0.0)
    assert world.tick(30 * HOUR + 300) == []


def test_without_answers_it_neither_fires_nor_ends_until_a_day_has_passed(burning):
    burning.tick(END)
    assert burning.tick(END + HOUR) == []
    assert len(burning.firing()) == 2
    ended = burning.tick(END + DAY + 60)
    assert {one.values["reason"] for one in ended} == {"no answer for 1d 1m"}
    assert all(isinstance(one, AlertCleared) and one.unwatched for one in ended)
    assert burning.tick(END + DAY + 75) == []


def test_a_slow_answer_is_bad_for_latency_and_good_for_availability(store):
    world = World(store, AVAILABLE, QUICK)
    world.answers(range(0, 7 * HOUR, EVERY), took=0.1)
    world.answers(range(7 * HOUR, END + 600, EVERY), took=0.5)
    [fast] = [one for one in world.tick(END + 600) if one.labels["speed"] == "fast"]
    assert (fast.labels["objective"], fast.labels["classification"]) == ("latency", "latency")


def test_a_failure_is_bad_for_latency_too(store):
    world = World(store, QUICK)
    world.answers(range(0, 7 * HOUR, EVERY), took=0.1)
    world.answers(range(7 * HOUR, END + 600, EVERY), up=0.0, took=0.001)
    assert [one.labels["speed"] for one in world.tick(END + 600)] == ["fast"]


def test_the_answers_of_all_instances_count_together_and_those_of_others_do_not(store):
    world = World(store, AVAILABLE)
    for instance in "ab":
        world.answers(range(0, END, EVERY), instance=instance)
    world.answers(range(0, END, EVERY), up=0.0, service="mail")
    assert world.tick(END) == []
    world.answers(range(7 * HOUR, END, EVERY), up=0.0, instance="b")
    assert [one.values["total_long"] for one in world.tick(END + 1)] == [238, 1438]


@pytest.mark.parametrize("change", [{"availability": "99%", "name": "other"}, None])
def test_an_objective_that_is_gone_ends_what_it_fired_and_says_why(burning, change):
    burning.tick(END)
    burning.config = config(*([change] if change else []))
    events = [one for one in burning.tick(END + 1) if isinstance(one, AlertCleared)]
    assert {one.values["reason"] for one in events} == {"the objective is gone or changed"}
    assert len(events) == 2


def test_an_alert_of_that_name_from_elsewhere_is_not_ended(burning):
    labels = {"alertname": "ErrorBudgetBurn", "service": "shop", "severity": "critical", "objective": "x", "speed": "y"}
    event = AlertRaised(labels, {"summary": "from another tool"}, T0, sender="prometheus")
    decide(burning.store, event, config=(1, burning.config), now=T0)
    burning.tick(END)
    assert "x y" in burning.firing()


def test_what_is_left_is_kept_as_a_series(burning):
    burning.tick(END)
    with burning.store.read_metrics() as conn:
        [one] = series.find(conn, LEFT, {"service": "shop", "objective": "availability"})
        assert points.last(conn, one.id) == (T0 + micros(END), pytest.approx(1 - 300 / 2592, abs=0.02))


def test_many_objectives_take_turns(store, monkeypatch):
    monkeypatch.setattr("tasks.rules.evaluate_objectives.AT_ONCE", 2)
    world = World(store, *({"name": f"o{n}", "availability": "99%"} for n in range(5)))
    world.answers(range(0, HOUR, EVERY))
    for turn, known in enumerate((2, 4, 5, 5)):
        world.tick(HOUR + turn)
        assert len(world.engine.rows()) == known
    assert [row["objective"] for row in world.engine.rows()] == ["o0", "o1", "o2", "o3", "o4"]


def test_a_store_that_cannot_be_read_ends_nothing(burning, monkeypatch):
    burning.tick(END)

    def refuse():
        raise StoreUnavailable("metrics.db is away")

    with monkeypatch.context() as patched:
        patched.setattr(burning.store, "read_metrics", refuse)
        with pytest.raises(StoreUnavailable):
            burning.engine.tick(burning.config, T0 + micros(END + 15))
    assert burning.tick(END + 30) == []


def test_a_disk_that_takes_no_writes_does_not_silence_a_burning_budget(store, monkeypatch, caplog):
    world = World(store, AVAILABLE, QUICK)
    world.answers(range(0, 7 * HOUR, EVERY), took=0.1)
    world.answers(range(7 * HOUR, END, EVERY), up=0.0, took=0.1)

    def refuse():
        raise StoreUnavailable("metrics.db: the disk is full")

    monkeypatch.setattr(store, "measure", refuse)
    events = world.engine.tick(world.config, T0 + micros(END))
    assert {one.labels["objective"] for one in events} == {"availability"}
    assert "which answers came in time is not counted: metrics.db: the disk is full" in caplog.text


def test_a_fault_in_the_middle_of_judging_loses_no_alert(burning, monkeypatch):
    def break_off(*_):
        raise RuntimeError("a fault of ours")

    with monkeypatch.context() as patched:
        patched.setattr("tasks.rules.evaluate_objectives.figures", break_off)
        with pytest.raises(RuntimeError):
            burning.tick(END)
    assert len(burning.tick(END + 15)) == 2


def test_the_figures_of_a_month(store):
    world = World(store, AVAILABLE)
    # 12 answers an hour; on two days 9 of those of one hour are bad.
    world.hours([9 if hour in (5 * 24, 15 * 24) else 0 for hour in range(20 * 24)])
    found = world.figures(20 * DAY)
    assert (found.answers.total, found.answers.bad) == (5760, 18)
    assert found.budget is not None
    # 18 answers of five minutes each, of 43.2 minutes.
    assert found.budget.left == pytest.approx(1 - 90 / 43.2, abs=0.001)
    assert found.outlook == "used up, 46m 47s too much"
    assert found.note == "no answer any more"
    assert found.since == T0 + micros(300)
    row = found.as_row()
    assert (row["target"], row["reached"], row["budget left"]) == ("99.9% over 30d", "99.6875%", "-108%")


def test_the_day_it_will_be_used_up_is_said(store):
    world = World(store, {"availability": "95%"})
    # The last day one answer in twelve is bad: a little less than twice too fast.
    world.hours([1 if hour >= 29 * 24 else 0 for hour in range(30 * 24)])
    found = world.figures(30 * DAY)
    assert found.budget is not None
    assert found.budget.left == pytest.approx(1 - 1 / 12 / 1.5)
    assert found.used_up is not None
    days = (found.used_up.at - T0) / micros(DAY)
    assert days == pytest.approx(30 + 30 / (5 / 3) - 1, abs=0.1)
    assert found.outlook == "at the pace of the last day used up on 17 Feb (80% interval: 17 Feb to 17 Feb)"


def test_figures_without_any_answer_say_so(store):
    found = World(store, AVAILABLE).figures(0)
    assert (found.budget, found.since, found.outlook, found.note) == (None, None, "no answers", "no answers yet")
    assert found.as_json()["budget"] is None


def test_a_past_still_being_counted_is_said(store):
    world = World(store, QUICK)
    world.answers(range(0, HOUR, EVERY), took=0.1)
    assert world.figures(HOUR).note == "the answers of the past are still being counted"
    world.tick(HOUR)
    assert world.figures(HOUR).note == "history of 1h only"


def test_silence_is_said(burning):
    assert burning.figures(END + HOUR).note == "no answer for 1h 30s"


NIGHT = {"name": "night", "ranges": [{"times": ["07:00-08:00"]}]}
SHOP = Matcher("service", "=", "shop")


@pytest.mark.parametrize("rolled", [False, True])
@pytest.mark.parametrize("how", ["planned", "by hand"])
def test_an_hour_of_maintenance_is_not_counted_and_that_is_said(store, how, rolled):
    world = World(store, AVAILABLE)
    world.answers(range(0, 7 * HOUR, EVERY))
    world.answers(range(7 * HOUR, 8 * HOUR, EVERY), up=0.0)
    world.answers(range(8 * HOUR, 9 * HOUR, EVERY))
    if rolled:
        world.roll(9 * HOUR)
    burnt = world.figures(9 * HOUR - 1)
    assert burnt.budget is not None
    assert burnt.budget.left < 0
    if how == "planned":
        shop = world.config.services[0].model_copy(update={"maintenance": ["night"]})
        world.config = world.config.model_copy(update={"services": [shop], "times": [Times.model_validate(NIGHT)]})
    else:
        world.maintain(SHOP, begin=7 * HOUR, end=8 * HOUR)
    found = world.figures(9 * HOUR - 1)
    assert found.budget is not None
    assert found.budget.left == pytest.approx(1.0, abs=0.02)
    assert found.answers.bad <= 1
    assert "1h of maintenance not counted" in found.as_row()["outlook"]
    assert found.as_json()["maintenance"] == pytest.approx(HOUR, abs=1)


def test_an_objective_may_count_maintenance(store):
    world = World(store, {**AVAILABLE, "count_maintenance": True})
    world.answers(range(0, 7 * HOUR, EVERY))
    world.answers(range(7 * HOUR, 8 * HOUR, EVERY), up=0.0)
    world.maintain(SHOP, begin=7 * HOUR, end=8 * HOUR)
    found = world.figures(8 * HOUR - 1)
    assert found.budget is not None
    assert found.budget.left < 0
    assert "maintenance" not in found.as_row()["outlook"]


@pytest.mark.parametrize(
    "matchers",
    [[Matcher("service", "=", "other")], [SHOP, Matcher("check", "=", "port")], [SHOP, Matcher("instance", "=", "b")]],
)
def test_maintenance_of_something_else_leaves_nothing_out(store, matchers):
    world = World(store, AVAILABLE)
    world.answers(range(0, 8 * HOUR, EVERY), up=0.0)
    world.maintain(*matchers, begin=7 * HOUR, end=8 * HOUR)
    assert world.figures(8 * HOUR).maintenance == 0


def test_of_several_instances_the_one_in_maintenance_is_left_out(store):
    instances = [{"name": name, "address": f"{name}:80"} for name in "ab"]
    world = World(store, AVAILABLE, instances=instances, checks=[{"name": "http", "http": "http://{address}/"}])
    world.answers(range(0, HOUR, EVERY), instance="a")
    world.answers(range(0, HOUR, EVERY), instance="b", up=0.0)
    world.maintain(SHOP, Matcher("instance", "=", "b"), begin=0, end=HOUR)
    found = world.figures(HOUR - 1)
    assert (found.answers.total, found.answers.bad) == (HOUR // EVERY, 0)


def test_a_silence_is_no_maintenance(store):
    world = World(store, AVAILABLE)
    world.answers(range(0, HOUR, EVERY), up=0.0)
    with store.decide() as conn:
        silences.put(conn, Silence("S", (SHOP,), T0, T0 + micros(HOUR), "ana", "known", T0))
    assert world.figures(HOUR - 1).maintenance == 0


def test_an_outage_in_maintenance_burns_nothing_and_one_after_it_does(burning):
    burning.maintain(SHOP, begin=7 * HOUR, end=END)
    assert burning.tick(END) == []
    burning.answers(range(END, END + 600, EVERY), up=0.0)
    assert [one.labels["speed"] for one in burning.tick(END + 600)] == ["fast", "slow"]


def test_maintenance_that_begins_late_is_noticed_within_seconds(burning):
    burning.maintain(SHOP, begin=END + 60, end=END + 60 + HOUR)
    burning.answers(range(END, END + 60, EVERY))
    burning.answers(range(END + 60, END + 900, EVERY), up=0.0)
    burning.tick(END + 360)
    assert burning.engine._counted is not None
    assert burning.engine._counted.left_out(0, T0, T0 + micros(END + 360))
