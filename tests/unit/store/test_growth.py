"""How fast the metrics grow, and by what; and that `forewatch doctor` says so."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from forewatch.clock import micros
from forewatch.commands import doctor
from forewatch.config.models import Config
from forewatch.store import growth, points
from forewatch.store.points import Point

pytestmark = pytest.mark.unit

NOW = micros(1_767_225_600)


def fill(store, minutes=120, mounts=3):
    batch = [
        Point("system.filesystem.utilization", {"mountpoint": f"/m{mount}"}, "host", NOW - micros(15 * second), 0.5)
        for second in range(minutes * 4)
        for mount in range(mounts)
    ]
    batch += [Point("check.up", {}, "shop", NOW - micros(60 * minute), 1.0) for minute in range(minutes)]
    with store.measure() as conn:
        points.write(conn, batch)


def test_the_last_hour_is_taken_for_a_day_and_the_busiest_metric_comes_first(store):
    fill(store)
    with store.read_metrics() as conn:
        found = growth.measured(conn, NOW)
    assert found.series == 4
    assert list(found.by_metric) == ["system.filesystem.utilization", "check.up"]
    assert found.by_metric["check.up"] == pytest.approx(1440, rel=0.05)
    assert found.by_metric["system.filesystem.utilization"] == pytest.approx(3 * 5760, rel=0.05)
    assert found.bytes == found.points * growth.BYTES_A_POINT


def test_a_start_ten_minutes_ago_is_not_taken_for_an_hour(store):
    fill(store, minutes=10)
    with store.read_metrics() as conn:
        assert growth.measured(conn, NOW).by_metric["check.up"] == pytest.approx(1440, rel=0.15)


def test_without_a_value_nothing_grows(store):
    with store.read_metrics() as conn:
        assert growth.measured(conn, NOW) == growth.Growth(0, 0, {})


def test_doctor_says_how_much_and_by_what_and_warns_of_much(store, monkeypatch):
    fill(store)
    runtime = SimpleNamespace(store=store, clock=SimpleNamespace(now=lambda: NOW))
    found = doctor._growth(runtime, Config())
    assert found.mark == "ok"
    assert found.text.startswith("4 series, ")
    assert "most: system.filesystem.utilization 17," in found.text
    monkeypatch.setattr(doctor, "MUCH_A_DAY", 1000)
    assert doctor._growth(runtime, Config()).mark == "warn"
