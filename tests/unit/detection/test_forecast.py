from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forewatch.clock import MICROSECONDS, micros
from forewatch.detection.band import Forecast, NotYet
from forewatch.detection.forecast import forecast, score

pytestmark = [pytest.mark.unit, pytest.mark.filterwarnings("error")]

T0 = 1_767_225_600 * MICROSECONDS
HOUR, DAY = 3600.0, 86400.0


def series(values, every: float = 60.0, start: int = T0) -> list[tuple[int, float]]:
    return [(start + micros(index * every), float(value)) for index, value in enumerate(values)]


def ar(count: int, seed: int, phi: float = 0.7, level: float = 50.0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=count + 100)
    values = np.zeros(count + 100)
    for index in range(1, len(values)):
        values[index] = phi * values[index - 1] + noise[index]
    return values[100:] + level


def end_of(samples: list[tuple[int, float]], every: float = 60.0) -> int:
    return samples[-1][0] + micros(every)


def test_two_hours_of_data_give_the_next_hour():
    samples = series(ar(120, seed=1))
    made = forecast(samples, end_of(samples))
    assert isinstance(made, Forecast)
    assert (made.start, made.step, len(made.mean)) == (end_of(samples), 60.0, 60)
    assert all(low < mean < high for low, mean, high in zip(made.lower, made.mean, made.upper, strict=True))
    assert made.end == end_of(samples) + micros(HOUR)


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        ([], "has no data"),
        (series([1.0]), "needs 30 minutes of data, has 1 minute"),
        (series(range(14)), "needs 30 minutes of data, has 14 minutes"),
        (series([math.inf] * 300), "has no data"),
    ],
)
def test_what_cannot_be_known_yet_is_said(samples, said):
    now = end_of(samples) if samples else T0
    assert forecast(samples, now) == NotYet(said)


def test_silence_is_said_too():
    samples = series(ar(300, seed=1))
    assert forecast(samples, samples[-1][0] + micros(HOUR)) == NotYet("has no data for 1h")


def test_only_what_came_after_a_long_gap_is_used():
    samples = series(ar(300, seed=1)) + series(ar(20, seed=2), start=T0 + micros(10 * HOUR))
    said = "needs 30 minutes of data, has 20 minutes since the last gap of over an hour"
    assert forecast(samples, end_of(samples)) == NotYet(said)


def test_a_short_gap_is_bridged():
    samples = series(ar(240, seed=1))
    del samples[100:120]
    assert isinstance(forecast(samples, end_of(samples)), Forecast)


def test_a_constant_series_stays_what_it_is_and_says_so():
    samples = series([0.25] * 200)
    made = forecast(samples, end_of(samples))
    assert isinstance(made, Forecast)
    assert made.model == "constant"
    assert set(made.mean) == {0.25}
    assert (set(made.lower), set(made.upper)) == ({0.24975}, {0.25025})


STEPS = {
    "at the very end": [40] * 599 + [41],
    "three hours ago": [40] * 560 + [41] * 40,
    "half-way": [40] * 300 + [41] * 300,
    "down": [40] * 599 + [39],
    "large": [40] * 590 + [80] * 10,
    "in an hour of data": [40] * 59 + [41],
}


@pytest.mark.parametrize("values", STEPS.values(), ids=list(STEPS))
def test_a_forecast_starts_where_the_series_stands(values):
    samples = series(values, 300.0)
    made = forecast(samples, end_of(samples, 300.0))
    assert isinstance(made, Forecast)
    assert made.mean[0] == pytest.approx(values[-1], abs=0.05)
    # It may stay there or come back: the band leaves room for both, from the first step to the last.
    assert all(lower < values[-1] < upper for lower, upper in zip(made.lower, made.upper, strict=True))
    assert all(lower < upper for lower, upper in zip(made.lower, made.upper, strict=True))


def test_a_step_that_comes_every_day_is_no_surprise():
    samples = series([40 + 5 * (at % 288 >= 144) for at in range(288 * 7 + 144)], 300.0)
    made = forecast(samples, end_of(samples, 300.0))
    assert isinstance(made, Forecast)
    assert made.mean[0] == pytest.approx(45, abs=0.5)


