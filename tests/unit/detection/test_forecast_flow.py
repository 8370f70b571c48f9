"""The flow's body without Prefect: its parts as plain functions, the alerts they raise, and the page they publish."""

from __future__ import annotations

import importlib
import os

import numpy as np
import pytest

from forewatch import runtime
from forewatch.clock import FakeClock, micros
from forewatch.config.models import Config
from forewatch.config.reload import Configuration
from forewatch.detection.trust import Trust
from forewatch.reports.forecasts import SeriesForecast
from forewatch.store import alerts, models, points, series
from forewatch.store.points import Point
from tasks.forecasting.capacity import exhausted
from tasks.forecasting.page import Report, page
from tasks.forecasting.report import gathered, trends
from tasks.forecasting.scores import Changed

pytestmark = pytest.mark.unit

flow = importlib.import_module("flows.forecast")
ADDRESS = "https://watch.example"
DISK = "system.filesystem.utilization"


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def context(store, clock, monkeypatch):
    class Default(Configuration):
        def current(self) -> tuple[int, Config]:
            return 1, Config()

    made = runtime.Runtime(store.home, store, clock, Default(store))
    monkeypatch.setattr(runtime, "_current", (os.getpid(), made))
    return made


def measure(context, metric: str, values, **labels: str) -> None:
    """A value a minute, up to the clock's now."""
    begin = context.clock.now() - micros(60 * len(values))
    with context.store.measure() as conn:
        points.write(
            conn,
            [
                Point(metric, labels, "host", begin + micros(60 * index), float(value))
                for index, value in enumerate(values)
            ],
        )


async def publish(context) -> str:
    watched = await flow.look_at_capacities(context)
    await flow.forecast_series.fn(exhausted(watched))
    now = context.clock.now()
    found = gathered(context.store, now)
    return page(Report(found, watched, (), {"Trends": trends(context.store, found, now)}), now, ADDRESS)


def firing(context):
    with context.store.read() as conn:
        return alerts.all_firing(conn)


async def test_the_page_tells_what_is_coming_what_runs_out_and_what_is_not_known_yet(context):
    measure(context, DISK, np.linspace(0.5, 0.8, 180), mountpoint="/var|x", device="/dev/sda1")
    measure(context, "system.cpu.utilization", np.random.default_rng(1).uniform(0.2, 0.4, 180))
    measure(context, "queue.size", [3.0])
    said = await publish(context)
    assert said.startswith("Of 3 series, 2 an hour, 0 a day, 0 a week, 0 a month ahead")
    assert "## Runs out\n\n* /var\\|x full in 2.0 h" in said
    rows = [line for line in said.splitlines() if line.startswith("| [")]
    assert rows[0].startswith(f"| [system.filesystem.utilization]({ADDRESS}/pictures/forecast/1.svg) | 80% | 90")
    assert rows[0].endswith("| device=/dev/sda1, mountpoint=/var\\|x, service=host |")
    assert "| 1h 58m |" in rows[0]
    assert "[system.cpu.utilization]" in rows[1]
    assert "| not yet: needs 20 minutes of data, has 1 minute | not yet | not yet | not yet | - |" in rows[2]
    assert "* day: 2 series: needs 24 hours of data, has 3 hours" in said
    assert f"![system.cpu.utilization {{service=host}}]({ADDRESS}/pictures/forecast/2.svg)" in said


async def test_a_filling_disk_is_warned_of_once_and_the_warning_ends_when_it_is_cleaned(context, clock):
    measure(context, DISK, np.linspace(0.5, 0.8, 180), mountpoint="/var", device="/dev/sda1")
    await publish(context)
    [alert] = firing(context)
    assert (alert.name, alert.severity) == ("DiskFullSoon", "warning")
    assert alert.annotations["summary"].startswith("/var full in 2.0 h")
    await publish(context)
    assert len(firing(context)) == 1

    clock.advance(180 * 60)
    measure(context, DISK, [0.3] * 180, mountpoint="/var", device="/dev/sda1")
    await publish(context)
    assert firing(context) == []


async def test_the_warning_of_a_series_whose_bands_fail_is_a_ticket_and_ends_like_any_other(context, clock):
    measure(context, DISK, np.linspace(0.5, 0.8, 180), mountpoint="/var", device="/dev/sda1")
    with context.store.measure() as conn:
        (one,) = series.find(conn, DISK)
        models.put_many(conn, [models.Model(one.id, "day", 0, demoted_at=1)])
    said = await publish(context)
    assert "## Not to be trusted" in said
    [alert] = firing(context)
    assert alert.severity == "info"
    assert alert.labels["forecast"] == "demoted"
    assert "a ticket" in alert.annotations["summary"]

    clock.advance(180 * 60)
    measure(context, DISK, [0.3] * 180, mountpoint="/var", device="/dev/sda1")
    await publish(context)
    assert firing(context) == []


async def test_what_has_risen_for_weeks_is_told_as_a_trend(context):
    with context.store.measure() as conn:
        hours = np.arange(24 * 40)
        begin = context.clock.now() - micros(3600 * len(hours))
        values = 100 + hours / 24 + np.random.default_rng(2).normal(0, 1, len(hours))
        points.write(
            conn,
            [
                Point("queue.length", {}, "shop", begin + micros(3600 * hour), float(value))
                for hour, value in zip(hours, values, strict=True)
            ],
        )
    said = await publish(context)
    assert "## Trends\n\n* queue.length {service=shop} has risen" in said


async def test_the_flow_leaves_its_page_behind_with_what_is_to_be_seen_to(context, monkeypatch):
    kept = {}

    async def keep(**artifact):
        kept.update(artifact)

    monkeypatch.setattr(flow, "acreate_markdown_artifact", keep)
    measure(context, "system.cpu.utilization", np.random.default_rng(1).uniform(0.2, 0.4, 60))
    await flow.forecast_series.fn({})
    await flow.publish(context, [], [], 7)
    assert kept["key"] == "forecast"
    assert "7 forecasts more are due and come first in the next run" in kept["markdown"]
    assert "## Maintenance\n\n" in kept["markdown"]
    assert "* daily rhythm: known after two days (1 series; until then bands are wider)" in kept["markdown"]


def test_a_change_of_trust_stands_at_the_top():
    one = series.Series(1, "load", {"host": "a"}, "host")
    fails = Trust(True, 0.5, 20)
    none = dict.fromkeys(("hour", "day", "week", "month"), "has no data")
    report = Report([SeriesForecast(one, None, {}, none, {"hour": fails})], changed=[Changed(one, "hour", fails)])
    assert "**load**: alerts by its forecasts are tickets from now on (50% of what came" in page(report, 0, ADDRESS)


def test_nothing_measured_says_when_there_will_be_something():
    assert page(Report([]), 0, ADDRESS).endswith("The first forecasts come after 20 minutes of data.")
