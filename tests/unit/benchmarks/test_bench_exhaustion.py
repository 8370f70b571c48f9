"""The drawn disks are what they claim to be, and their forecasts stay as good as it was."""

from __future__ import annotations

import pytest

from benchmarks._disks import HARD, PLAIN, STEP, disks
from benchmarks.exhaustion import NEVER, _judged, line_of_all, ours
from forewatch.clock import seconds

pytestmark = pytest.mark.unit


def test_a_disk_is_not_full_yet_and_is_drawn_the_same_again():
    for one, again in zip(disks(PLAIN + HARD, 16, 7), disks(PLAIN + HARD, 16, 7), strict=True):
        assert one == again
        assert 0.5 * 86400 <= one.left < 15.01 * 86400
        assert max(value for _, value in one.samples) < one.limit
        assert all(at < one.now for at, _ in one.samples)


def test_the_same_disk_is_measured_by_the_hour_or_every_five_minutes():
    [hourly], [fine] = disks(("steady",), 1, 7), disks(("steady",), 1, 7, STEP)
    assert hourly.left == fine.left
    assert set(hourly.samples) <= set(fine.samples)
    assert seconds(fine.samples[1][0] - fine.samples[0][0]) == STEP


def test_exhaustion_is_forecast_as_well_as_it_was():
    """On the disks of the benchmark it is .98 and .93; this few may fall a little short of that."""
    plain, hard = _judged(disks(PLAIN, 50, 1000), ours), _judged(disks(HARD, 44, 1000), ours)
    assert plain["within"] >= 0.9
    assert plain["median"] <= 0.03
    assert 0.65 <= plain["holds"] <= 0.95
    assert hard["within"] >= 0.8
    assert _judged(disks(PLAIN, 50, 1000), line_of_all)["within"] < plain["within"]


def test_never_is_never_within():
    assert _judged(disks(PLAIN, 5, 3), lambda disk: NEVER)["within"] == 0
