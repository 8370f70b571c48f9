from __future__ import annotations

import math

import pytest

from forewatch.detection.quantity import Range, range_of

pytestmark = pytest.mark.unit


def test_a_ratio_lies_between_none_and_all_and_the_rest_is_not_negative():
    assert range_of("system.cpu.utilization") == Range(0.0, 1.0)
    assert range_of("process.memory.usage") == Range(0.0, math.inf)
    assert range_of("check.duration") == Range(0.0, math.inf)


def test_a_series_that_has_left_its_range_is_freed_on_that_side_only():
    assert Range(0.0, 1.0).kept_by(0.2, 1.7) == Range(0.0, math.inf)
    assert Range(0.0, 1.0).kept_by(-0.2, 0.7) == Range(-math.inf, 1.0)
    assert Range(0.0, 1.0).kept_by(0.0, 1.0) == Range(0.0, 1.0)
