"""The flow's body without Prefect: its one task as a plain function, and the page it publishes."""

from __future__ import annotations

import os

import numpy as np
import pytest

from flows.forecast import _page, forecast_series
from forewatch import runtime
from forewatch.clock import FakeClock, micros
from forewatch.config.follow import Configuration
from forewatch.store import points
from forewatch.store.points import Point

pytestmark = pytest.mark.unit


async def test_the_page_tells_what_is_coming_and_what_is_not_known_yet(store, monkeypatch):
    clock = FakeClock()
    monkeypatch.setattr(
        runtime, "_current", (os.getpid(), runtime.Runtime(store.home, store, clock, Configuration(store)))
    )
    begin, rng = clock.now(), np.random.default_rng(1)
    disk = ("system.filesystem.utilization", {"mountpoint": "/var|x"})
    sample = [
        Point(*disk, "host", begin + micros(60 * index), value)
        for index, value in enumerate(np.linspace(0.5, 0.8, 180))
    ]
    sample += [
        Point("system.cpu.utilization", {}, "host", begin + micros(60 * index), value)
        for index, value in enumerate(rng.uniform(0.2, 0.4, 180))
    ]
    sample.append(Point("check.duration", {"check": "http"}, "shop", begin + micros(179 * 60), 0.02))
    with store.measure() as conn:
        points.write(conn, sample)
    clock.advance(180 * 60)

    rows = await forecast_series.fn()
    page = _page(rows, clock.now(), "https://watch.example").splitlines()

    assert len(page) == 5
    assert page[2].startswith("| system.filesystem.utilization {mountpoint=/var\\|x, service=host} | 80% |")
    assert "| 1h 58m |" in page[2]
    assert "| system.cpu.utilization {service=host} |" in page[3]
    assert "not yet: needs 30 minutes of data, has 1 minute" in page[4]
    assert "(https://watch.example/pictures/forecast/" in page[3]


def test_nothing_due_says_so():
    assert _page([], 0, "https://watch.example") == "No series was due."
