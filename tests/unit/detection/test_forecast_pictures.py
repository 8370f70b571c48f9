"""The pictures that the console draws of series."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from forewatch.clock import FakeClock, micros
from forewatch.config.reload import Configuration
from forewatch.console import pictures
from forewatch.detection.episode import Episode
from forewatch.runtime import Runtime
from forewatch.store import anomalies, forecasts, points, series
from forewatch.store.forecasts import Forecast
from forewatch.store.points import Point

pytestmark = pytest.mark.unit

SVG = "{http://www.w3.org/2000/svg}"
MINUTE = micros(60)


@pytest.fixture
def drawn(store):
    """Two hours of a counter that grows by 600 a minute, forecast for an hour and a day."""
    clock = FakeClock()
    now = clock.now()
    with store.measure() as conn:
        points.write(
            conn,
            [Point("system.disk.io", {}, "host", now - (120 - k) * MINUTE, 600.0 * k) for k in range(120)],
        )
        (one,) = series.all_series(conn)
        for horizon, step in (("hour", 300.0), ("day", 7200.0)):
            forecasts.add(conn, Forecast(one.id, now, horizon, now, step, "m", [10.0] * 12, [9.0] * 12, [11.0] * 12))
        then = now - 30 * MINUTE
        anomalies.put(conn, Episode(one.id, then, "unusual", "high", 0.9, then, then, end=then + 5 * MINUTE))
    app = FastAPI()
    app.include_router(pictures.router(Runtime(store.home, store, clock, Configuration(store))))
    return TestClient(app)


def test_a_counter_is_drawn_as_its_growth_with_its_band_and_what_was_unusual_in_red(drawn):
    answer = drawn.get("/pictures/forecast/1.svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    root = ElementTree.fromstring(answer.text)
    assert {node.get("class") for node in root.iter(f"{SVG}polyline")} == {"seen", "mean", "anomaly"}
    texts = [node.text for node in root.iter(f"{SVG}text")]
    assert texts[0] == "system.disk.io per second service=host"
    assert "10.0B" in texts or "10B" in texts


def test_each_reach_has_a_picture_of_its_own(drawn):
    hour, day = (drawn.get("/pictures/forecast/1.svg", params={"horizon": reach}) for reach in ("hour", "day"))
    assert hour.text != day.text
    assert drawn.get("/pictures/forecast/1.svg", params={"horizon": "month"}).status_code == 200


@pytest.mark.parametrize(
    "number", ["99999999999999999999999", str(2**63), str(2**63 - 1), "-1", "-99999999999999999999"]
)
def test_a_number_no_series_can_have_is_not_found(drawn, number):
    assert drawn.get(f"/pictures/forecast/{number}.svg").status_code == 404


def test_what_is_not_there_is_said(drawn):
    assert drawn.get("/pictures/forecast/9.svg").json() == {"detail": "there is no series 9"}
    answer = drawn.get("/pictures/forecast/1.svg", params={"horizon": "year"})
    assert (answer.status_code, answer.json()) == (
        404, {"detail": "there is no horizon year; there are hour, day, week, month"},
    )  # fmt: skip
