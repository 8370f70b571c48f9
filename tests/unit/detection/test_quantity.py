from __future__ import annotations

import pytest

from forewatch.detection.quantity import show, show_apart, unit_of, unit_of_statistic

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("metric", "unit"),
    [
        ("system.cpu.utilization", "ratio"),
        ("check.duration", "seconds"),
        ("process.memory.usage", "bytes"),
        ("system.memory.limit", "bytes"),
        ("system.open_file_descriptors.limit", "count"),
        ("forewatch.outbox.oldest.age", "seconds"),
        ("whatever", "count"),
    ],
)
def test_a_name_tells_the_unit(metric, unit):
    assert unit_of(metric) == unit


def test_a_rate_is_per_second_and_a_count_has_no_unit():
    assert unit_of_statistic("system.network.io", "rate") == ("bytes", "/s")
    assert unit_of_statistic("system.network.io", "count") == ("count", "")


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [(0.9312, "ratio", "93.1%"), (0.02, "seconds", "20ms"), (1.4e9, "bytes", "1.4GB"), (1234.5, "count", "1,234")],
)
def test_numbers_read_as_a_person_says_them(value, unit, said):
    assert show(value, unit) == said


def test_two_numbers_never_read_the_same_unless_they_are():
    assert show_apart(0.9001, 0.9, "ratio") == ("90.01%", "90%")
    assert show_apart(0.9, 0.9, "ratio") == ("90%", "90%")
    first, second = show_apart(1.000001e9, 1e9, "bytes")
    assert first != second
