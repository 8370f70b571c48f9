"""The loop that scores: short pieces on the store's thread, anomalies processed, what was learned kept."""

from __future__ import annotations

import asyncio
import random
from types import SimpleNamespace

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from forewatch.clock import FakeClock, micros
from forewatch.config.models import Config
from forewatch.console import anomaly_pictures
from forewatch.errors import StoreUnavailable
from forewatch.home import Home
from forewatch.incidents.events import AlertRaised
from forewatch.store import anomalies, detectors, points
from forewatch.store.engine import Store
from forewatch.store.points import Point
from forewatch.store.shifts import Fence
from tasks.scoring.anomaly_alerts import Told
from tasks.scoring.scoring_loop import AnomalyScoring
from tasks.shifts.decider import Decider

pytestmark = pytest.mark.unit

EVERY = 600
METRICS = ("app.latency", "app.queue.length")


@pytest.fixture
def runtime(tmp_path):
    home = Home(tmp_path)
    home.create()
    store = Store.open(home, migrate=True)
    config = Config.model_validate({"services": [{"name": "shop"}], "anomalies": {"false_alarms": 0.3}})
    clock = FakeClock()
    clock.advance(15)
    yield SimpleNamespace(
        home=home, store=store, clock=clock, configuration=SimpleNamespace(current=lambda: (1, config)), config=config
    )
    store.close()


@pytest.fixture
def scoring(runtime):
    """It has learned from three days."""
    dice, began = random.Random(5), runtime.clock.now()
    with runtime.store.measure() as conn:
        times = [began + micros(EVERY * step) for step in range(3 * 144)]
        points.write(conn, [Point(one, {}, "shop", at, dice.gauss(100, 2)) for at in times for one in METRICS])
    runtime.clock.advance(EVERY * 3 * 144)
    made = AnomalyScoring(runtime, Decider(runtime, Fence("collect-metrics", 1)))
    asyncio.run(made.once())
    return made


def unusual(runtime) -> None:
    with runtime.store.measure() as conn:
        points.write(conn, [Point(one, {}, "shop", runtime.clock.now(), 300.0) for one in METRICS])
    runtime.clock.advance(EVERY)


@pytest.fixture
def decided(monkeypatch):
    """The events that were processed."""
    found = []

    async def note(self, event):
        found.append(event)

    monkeypatch.setattr(Decider, "decide", note)
    return found


async def test_what_is_unusual_is_decided_upon_and_shown(runtime, scoring, decided):
    unusual(runtime)
    await scoring.once()
    (raised,) = decided
    assert isinstance(raised, AlertRaised)
    assert raised.labels["alertname"] == "Anomalous"
    assert [row["told"] for row in scoring.rows()[:-1]] == ["alert", "alert"]


async def test_at_the_end_of_the_watch_what_was_learned_is_stored(runtime, scoring):
    with runtime.store.read_metrics() as conn:
        before = {row.series_id: row.at for row in detectors.get_many(conn, [1, 2])}
    with runtime.store.measure() as conn:
        points.write(conn, [Point(one, {}, "shop", runtime.clock.now(), 100.0) for one in METRICS])
    runtime.clock.advance(EVERY)
    await scoring.once()
    await scoring.close()
    with runtime.store.read_metrics() as conn:
        after = {row.series_id: row.at for row in detectors.get_many(conn, [1, 2])}
    assert {after[number] - before[number] for number in before} == {micros(EVERY)}


async def test_a_store_that_takes_nothing_at_the_end_of_the_watch_is_no_error(runtime, scoring, monkeypatch, caplog):
    def refused():
        raise StoreUnavailable("metrics.db: the disk is full")

    with runtime.store.measure() as conn:
        points.write(conn, [Point(one, {}, "shop", runtime.clock.now(), 100.0) for one in METRICS])
    runtime.clock.advance(EVERY)
    await scoring.once()
    monkeypatch.setattr(runtime.store, "measure", refused)
    await scoring.close()
    assert "what was learned is not stored" in caplog.text


async def test_a_bad_round_does_not_end_the_watch(runtime, scoring, monkeypatch, caplog):
    stop, rounds = asyncio.Event(), []

    async def fail(stop=None):
        rounds.append(stop)
        if len(rounds) == 2:
            stop.set()
        raise ValueError("as it may be")

    monkeypatch.setattr(scoring, "once", fail)
    monkeypatch.setattr(scoring, "_wait", lambda: 0.001)
    async with asyncio.timeout(5):
        await scoring.run(stop)
    assert len(rounds) == 2
    assert "an unexpected error while looking for anomalies" in caplog.text


async def test_an_event_that_cannot_be_decided_costs_none_of_the_others(runtime, scoring, monkeypatch, caplog):
    seen = []

    async def fail(self, event):
        seen.append(event.labels["service"])
        raise ValueError("as it may be")

    events = [AlertRaised({"alertname": "Anomalous", "service": name}, {}, 1) for name in ("db", "shop")]
    monkeypatch.setattr("tasks.scoring.scoring_loop.tell", lambda *_: Told(events, ()))
    monkeypatch.setattr(Decider, "decide", fail)
    await scoring.once()
    assert seen == ["db", "shop"]
    assert caplog.text.count("could not be processed") == 2


async def test_turned_off_nothing_is_loaded(runtime):
    off = runtime.config.model_copy(
        update={"anomalies": runtime.config.anomalies.model_copy(update={"enabled": False})}
    )
    runtime.configuration.current = lambda: (1, off)
    idle = AnomalyScoring(runtime, Decider(runtime, Fence("collect-metrics", 1)))
    await idle.once()
    await idle.close()
    assert idle.rows() == []
    assert idle._scorer is None


async def test_turned_off_for_the_next_watch_what_goes_on_is_ended(runtime, scoring, decided):
    unusual(runtime)
    await scoring.once()
    off = Config.model_validate({"anomalies": {"enabled": False}})
    runtime.configuration.current = lambda: (1, off)
    await AnomalyScoring(runtime, Decider(runtime, Fence("collect-metrics", 2))).once()
    with runtime.store.read_metrics() as conn:
        assert anomalies.going_on(conn, runtime.clock.now()) == []


def test_the_picture_shows_the_series_its_band_and_the_anomalous_part_in_red(runtime, scoring, decided):
    unusual(runtime)
    asyncio.run(scoring.once())
    app = FastAPI()
    app.include_router(anomaly_pictures.router(runtime))
    client = TestClient(app)
    picture = client.get("/pictures/anomaly/1.svg")
    assert picture.status_code == 200
    assert {name for name in ("seen", "mean", "band", "anomaly") if f'class="{name}"' in picture.text} == {
        "seen", "mean", "band", "anomaly",
    }  # fmt: skip
    for number in ("77", "99999999999999999999999", str(2**63), "-1"):
        assert client.get(f"/pictures/anomaly/{number}.svg").status_code == 404
