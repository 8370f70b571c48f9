"""statsmodels' AutoReg with Fourier terms of the day and the week: the core of the forecasts.

One series is fitted by statsmodels; many that share their moments by a block kernel that equals it (a test compares
them). Forecasts from the parameters are a recursion of ours, equal to AutoReg's own too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from forewatch.detection.grid import Vector
from forewatch.detection.models.kernel import Matrix, fit_block
from forewatch.detection.models.part import Part, stable
from forewatch.detection.models.rhythm import DAY_PAIRS, WEEK_PAIRS, Rhythm
from forewatch.detection.seasons import DAY, WEEK, fourier_at

Form = Literal["level", "day", "week", "differences", "daily differences"]
"""Of the level, alone or with the rhythm of the day or of day and week; of the differences: what wanders or grows."""

LAGS = 5

_SAID = {
    "level": "autoregression",
    "day": "autoregression + day",
    "week": "autoregression + day + week",
    "differences": "autoregression of differences",
    "daily differences": "autoregression of differences + day",
}
_DIFFERENCES = ("differences", "daily differences")
_SINGULAR = 1e-14
"""Smallest to largest eigenvalue of the normal equations, below which parameters mean nothing."""


def autoregression(y: Vector, moments: NDArray[np.int64], form: Form) -> Part | None:
    """The form's model fitted by statsmodels; None where the series is too short or plain, or would run away."""
    if form in _DIFFERENCES:
        y, moments = np.diff(y), moments[1:]
    exog, lags = terms(moments, form), _lags(len(y))
    if _too_short(len(y), lags, exog):
        return None
    design = [np.ones((len(y) - lags, 1)), sliding_window_view(y[:-1], lags)]
    columns = np.concatenate(design if exog is None else [*design, exog[lags:]], axis=1)
    sizes = np.linalg.eigvalsh(columns.T @ columns)
    if sizes[0] <= _SINGULAR * sizes[-1]:
        return None
    # 100 MB and two seconds, which going on with a model, or the block kernel, does not need.
    from statsmodels.tsa.ar_model import AutoReg

    fit = AutoReg(y, lags, trend="c", exog=exog).fit()
    return _part(form, np.asarray(fit.params), lags, float(np.sqrt(fit.sigma2)))


def autoregressions(block: Matrix, moments: NDArray[np.int64], form: Form) -> list[Part | None]:
    """The same for every row of a block, fitted at once; what is badly conditioned is left to statsmodels."""
    y, at = (np.diff(block), moments[1:]) if form in _DIFFERENCES else (block, moments)
    exog, lags = terms(at, form), _lags(y.shape[1])
    if _too_short(y.shape[1], lags, exog):
        return [None] * len(block)
    fitted = fit_block(y, lags, exog)
    return [
        _part(form, params, lags, float(sigma)) if sound else autoregression(row, moments, form)
        for row, params, sigma, sound in zip(block, fitted.params, fitted.sigma, fitted.sound, strict=True)
    ]


def terms(moments: NDArray[np.int64], form: Form) -> Vector | None:
    """The form's Fourier terms as columns; None without any."""
    if form in ("level", "differences"):
        return None
    day = fourier_at(moments, DAY, DAY_PAIRS)
    return day if form != "week" else np.concatenate([day, fourier_at(moments, WEEK, WEEK_PAIRS)], axis=1)


def _lags(count: int) -> int:
    return min(LAGS, max(1, count // 24))


def _too_short(count: int, lags: int, exog: Vector | None) -> bool:
    return count - lags <= 2 * (1 + lags + (0 if exog is None else exog.shape[1]))


def _part(form: Form, params: Sequence[float] | Vector, lags: int, sigma: float) -> Part | None:
    values = np.array(params)
    weights, end = values[1 : 1 + lags], 1 + lags
    pairs = 2 * DAY_PAIRS if form not in ("level", "differences") else 0
    rhythm = Rhythm(float(values[0]), values[end : end + pairs], values[end + pairs :])
    if form in _DIFFERENCES:
        # As a recursion of the level.
        change = weights
        weights = np.append(change, 0.0)
        weights[1:] -= change
        weights[0] += 1.0
    return Part(_SAID[form], rhythm, sigma, weights) if stable(weights) else None
