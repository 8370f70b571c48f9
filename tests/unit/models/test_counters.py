from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewatch.clock import MICROSECONDS
from forewatch.detection.counters import is_counter, shown_by, to_rates

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "metric",
    ["system.network.io", "system.disk.operations", "process.restarts", "http_requests_total", "system.cpu.time"],
)
def test_what_only_counts_up_is_a_counter(metric):
    assert is_counter(metric)


@pytest.mark.parametrize(
    "metric",
    [
        "system.cpu.utilization",
        "process.thread.count",
        "check.duration",
        "process.uptime",
        "system.memory.usage",
        "load",
    ],
)
def test_what_goes_up_and_down_is_none(metric):
    assert not is_counter(metric)


def at(*pairs: tuple[float, float]) -> list[tuple[int, float]]:
    return [(round(second * MICROSECONDS), value) for second, value in pairs]


def test_a_rate_is_the_growth_per_second_told_at_its_end():
    assert to_rates(at((0, 100), (10, 150), (20, 150))) == at((10, 5.0), (20, 0.0))


def test_a_reset_counts_from_zero_and_never_makes_a_negative_rate():
    assert to_rates(at((0, 1000), (10, 30))) == at((10, 3.0))


def test_disorder_doubles_and_infinities_do_not_matter():
    assert to_rates(at((20, 30), (0, 10), (10, float("nan")), (10, 20), (0, 10))) == at((10, 1.0), (20, 1.0))


@pytest.mark.parametrize(
    "values",
    [
        [100, 120, 90, 110], [100, 120, 90, 110] * 20, [5, 0, 3, 0, 7, 0, 2, 0], [3, -1, 2], [10, 9, 8, 7, 6, 5],
        [100] * 50 + [90] * 50 + [95] * 50 + [70] * 50,
    ],
)  # fmt: skip
def test_values_that_fall_often_show_that_a_name_misleads(values):
    assert is_counter("queue_count")
    assert shown_by("queue_count", at(*enumerate(values))) is False


@pytest.mark.parametrize(
    "values",
    [
        [], [5], [100, 120, 130], list(range(0, 1000, 7)), [*range(100), *range(100)], [*range(50), 0, *range(1, 50)],
        [*range(100, 150), 140, *range(141, 200)], [7] * 100, [0, 5],
    ],
    ids=["none", "one", "grows", "grows long", "began again", "from zero", "a part began again", "stands", "two"],
)  # fmt: skip
def test_values_that_do_not_contradict_the_name_leave_it_at_that(values):
    assert shown_by("jobs_total", at(*enumerate(values))) is None


def test_of_what_is_not_called_a_counter_the_values_say_nothing():
    assert shown_by("queue.depth", at((0, 1), (1, 2), (2, 3), (3, 4))) is None


def test_one_sample_has_no_rate():
    assert to_rates(at((0, 5))) == []


@given(st.lists(st.floats(0, 1e12), min_size=2, max_size=30))
def test_rates_of_counters_are_never_negative(values):
    rates = to_rates(at(*enumerate(values)))
    assert all(rate >= 0 for _, rate in rates)
    assert len(rates) == len(values) - 1
