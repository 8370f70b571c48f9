"""Odd metrics of real services: one alone is a note, two together are an alert, and people have their say."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from harness import Forewatch, wait_for
from receiver import Receiver
from scene import HOOK_SECRET, configuration_of
from victim import Victim

from forewatch.clock import micros
from forewatch.config.models import Config
from forewatch.store import anomalies, audit, points
from forewatch.store.engine import Store
from forewatch.store.points import Point
from tasks.scoring.scorer import Scorer

pytestmark = pytest.mark.e2e

MINUTES = 3 * 1440
"""Of history: more than is learned from before anything is said."""
LATENCY, QUEUE = "app.latency", "app.queue.length"
SERIES = [("victim", LATENCY), ("healable", LATENCY), ("healable", QUEUE)]


@pytest.fixture(scope="module")
def forewatch(folder: Path, victim: Victim, healable: Victim, receiver: Receiver) -> Iterator[Forewatch]:
    """A Forewatch that knows these services for three days; in the minutes before it starts they behave oddly."""
    started = Forewatch(folder, environment={"HOOK_SECRET": HOOK_SECRET})
    started.write_config(configuration_of(victim.watched() + healable.watched(), receiver, hold="0s"))
    started.home.create()
    store = Store.open(started.home, migrate=True)
    unusual_since = time.time_ns() // 60_000_000_000 * micros(60) - micros(180)
    dice = random.Random(1)
    with store.measure() as conn:
        points.write(conn, [
            Point(metric, {}, service, unusual_since - micros(60 * minute), dice.gauss(100, 3))
            for minute in range(1, MINUTES) for service, metric in SERIES
        ])  # fmt: skip
    scorer = Scorer(store)
    scorer.begin(
        Config.model_validate({"services": [{"name": "victim"}, {"name": "healable"}]}), unusual_since + micros(15)
    )
    while not scorer.work() or not scorer.catch_up() or not scorer.save():
        pass
    with store.measure() as conn:
        points.write(conn, [
            Point(metric, {}, service, unusual_since + micros(60 * minute), 400.0)
            for minute in range(4) for service, metric in SERIES
        ])  # fmt: skip
    store.close()
    try:
        started.up()
        yield started
    finally:
        started.sweep()
        shutil.rmtree(started.home.prefect, ignore_errors=True)


def test_one_anomalous_metric_is_a_note_and_two_of_a_service_are_an_alert(forewatch: Forewatch) -> None:
    (incident,) = wait_for("an incident of healable", lambda: forewatch.incidents("healable"))
    assert incident.title.startswith("healable behaves unusually: app.")
    assert forewatch.incidents("victim") == []
    with forewatch.runtime() as runtime, runtime.store.read_metrics() as conn:
        told = {one.told for one in anomalies.listing(conn)}
    assert told == {"note", "alert"}
    wait_for("a page", lambda: [one for one in forewatch.notifications(incident.id) if one.state == "sent"])

    listed = forewatch.cli("anomalies", "list").stdout
    assert listed.count("alert") == 2
    assert listed.count("note") == 1
    assert "3 series are known" in listed
    why = forewatch.cli("why", incident.id).stdout
    assert "score 0." in why


def test_an_anomaly_can_be_looked_at_and_judged(forewatch: Forewatch) -> None:
    with forewatch.runtime() as runtime, runtime.store.read_metrics() as conn:
        note = next(one for one in anomalies.listing(conn) if one.told == "note")
    shown = forewatch.cli("anomalies", "show", note.name).stdout
    assert "app.latency was 400" in shown
    assert "a note: alone: no other metric of victim was unusual within 15m" in shown
    picture = httpx.get(
        f"http://127.0.0.1:{forewatch.port}/pictures/anomaly/{note.id}.svg", trust_env=False, timeout=10
    )
    assert picture.status_code == 200
    assert 'class="anomaly"' in picture.text
    assert 'class="band"' in picture.text

    said = forewatch.cli("anomalies", "noise", note.name)
    assert said.returncode == 0, said.stderr
    with forewatch.runtime() as runtime:
        with runtime.store.read() as conn:
            assert any(one.subject == note.name and one.action == "judge anomaly" for one in audit.listing(conn))
        with runtime.store.read_metrics() as conn:
            judged = anomalies.get(conn, note.id)
    assert judged is not None
    assert judged.verdict == "noise"
