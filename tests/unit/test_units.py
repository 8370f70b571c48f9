"""Durations as a person says them."""

from __future__ import annotations

import pytest

from forewatch.units import format_duration

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.12, "120ms"),
        (0.9994, "999ms"),
        (0.9996, "1s"),
        (4.0, "4s"),
        (59.94, "59.9s"),
        (59.96, "1m"),
        (754.0, "12m 34s"),
        (11_520.0, "3h 12m"),
        (-90.0, "-1m 30s"),
    ],
)
def test_a_duration_is_said_in_its_largest_units(seconds: float, said: str) -> None:
    assert format_duration(seconds) == said
