"""The block kernel beside statsmodels' AutoReg: the same parameters, forecasts and standard errors."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.tsa.ar_model import AutoReg

from forewatch.clock import MICROSECONDS
from forewatch.detection.models.autoregression import autoregression, autoregressions, terms
from forewatch.detection.models.kernel import fit_block, forecast_block
from forewatch.detection.models.part import recursion
from forewatch.detection.seasons import DAY, WEEK, fourier, times

pytestmark = [pytest.mark.unit, pytest.mark.filterwarnings("error")]

T0 = 1_767_225_600 * MICROSECONDS
STEPS = 96


def random_block(seed: int, count: int, length: int, step: float) -> np.ndarray:
    """Rhythm, wandering, memory and noise in shares of their own, in units from nanoseconds to terabytes, scaled."""
    rng = np.random.default_rng(seed)
    day = np.sin(2 * np.pi * np.arange(length) * step / DAY)
    wander = np.cumsum(rng.normal(size=(count, length)), axis=1) * rng.uniform(0, 1, (count, 1))
    values = day * rng.uniform(0, 5, (count, 1)) + wander + rng.standard_t(3, size=(count, length))
    values = (values + rng.normal(0, 100, (count, 1))) * 10 ** rng.uniform(-9, 12, (count, 1))
    values -= values.mean(axis=1, keepdims=True)
    return values / np.abs(values).max(axis=1, keepdims=True)


@pytest.mark.parametrize(("lags", "season"), [(1, None), (3, "day"), (5, "day"), (5, "week")])
def test_the_kernel_equals_statsmodels_on_two_hundred_random_series(lags, season):
    step, length = 900.0, 24 * 96
    exog = None
    if season is not None:
        parts = [fourier(T0, step, length + STEPS, DAY, 4)]
        if season == "week":
            parts.append(fourier(T0, step, length + STEPS, WEEK, 3))
        exog = np.concatenate(parts, axis=1)
    known, ahead = (None, None) if exog is None else (exog[:length], exog[length:])
    block = random_block(lags, 50, length, step)

    fitted = fit_block(block, lags, known)
    mean, error = forecast_block(block, fitted, lags, ahead, STEPS)

    assert np.all(fitted.sound)
    for row, y in enumerate(block):
        theirs = AutoReg(y, lags, trend="c", exog=known).fit()
        made = theirs.get_prediction(length, length + STEPS - 1, exog_oos=ahead)
        np.testing.assert_allclose(fitted.params[row], theirs.params, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(mean[row], made.predicted_mean, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(error[row], made.se_mean, rtol=1e-6)


def test_what_cannot_be_told_apart_is_said_to_be_unsound_and_spoils_no_other_series():
    good = random_block(7, 3, 400, 900.0)
    line = np.linspace(-1, 1, 400)
    alternating = np.resize([1.0, -1.0], 400)
    fitted = fit_block(np.vstack([good, line, alternating, np.zeros(400)]), 3)
    assert fitted.sound.tolist() == [True, True, True, False, False, False]
    np.testing.assert_allclose(fitted.params[:3], fit_block(good, 3).params, rtol=1e-9)


@pytest.mark.parametrize("form", ["level", "day", "week", "differences", "daily differences"])
def test_many_fitted_at_once_are_the_parts_that_each_alone_would_be(form):
    block = random_block(11, 8, 24 * 96, 900.0)
    block[3] = np.linspace(-1, 1, block.shape[1])
    moments = times(T0, 900.0, block.shape[1])
    for y, one in zip(block, autoregressions(block, moments, form), strict=True):
        alone = autoregression(y, moments, form)
        assert (one is None) == (alone is None)
        if one is not None and alone is not None:
            origin = np.array([len(y)])
            ahead = times(T0, 900.0, len(y) + STEPS)
            np.testing.assert_allclose(
                one.paths(y, ahead, origin, STEPS), alone.paths(y, ahead, origin, STEPS), rtol=1e-6, atol=1e-8
            )
            np.testing.assert_allclose(one.spread(STEPS), alone.spread(STEPS), rtol=1e-6)


@pytest.mark.parametrize(("lags", "drift"), [([1.0], 0.3), ([0.8], 0.0), ([0.8], 0.3), ([0.5, 0.2], 0.1), ([], 0.4)])
def test_a_recursion_is_what_it_says(lags, drift):
    y = np.random.default_rng(4).normal(size=30)
    origins = np.array([20, 25])
    told = recursion(np.array(lags), np.full((2, 6), drift), y, origins)
    for row, origin in enumerate(origins):
        known = list(y[:origin])
        for _ in range(6):
            known.append(drift + sum(weight * known[-1 - lag] for lag, weight in enumerate(lags)))
        np.testing.assert_allclose(told[row], known[origin:], rtol=1e-12)


def test_a_part_forecasts_what_statsmodels_does():
    step, length = 300.0, 864
    y = random_block(2, 1, length, step)[0]
    moments = times(T0, step, length + STEPS)
    exog = terms(moments, "day")
    assert exog is not None
    theirs = AutoReg(y, 5, trend="c", exog=exog[:length]).fit()
    made = theirs.get_prediction(length, length + STEPS - 1, exog_oos=exog[length:])
    part = autoregression(y, moments[:length], "day")
    assert part is not None
    ours = part.paths(y, moments, np.array([length]), STEPS)[0]
    np.testing.assert_allclose(ours, made.predicted_mean, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(part.spread(STEPS), made.se_mean, rtol=1e-6)
