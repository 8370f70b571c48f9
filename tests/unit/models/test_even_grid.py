from __future__ import annotations

import numpy as np
import pytest

from forewatch.clock import MICROSECONDS, micros
from forewatch.detection.band import Forecast, NotYet
from forewatch.detection.counters import to_rates
from forewatch.detection.forecast import forecast, prepare, steps_to
from forewatch.detection.grid import MOST_STEPS, Grid, regularise

pytestmark = [pytest.mark.unit, pytest.mark.filterwarnings("error")]

T0 = 1_767_225_600 * MICROSECONDS
HOUR, DAY = 3600.0, 86400.0


def series(days: float, every: float = 300.0, seed: int = 1) -> list[tuple[int, float]]:
    seconds = np.arange(0, days * DAY, every)
    values = 100 + 30 * np.sin(2 * np.pi * seconds / DAY) + np.random.default_rng(seed).normal(size=len(seconds))
    return [(T0 + micros(second), float(value)) for second, value in zip(seconds, values, strict=True)]


def without(samples: list[tuple[int, float]], since: float, until: float) -> list[tuple[int, float]]:
    """All but what lies between two days."""
    return [(at, value) for at, value in samples if not T0 + micros(since * DAY) <= at < T0 + micros(until * DAY)]


def the_end(days: float) -> int:
    return T0 + micros(days * DAY)


@pytest.mark.parametrize("horizon", [HOUR, DAY, 7 * DAY, 30 * DAY])
def test_the_farther_the_coarser_and_never_more_than_750_steps(horizon):
    grid = prepare(series(14), the_end(14), horizon=horizon)
    assert isinstance(grid, Grid)
    assert steps_to(grid, the_end(14), horizon) <= MOST_STEPS
    assert grid.step == {HOUR: 300.0, DAY: 300.0, 7 * DAY: 900.0, 30 * DAY: 3600.0}[horizon]


def test_a_month_can_be_forecast():
    made = forecast(series(24), the_end(24), horizon=30 * DAY)
    assert isinstance(made, Forecast)
    assert len(made.mean) == 720
    assert made.end >= the_end(54)


def test_a_long_gap_is_bridged_along_the_daily_rhythm():
    whole, holed = series(6), without(series(6), 2.3, 2.9)
    grid = prepare(holed, the_end(6))
    assert isinstance(grid, Grid)
    assert np.sum(~grid.known) == pytest.approx(0.6 * 288, abs=1)
    truth = 100 + 30 * np.sin(2 * np.pi * np.arange(len(whole)) * 300.0 / DAY)
    assert np.max(np.abs(grid.values - truth)) < 5


def test_a_long_gap_of_what_wanders_is_bridged_from_end_to_end():
    level = [(at, value + (1000 if at >= T0 + micros(3 * DAY) else 0)) for at, value in series(6)]
    grid = prepare(without(level, 2.6, 3.4), the_end(6))
    assert isinstance(grid, Grid)
    bridge = grid.values[~grid.known]
    assert bridge[0] < 200
    assert bridge[-1] > 1000
    assert np.max(np.abs(np.diff(bridge))) < 40


def test_what_lies_before_a_gap_of_more_than_a_day_is_left_out():
    grid = prepare(without(series(8), 2.0, 4.0), the_end(8))
    assert isinstance(grid, Grid)
    assert grid.start == the_end(4)


def test_late_and_disordered_samples_count_as_if_they_had_come_in_time():
    whole = series(3)
    shuffled = list(whole)
    np.random.default_rng(1).shuffle(shuffled)  # type: ignore[arg-type]
    late = [(int(at), float(value)) for at, value in shuffled] + whole[:10]
    assert forecast(late, the_end(3)) == forecast(whole, the_end(3))


def test_samples_from_the_future_are_not_looked_at():
    assert forecast(series(4), the_end(3)) == forecast(series(3), the_end(3))


def test_samples_at_odd_moments_get_a_step_most_of_which_have_one():
    rng = np.random.default_rng(2)
    odd = [(at, value) for at, value in series(6) if rng.random() < 0.4]
    grid = regularise(odd, the_end(6), at_least=HOUR, longest=28 * DAY)
    assert isinstance(grid, Grid)
    assert grid.step > 300.0
    assert np.mean(grid.known) > 0.75


@pytest.mark.parametrize("every", [2 * HOUR, 12 * HOUR, DAY])
def test_what_is_measured_rarely_is_forecast_at_its_own_spacing(every):
    days = 30 * every / DAY
    rare = series(days, every=every)
    grid = regularise(rare, rare[-1][0] + micros(every), at_least=HOUR, longest=90 * DAY)
    assert isinstance(grid, Grid)
    assert every <= grid.step <= 2 * every


def test_a_counter_with_resets_is_forecast_by_its_growth():
    rng = np.random.default_rng(3)
    count, samples = 0.0, []
    for index in range(2 * 1440):
        count = 0.0 if index in (700, 2000) else count + rng.poisson(60)
        samples.append((T0 + micros(60.0 * index), count))
    made = forecast(to_rates(samples), T0 + micros(2 * DAY))
    assert isinstance(made, Forecast)
    assert np.mean(made.mean) == pytest.approx(1.0, abs=0.05)
    assert min(made.lower) > 0.5


def test_half_an_hour_is_enough_to_begin_and_what_is_not_known_yet_is_said():
    samples = series(30 / 1440, every=60.0)
    made = forecast(samples, samples[-1][0] + micros(60.0))
    assert isinstance(made, Forecast)
    assert made.unknown == ("daily rhythm: known after two days", "weekly rhythm: known after three weeks")
    early = forecast(samples[:20], samples[19][0] + micros(60.0))
    assert early == NotYet("needs 30 minutes of data, has 20 minutes")
