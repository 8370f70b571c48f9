from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forewatch.clock import MICROSECONDS, micros
from forewatch.detection.band import Forecast
from forewatch.detection.forecast_svg import forecast_svg

pytestmark = pytest.mark.unit

T0 = 1_767_225_600 * MICROSECONDS
BAND = Forecast(T0 + micros(3600), 300.0, (0.5,) * 12, (0.4,) * 12, (0.6,) * 12, "autoregression")
SVG = "{http://www.w3.org/2000/svg}"


def seen(count: int) -> list[tuple[int, float]]:
    return [(T0 + micros(60 * index), 0.3 + index % 7 / 100) for index in range(count)]


def test_it_shows_what_was_seen_the_band_and_axes_with_units():
    root = ElementTree.fromstring(forecast_svg("CPU", seen(60), BAND, "ratio"))
    assert {node.get("class") for node in root.iter(f"{SVG}polyline")} == {"seen", "mean"}
    assert root.find(f"{SVG}polygon") is not None
    texts = [node.text for node in root.iter(f"{SVG}text")]
    assert texts[0] == "CPU"
    assert "60%" in texts
    assert "00:00" in texts
    assert "01:57 UTC" in texts


def test_a_title_cannot_break_out():
    picture = forecast_svg('</text><script>x</script>"', seen(3), BAND, "count")
    assert "<script>" not in picture
    ElementTree.fromstring(picture)


def test_nothing_seen_says_so():
    assert "no data" in forecast_svg("CPU", [], None, "ratio")


def test_many_points_stay_a_small_picture_with_their_peak():
    samples = seen(20_000)
    samples[7777] = (samples[7777][0], 9.0)
    picture = forecast_svg("CPU", samples, None, "count")
    assert len(picture) < 10_000
    line = ElementTree.fromstring(picture).find(f"{SVG}polyline")
    assert line is not None
    heights = [float(point.split(",")[1]) for point in (line.get("points") or "").split()]
    assert min(heights) < 60 < 150 < max(heights)


@given(st.lists(st.tuples(st.integers(0, 10**15), st.floats()), max_size=20), st.sampled_from([None, BAND]))
@settings(max_examples=60)
def test_whatever_comes_is_drawn(samples, band):
    ElementTree.fromstring(forecast_svg("x", samples, band, "bytes"))
