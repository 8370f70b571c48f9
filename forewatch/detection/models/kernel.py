"""Autoregressions of many series at once: statsmodels' AutoReg as normal equations in one block, equal to 1e-6.

The series of a block share their moments, so the Fourier terms are multiplied once for all; sums over lagged products
differ from each other only at the edges. Pure numpy on arrays: a block may be handed to any process.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forewatch.detection.grid import Vector

Matrix = NDArray[np.float64]

_WORST = 1e9
"""The condition of scaled normal equations beyond which six digits cannot be promised."""
_RIDGE = 1e-12
"""Keeps the inverse of singular equations finite; two steps of refinement take its trace out of the others."""


@dataclass(frozen=True)
class Fitted:
    """Parameters of a block, a row a series, in AutoReg's order: constant, lags, terms."""

    params: Matrix
    sigma: Vector
    """The standard error of one step."""
    sound: NDArray[np.bool_]
    """Where the equations were well enough conditioned; elsewhere AutoReg is to be asked."""


def fit_block(y: Matrix, lags: int, terms: Matrix | None = None) -> Fitted:
    """Fit `y[t] = constant + lags + terms[t]` to every row of `y`; `terms` has a row a step."""
    series, length = y.shape
    exog = np.zeros((length, 0)) if terms is None else terms
    count, rows = 1 + lags + exog.shape[1], length - lags
    rest = exog[lags:]
    products, sums = _lagged(y, lags)
    crossed = np.stack([y[:, lags - lag : length - lag] @ rest for lag in range(lags + 1)], axis=1)

    normal = np.empty((series, count, count))
    end = 1 + lags
    normal[:, 0, 0] = rows
    normal[:, 0, 1:end] = normal[:, 1:end, 0] = sums[:, 1:]
    normal[:, 0, end:] = normal[:, end:, 0] = rest.sum(axis=0)
    normal[:, 1:end, 1:end] = products[:, 1:, 1:]
    normal[:, 1:end, end:] = crossed[:, 1:]
    normal[:, end:, 1:end] = crossed[:, 1:].transpose(0, 2, 1)
    normal[:, end:, end:] = rest.T @ rest
    right = np.concatenate([sums[:, :1], products[:, 0, 1:], crossed[:, 0]], axis=1)

    params, condition = _solve(normal, right)
    left = y[:, lags:] - params[:, :1] - params[:, end:] @ rest.T
    for lag in range(1, lags + 1):
        left -= params[:, lag : lag + 1] * y[:, lags - lag : length - lag]
    sigma = np.sqrt(np.einsum("sn,sn->s", left, left) / rows)
    return Fitted(params, sigma, condition < _WORST)


def forecast_block(y: Matrix, fitted: Fitted, lags: int, terms: Matrix | None, steps: int) -> tuple[Matrix, Matrix]:
    """Mean and standard error of the next steps of every row; `terms` are those of the steps to come."""
    drift = np.broadcast_to(fitted.params[:, :1], (len(y), steps))
    if terms is not None:
        drift = drift + fitted.params[:, 1 + lags :] @ terms.T
    # Steps lie in rows here: the recursion then runs over whole rows of memory.
    path = np.concatenate([y[:, -lags:].T, drift.T])
    weights = np.zeros((lags + steps, len(y)))
    weights[lags] = 1.0
    lagged = fitted.params[:, 1 : 1 + lags].T
    for step in range(lags, lags + steps):
        for lag in range(lags):
            path[step] += lagged[lag] * path[step - 1 - lag]
            if step > lags:
                weights[step] += lagged[lag] * weights[step - 1 - lag]
    error = fitted.sigma * np.sqrt(np.cumsum(weights[lags:] ** 2, axis=0))
    return path[lags:].T, error.T


def _lagged(y: Matrix, lags: int) -> tuple[Matrix, Matrix]:
    """Sums over `y[t - i] * y[t - j]` and over `y[t - i]`, for all i and j up to `lags`."""
    length = y.shape[1]
    products = np.empty((len(y), lags + 1, lags + 1))
    sums = np.empty((len(y), lags + 1))
    newest = y[:, lags:]
    for lag in range(lags + 1):
        products[:, 0, lag] = np.einsum("sn,sn->s", newest, y[:, lags - lag : length - lag])
        sums[:, lag] = y[:, lags - lag : length - lag].sum(axis=1)
    for one in range(lags):
        for other in range(one, lags):
            # One step further back: a product comes in at the old end and one leaves at the new.
            comes = y[:, lags - 1 - one] * y[:, lags - 1 - other]
            leaves = y[:, length - 1 - one] * y[:, length - 1 - other]
            products[:, one + 1, other + 1] = products[:, one, other] + comes - leaves
    upper = np.triu_indices(lags + 1, 1)
    products[:, upper[1], upper[0]] = products[:, upper[0], upper[1]]
    return products, sums


def _solve(normal: Matrix, right: Matrix) -> tuple[Matrix, Vector]:
    """The solution of each system and how badly it is conditioned."""
    size = np.sqrt(np.einsum("skk->sk", normal))
    size[size == 0.0] = 1.0
    scaled = normal / (size[:, :, None] * size[:, None, :])
    target = right / size
    inverse = np.linalg.inv(scaled + _RIDGE * np.eye(normal.shape[1]))
    solution = np.einsum("skl,sl->sk", inverse, target)
    for _ in range(2):
        solution += np.einsum("skl,sl->sk", inverse, target - np.einsum("skl,sl->sk", scaled, solution))
    condition = np.max(np.sum(np.abs(scaled), axis=2), axis=1) * np.max(np.sum(np.abs(inverse), axis=2), axis=1)
    return solution / size, condition
