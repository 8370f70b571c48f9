"""statsmodels' AutoReg with Fourier terms of the day and the week: the core of the forecasts.

Fitting is statsmodels' work; forecasts from the parameters are a recursion of ours, equal to AutoReg's own (a test
compares them) and far cheaper for the many origins of a trial.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from statsmodels.tsa.ar_model import AutoReg

from forewatch.detection.grid import Vector
from forewatch.detection.models.part import Part, stable
from forewatch.detection.models.rhythm import DAY_PAIRS, WEEK_PAIRS, Rhythm
from forewatch.detection.seasons import DAY, WEEK, fourier_at

LAGS = 5

_SINGULAR = 1e-14
"""Smallest to largest eigenvalue of the normal equations, below which parameters mean nothing."""


def autoregression(y: Vector, moments: NDArray[np.int64], *, day: bool, week: bool) -> Part | None:
    """An autoregression of the level; None where the series is too plain or would run away."""
    fitted = _fit(y, moments, day=day, week=week)
    if fitted is None:
        return None
    lags, rhythm, sigma = fitted
    return Part("autoregression" + _seasons(day, week), rhythm, sigma, lags) if stable(lags) else None


def autoregression_of_differences(y: Vector, moments: NDArray[np.int64]) -> Part | None:
    """An autoregression of the differences, as a recursion of the level: for series that wander or trend."""
    fitted = _fit(np.diff(y), moments[1:], day=False, week=False)
    if fitted is None:
        return None
    change, rhythm, sigma = fitted
    lags = np.append(change, 0.0)
    lags[1:] -= change
    lags[0] += 1.0
    return Part("autoregression of differences", rhythm, sigma, lags) if stable(lags) else None


def terms(moments: NDArray[np.int64], *, day: bool, week: bool) -> Vector | None:
    """The Fourier terms as columns; None without any."""
    columns = [fourier_at(moments, DAY, DAY_PAIRS)] if day else []
    if week:
        columns.append(fourier_at(moments, WEEK, WEEK_PAIRS))
    return np.concatenate(columns, axis=1) if columns else None


def _fit(y: Vector, moments: NDArray[np.int64], *, day: bool, week: bool) -> tuple[Vector, Rhythm, float] | None:
    lags = min(LAGS, max(1, len(y) // 24))
    exog = terms(moments, day=day, week=week)
    design = [np.ones((len(y) - lags, 1)), sliding_window_view(y[:-1], lags)]
    if exog is not None:
        design.append(exog[lags:])
    columns = np.concatenate(design, axis=1)
    if columns.shape[0] <= 2 * columns.shape[1]:
        return None
    sizes = np.linalg.eigvalsh(columns.T @ columns)
    if sizes[0] <= _SINGULAR * sizes[-1]:
        return None
    fit = AutoReg(y, lags, trend="c", exog=exog).fit()
    params = np.asarray(fit.params)
    weights = params[1 + lags :]
    pairs = 2 * DAY_PAIRS if day else 0
    rhythm = Rhythm(float(params[0]), weights[:pairs], weights[pairs:])
    return params[1 : 1 + lags], rhythm, float(np.sqrt(fit.sigma2))


def _seasons(day: bool, week: bool) -> str:
    return (" + day" if day else "") + (" + week" if week else "")