def test_a_spike_fades_and_a_new_level_lasts():
    calm = list(40 + np.random.default_rng(3).normal(0, 0.1, 590))
    after = {}
    for name, values in {
        "spike": [*calm, *calm[:9], 45.0],
        "level": [*calm, *(5 + value for value in calm[:10])],
    }.items():
        samples = series(values, 300.0)
        made = forecast(samples, end_of(samples, 300.0))
        assert isinstance(made, Forecast)
        after[name] = made.mean[6]
    assert after["spike"] < 41 < 43 < after["level"]


def test_a_band_holds_about_95_percent_of_what_comes():
    inside = []
    for seed in range(25):
        whole = series(ar(720, seed=seed))
        now = end_of(whole[:660])
        made = forecast(whole[:660], now)
        assert isinstance(made, Forecast)
        result = score(made, whole[660:])
        assert result is not None
        inside.append(result[0])
    assert 0.90 <= np.mean(inside) <= 0.995


def test_a_daily_rhythm_is_known_after_two_days():
    seconds = np.arange(0, 4 * DAY, 300.0)
    rng = np.random.default_rng(5)
    values = 100 + 30 * np.sin(2 * np.pi * seconds / DAY) + rng.normal(size=len(seconds))
    whole = series(values, every=300.0)
    known = whole[: -round(HOUR / 300)]
    made = forecast(known, end_of(known, 300.0))
    assert isinstance(made, Forecast)
    assert "day" in made.model
    result = score(made, whole)
    assert result is not None
    # The hour moves by 8, the noise is 1.
    assert result[1] < 1.6


def test_a_rising_line_goes_on_rising():
    samples = series(10 + 0.01 * np.arange(600))
    made = forecast(samples, end_of(samples))
    assert isinstance(made, Forecast)
    assert made.mean[-1] == pytest.approx(10 + 0.01 * 659, abs=0.02)


def test_ratios_stay_ratios_and_counts_do_not_become_negative():
    rng = np.random.default_rng(3)
    samples = series(np.clip(rng.normal(0.9, 0.1, 300), 0, 1))
    made = forecast(samples, end_of(samples), ratio=True)
    assert isinstance(made, Forecast)
    assert max(made.upper) == 1.0
    few = series(rng.poisson(0.3, 300))
    made = forecast(few, end_of(few))
    assert isinstance(made, Forecast)
    assert min(made.lower) == 0.0


def test_a_score_of_nothing_is_none():
    made = Forecast(T0, 60.0, (1.0,), (0.0,), (2.0,), "x")
    assert score(made, series([1.0], start=T0 + micros(600))) is None
    assert score(made, series([3.0])) == (0.0, 2.0)
    assert score(made, series([1.5])) == (1.0, 0.5)


@given(st.integers(0, 5), st.sampled_from([1e-9, 1e-3, 1.0, 1e9, 1e20]))
@settings(max_examples=12, deadline=None)
def test_the_answer_scales_with_the_series(seed, factor):
    samples = series(ar(200, seed=seed))
    now = end_of(samples)
    one, scaled = forecast(samples, now), forecast([(at, value * factor) for at, value in samples], now)
    assert isinstance(one, Forecast)
    assert isinstance(scaled, Forecast)
    np.testing.assert_allclose(scaled.mean, np.array(one.mean) * factor, rtol=1e-4)
    np.testing.assert_allclose(scaled.upper, np.array(one.upper) * factor, rtol=1e-4)


messy = st.lists(
    st.tuples(st.integers(0, 4 * 3600), st.one_of(st.floats(), st.sampled_from([0.0, 1.0, 1e308, 5e-324]))),
    max_size=300,
)


@given(messy, st.randoms())
@settings(max_examples=60, deadline=None)
def test_whatever_comes_there_is_an_answer_and_no_warning(samples, order):
    points = [(T0 + micros(second), value) for second, value in samples]
    order.shuffle(points)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = forecast(points, T0 + micros(4 * HOUR))
    if isinstance(made, Forecast):
        assert np.all(np.isfinite([made.mean, made.lower, made.upper]))


@given(st.lists(st.sampled_from([0.0, 1.0, 1.0, 1.0, 1e-300, 7.5, 1e12]), min_size=130, max_size=200))
@settings(max_examples=40, deadline=None)
def test_steps_spikes_and_near_constants_are_forecast_without_a_warning(values):
    samples = series(values)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = forecast(samples, end_of(samples))
    assert isinstance(made, Forecast)
    assert np.all(np.isfinite([made.mean, made.lower, made.upper]))
    assert all(low <= mean <= high for low, mean, high in zip(made.lower, made.mean, made.upper, strict=True))
