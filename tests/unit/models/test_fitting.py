from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forewatch.clock import MICROSECONDS, micros
from forewatch.detection.grid import Grid
from forewatch.detection.models import Model, fit, fit_many
from forewatch.detection.quantity import Range
from forewatch.detection.seasons import DAY, Calendar

pytestmark = [pytest.mark.unit, pytest.mark.filterwarnings("error")]

# A Thursday.
T0 = 1_767_225_600 * MICROSECONDS
FREE = Range()
STEP = 900.0
A_DAY = 96


def hours_of(days: float) -> np.ndarray:
    return np.arange(days * A_DAY) * STEP / 3600


def grid(values: np.ndarray, filled: np.ndarray | None = None) -> Grid:
    return Grid(T0, STEP, np.asarray(values, dtype=float), filled)


def daily(days: float, seed: int = 1) -> np.ndarray:
    hours = hours_of(days)
    return 50 + 20 * np.sin(2 * np.pi * hours / 24) + np.random.default_rng(seed).normal(size=len(hours))


def office(days: float, seed: int = 1) -> np.ndarray:
    """Busy from Monday to Friday, quiet on Saturdays and Sundays."""
    hours = hours_of(days)
    weekday = ((hours // 24) + 3) % 7
    busy = np.where(weekday < 5, 1 + np.sin(np.pi * (hours % 24) / 24), 0.1)
    return 100 * busy + np.random.default_rng(seed).normal(size=len(hours))


def expected(model: Model, steps: int) -> np.ndarray:
    return np.array(model.predict(steps).mean)


def test_a_daily_rhythm_is_forecast_a_day_ahead():
    whole = daily(9)
    made = fit(grid(whole[: 8 * A_DAY]), within=FREE, steps=A_DAY).predict(A_DAY)
    assert np.mean(np.abs(np.array(made.mean) - whole[8 * A_DAY :])) < 1.3
    inside = (whole[8 * A_DAY :] >= made.lower) & (whole[8 * A_DAY :] <= made.upper)
    assert np.mean(inside) > 0.9
    assert made.unknown == ("weekly rhythm: known after three weeks",)


def test_a_weekly_rhythm_is_known_after_three_weeks():
    whole = office(29)
    model = fit(grid(whole[: 22 * A_DAY]), within=FREE, steps=7 * A_DAY)
    assert model.predict(1).unknown == ()
    error = np.mean(np.abs(expected(model, 7 * A_DAY) - whole[22 * A_DAY :]))
    naive = np.mean(np.abs(np.tile(whole[21 * A_DAY : 22 * A_DAY], 7) - whole[22 * A_DAY :]))
    assert error < 6
    assert error < naive / 5


@pytest.mark.parametrize("a_day", [40.0, -3.0])
def test_a_rhythm_on_a_growing_level_keeps_both(a_day):
    whole = daily(16) + a_day * hours_of(16) / 24
    told = expected(fit(grid(whole[: 14 * A_DAY]), within=FREE, steps=2 * A_DAY), 2 * A_DAY)
    assert np.mean(np.abs(told - whole[14 * A_DAY :])) < 2.5


def test_a_holiday_behaves_as_a_sunday():
    # 26 January 2026 is a Monday; as a holiday nobody works.
    history = office(25)
    monday = T0 + 25 * micros(DAY)
    calendar = Calendar(frozenset({(monday, monday + micros(DAY))}))
    plain = expected(fit(grid(history), within=FREE, steps=A_DAY), A_DAY)
    holiday = expected(fit(grid(history), within=FREE, calendar=calendar, steps=A_DAY), A_DAY)
    assert np.mean(plain) > 150
    assert np.mean(np.abs(holiday - 10)) < 15


def test_a_past_holiday_does_not_spoil_the_workdays():
    history = office(26)
    # A Wednesday of the third week without work.
    day = slice(20 * A_DAY, 21 * A_DAY)
    history[day] = 10 + np.random.default_rng(3).normal(size=A_DAY)
    start = T0 + 20 * micros(DAY)
    calendar = Calendar(frozenset({(start, start + micros(DAY))}))
    after = office(27)[26 * A_DAY :]
    told = expected(fit(grid(history), within=FREE, calendar=calendar, steps=A_DAY), A_DAY)
    assert np.mean(np.abs(told - after)) < 12


def test_ratios_and_positive_metrics_keep_to_their_range():
    rng = np.random.default_rng(5)
    nearly_full = np.clip(rng.normal(0.95, 0.1, 10 * A_DAY), 0, 1)
    made = fit(grid(nearly_full), within=Range(0.0, 1.0), steps=A_DAY).predict(A_DAY)
    assert max(made.upper) == 1.0
    assert max(made.mean) <= 1.0
    rare = rng.poisson(0.2, 10 * A_DAY)
    made = fit(grid(rare), within=Range(0.0), steps=A_DAY).predict(A_DAY)
    assert min(made.lower) == min(made.mean) == 0.0
    assert max(made.upper) >= 1.0


def test_a_name_that_misleads_does_not_bend_what_is_measured():
    below_zero = daily(8) - 200
    made = fit(grid(below_zero), within=Range(0.0), steps=A_DAY).predict(A_DAY)
    assert max(made.mean) < -100


@pytest.mark.parametrize("value", [0.0, 0.25, -3.0, 1e12, 25_268_322_304.0])
def test_a_constant_series_stays_what_it_is(value):
    model = fit(grid(np.full(500, value)), within=FREE, steps=A_DAY)
    made = model.predict(A_DAY)
    assert model.name == "constant"
    assert set(made.mean) == {value}
    (lower,), (upper,) = set(made.lower), set(made.upper)
    assert lower < value < upper
    assert upper - lower <= 0.0021 * (abs(value) or 1.0)


def test_a_sparse_series_gets_a_level_and_no_rhythm():
    filled = np.ones(8 * A_DAY, dtype=np.bool_)
    filled[::10] = False
    model = fit(grid(daily(8), filled), within=FREE, steps=A_DAY)
    assert not any("profile" in part.name or "autoregression" in part.name for part in model.parts)


def test_made_up_values_do_not_make_a_band_narrow():
    rng = np.random.default_rng(1)
    values, filled = rng.normal(size=8 * A_DAY), np.zeros(8 * A_DAY, dtype=np.bool_)
    # Of the newest four days all but every third step were bridged, as flat as a bridge is.
    filled[4 * A_DAY :] = np.arange(4 * A_DAY) % 3 > 0
    flat = np.where(filled, 0.0, values)
    honest = fit(grid(flat, filled), within=FREE, steps=8)
    fooled = fit(grid(flat), within=FREE, steps=8)
    assert honest.halves[0] > 1.2 * fooled.halves[0]


def test_half_an_hour_gives_a_forecast_with_a_band_that_widens():
    values = 50 + np.cumsum(np.random.default_rng(2).normal(size=30))
    model = fit(Grid(T0, 60.0, values), within=FREE, steps=60)
    made = model.predict(60)
    width = np.array(made.upper) - np.array(made.lower)
    assert made.unknown == ("daily rhythm: known after two days", "weekly rhythm: known after three weeks")
    assert width[-1] > 2 * width[0] > 0
    assert np.all(np.diff(width) >= -1e-9)


def test_the_bands_of_half_an_hours_data_hold():
    inside = []
    for seed in range(40):
        walk = 50 + np.cumsum(np.random.default_rng(seed).normal(size=90))
        made = fit(Grid(T0, 60.0, walk[:30]), within=FREE, steps=60).predict(60)
        inside.append(np.mean((walk[30:] >= made.lower) & (walk[30:] <= made.upper)))
    assert np.mean(inside) > 0.8


def test_a_far_forecast_is_possible_from_a_short_past_and_wider_than_a_near_one():
    made = fit(grid(daily(5)), within=FREE, steps=7 * A_DAY).predict(7 * A_DAY)
    assert len(made.mean) == 7 * A_DAY
    assert made.upper[-1] - made.lower[-1] > made.upper[0] - made.lower[0]


def test_many_at_once_are_fitted_as_each_alone():
    grids = [grid(daily(8, seed) * 10.0**seed) for seed in range(5)]
    grids += [Grid(T0 + micros(STEP), STEP, daily(6)), grid(np.full(800, 7.0))]
    ranges = [FREE] * len(grids)
    for one, many in zip(
        (fit(each, within=FREE, steps=A_DAY) for each in grids),
        fit_many(grids, within=ranges, steps=A_DAY),
        strict=True,
    ):
        alone, together = one.predict(A_DAY), many.predict(A_DAY)
        assert (alone.start, alone.model, alone.unknown) == (together.start, together.model, together.unknown)
        # The block kernel and statsmodels agree to 1e-6, and that grows over a day.
        np.testing.assert_allclose(together.mean, alone.mean, rtol=2e-5)
        np.testing.assert_allclose(together.upper, alone.upper, rtol=2e-5)


@given(st.integers(0, 3), st.sampled_from([1e-9, 1e-3, 1e9, 1e20]), st.sampled_from([0.0, 1e3]))
@settings(max_examples=10, deadline=None)
def test_the_answer_scales_and_shifts_with_the_series(seed, factor, shift):
    values = daily(6, seed)
    one = expected(fit(grid(values), within=FREE, steps=A_DAY), A_DAY)
    other = expected(fit(grid((values + shift) * factor), within=FREE, steps=A_DAY), A_DAY)
    np.testing.assert_allclose(other / factor - shift, one, rtol=1e-3, atol=0.02)


@given(
    st.lists(st.sampled_from([0.0, 1.0, 1.0, 2.0, 1e-300, 7.5, 1e12, -5.0]), min_size=24, max_size=300),
    st.integers(1, 400),
)
@settings(max_examples=40, deadline=None)
def test_whatever_the_values_there_is_an_ordered_answer(values, steps):
    made = fit(grid(np.array(values)), within=Range(0.0), steps=steps).predict(steps)
    assert len(made.mean) == steps
    assert np.all(np.isfinite([made.mean, made.lower, made.upper]))
    assert all(low <= mean <= high for low, mean, high in zip(made.lower, made.mean, made.upper, strict=True))
