"""The next hour of a series with a 95 % band: statsmodels' AutoReg, chosen and checked on the series' own past.

Two models are fitted, an autoregression of the level and one of the differences (for series that wander or trend),
with Fourier terms of the day once two days are there, and set against two plain random walks. Each is fitted on the
first two thirds and tried on the rest, at every horizon; the best one is fitted again on everything. The band is the
wider of the model's own and of the errors seen in the trial (split conformal): a model's own is too narrow where tails
are heavy.

Fitting is statsmodels' work; the forecast from its parameters is a vectorised recursion of ours, equal to AutoReg's own
(a test compares them) and far cheaper for the hundreds of origins that the trial takes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from statsmodels.tsa.ar_model import AutoReg

from forewatch.clock import micros
from forewatch.detection.band import Forecast, NotYet
from forewatch.detection.grid import Grid, Vector, regularise
from forewatch.detection.statistics import Samples, clean

__all__ = ["AT_LEAST", "HORIZON", "LONGEST", "Forecast", "NotYet", "forecast", "score"]

HORIZON = 3600.0
"""How far a forecast reaches beyond now, in seconds."""
AT_LEAST = 2 * 3600.0
"""How much history a forecast needs, in seconds."""
LONGEST = 14 * 86400.0
"""How much history is looked at, in seconds."""

_DAY = 86400.0
_LAGS = 5
_HARMONICS = 6
_FEWEST_STEPS = 24
_ORIGINS = 200
_NORMAL_95 = 1.959964
_SINGULAR = 1e-14
"""Smallest to largest eigenvalue of the normal equations, below which parameters mean nothing."""


def forecast(samples: Samples, now: int, *, ratio: bool = False) -> Forecast | NotYet:
    """Forecast a series from `now` to an hour later.

    A series that has never been negative stays so; a `ratio` that has never been above 1 stays so too.
    """
    grid = regularise(samples, now, at_least=AT_LEAST, longest=LONGEST)
    if isinstance(grid, NotYet):
        return grid
    if len(grid.values) < _FEWEST_STEPS:
        return NotYet(f"needs {_FEWEST_STEPS} values at its own spacing, has {len(grid.values)}")
    steps = max(1, -(-(now + micros(HORIZON) - grid.end) // micros(grid.step)))
    centre = float(np.mean(grid.values))
    scale = float(np.max(np.abs(grid.values - centre)))
    if scale <= 1e-12 * abs(centre) or scale < 1e-150:
        flat = (float(grid.values[-1]),) * steps
        return Forecast(grid.end, grid.step, flat, flat, flat, "constant")

    # Bytes and ratios are fitted alike: no numerical trouble, and the answer scales with the series.
    y = _clip((grid.values - centre) / scale)
    mean, half, model = _predict(y, _fourier(grid, len(y) + steps), steps)
    low = 0.0 if np.min(grid.values) >= 0 else -np.inf
    high = 1.0 if ratio and np.max(grid.values) <= 1 else np.inf

    def told(values: Vector) -> tuple[float, ...]:
        return tuple(float(f"{value:.6g}") for value in np.clip(values * scale + centre, low, high))

    return Forecast(grid.end, grid.step, told(mean), told(mean - half), told(mean + half), model)


def score(made: Forecast, actual: Samples) -> tuple[float, float] | None:
    """What came of a forecast: the share of steps inside the band, and the mean absolute error in the metric's unit.

    `actual` are samples over the forecast's span; a step's actual value is the mean of its samples, steps without any
    do not count. None where no step has a sample.
    """
    known = [(at, value) for at, value in clean(actual) if made.start <= at < made.end]
    if not known:
        return None
    index = np.array([(at - made.start) // micros(made.step) for at, _ in known])
    values = np.array([value for _, value in known])
    steps, first, count = np.unique(index, return_index=True, return_counts=True)
    came = np.add.reduceat(values, first) / count
    # Told numbers have six digits: what differs only beyond them is inside.
    slack = 1e-5 * np.abs(came)
    lower, upper, mean = (np.array(part)[steps] for part in (made.lower, made.upper, made.mean))
    inside = (came >= lower - slack) & (came <= upper + slack)
    return float(np.mean(inside)), float(np.mean(np.abs(came - mean)))


@dataclass(frozen=True)
class _Model:
    """`y[t] = drift[t] + sum(lags[i] * y[t - 1 - i])`, with `sigma` the standard error of one step."""

    name: str
    lags: Vector
    drift: Vector
    """One a step of the whole time axis, the future included."""
    sigma: float


def _predict(y: Vector, fourier: Vector | None, steps: int) -> tuple[Vector, Vector, str]:
    """Mean and half width of the band for the next steps, and the model's name."""
    count = len(y)
    cut = count * 2 // 3
    horizon = min(steps, max(1, count - cut - 1))
    first = max(cut, count - horizon - _ORIGINS)
    origins = np.arange(first, count - horizon + 1)
    trials = []
    for model in _candidates(y[:cut], fourier, count):
        errors = np.abs(_paths(model, y, origins, horizon) - y[origins[:, None] + np.arange(horizon)])
        trials.append((float(np.mean(errors)), model.name, errors))
    _, name, errors = min(trials, key=lambda trial: trial[0])

    fitted = {model.name: model for model in _candidates(y, fourier, count + steps)}
    model = fitted.get(name, fitted["random walk"])
    mean = _paths(model, y, np.array([count]), steps)[0]
    analytic = _NORMAL_95 * model.sigma * np.sqrt(np.cumsum(_impulse(model.lags, steps) ** 2))
    # The 95 % rank of n + 1: an error as large as the next one has one chance in twenty.
    rank = min(1.0, 0.95 * (1 + 1 / len(origins)))
    conformal = np.quantile(errors, rank, axis=0)
    conformal = np.concatenate([conformal, np.full(steps - horizon, conformal[-1])])
    return mean, np.maximum(analytic, np.maximum.accumulate(conformal)), model.name


def _candidates(y: Vector, fourier: Vector | None, length: int) -> list[_Model]:
    """Models fitted to `y`, with their drift over `length` steps. The random walk is always among them."""
    season = fourier if fourier is not None and len(y) >= 2 * fourier.shape[1] * _LAGS else None
    suffix = " + day" if season is not None else ""
    level = _autoreg("autoregression" + suffix, y, season, length)
    change = _autoreg(
        "autoregression of differences" + suffix, np.diff(y), None if season is None else season[1:], length
    )
    walks = [_random_walk("random walk", y, 0.0, length)]
    walks.append(_random_walk("random walk with drift", y, float(np.mean(np.diff(y))), length))
    fitted = [level, None if change is None else _summed(change)]
    return walks + [model for model in fitted if model is not None and _stable(model)]


def _random_walk(name: str, y: Vector, drift: float, length: int) -> _Model:
    return _Model(name, np.ones(1), np.full(length, drift), float(np.std(np.diff(y))))


def _autoreg(name: str, y: Vector, season: Vector | None, length: int) -> _Model | None:
    """An autoregression fitted by statsmodels; None where the series is too plain to tell its parameters apart."""
    lags = min(_LAGS, max(1, len(y) // 24))
    exog = None if season is None else season[: len(y)]
    design = [np.ones((len(y) - lags, 1)), sliding_window_view(y[:-1], lags)]
    if exog is not None:
        design.append(exog[lags:])
    columns = np.concatenate(design, axis=1)
    sizes = np.linalg.eigvalsh(columns.T @ columns)
    if sizes[0] <= _SINGULAR * sizes[-1]:
        return None
    fit = AutoReg(y, lags, trend="c", exog=exog).fit()
    params = np.asarray(fit.params)
    drift = np.full(length, params[0])
    if season is not None:
        known = season[:length]
        drift[: len(known)] += known @ params[1 + lags :]
    return _Model(name, params[1 : 1 + lags], drift, float(np.sqrt(fit.sigma2)))


def _summed(change: _Model) -> _Model:
    """A model of differences as one of the level: the same forecasts, with a unit root."""
    lags = np.append(change.lags, 0.0)
    lags[1:] -= change.lags
    lags[0] += 1.0
    # A row is lost to differencing: the drift of the first step belongs to none.
    return _Model(change.name, lags, np.append(0.0, change.drift[:-1]), change.sigma)


def _stable(model: _Model) -> bool:
    """Whether a forecast stays bounded, up to one unit root that differencing brings."""
    return bool(np.max(np.abs(np.roots([1.0, *-model.lags]))) < 1.0 + 1e-6)


def _paths(model: _Model, y: Vector, origins: NDArray[np.int64], steps: int) -> Vector:
    """Forecasts from each origin, shape (origins, steps); what is known at origin `o` is `y[:o]`."""
    order = len(model.lags)
    recent = y[origins[:, None] - 1 - np.arange(order)]
    path = np.empty((len(origins), steps))
    for step in range(steps):
        path[:, step] = model.drift[origins + step] + recent @ model.lags
        recent = np.concatenate([path[:, step : step + 1], recent[:, :-1]], axis=1)
    return path


def _impulse(lags: Vector, steps: int) -> Vector:
    """How one step's surprise lives on: the moving-average weights of the model."""
    weights = np.zeros(steps)
    weights[0] = 1.0
    for step in range(1, steps):
        reach = min(step, len(lags))
        weights[step] = weights[step - reach : step][::-1] @ lags[:reach]
    return weights


def _fourier(grid: Grid, length: int) -> Vector | None:
    """Sine and cosine of the day and its harmonics for `length` steps; None before two days are there."""
    if grid.span < 2 * _DAY or grid.step > _DAY / (4 * _HARMONICS):
        return None
    phase = 2 * np.pi * ((grid.start / 1e6 + np.arange(length) * grid.step) % _DAY) / _DAY
    angles = phase[:, None] * np.arange(1, _HARMONICS + 1)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)


def _clip(y: Vector) -> Vector:
    """Rare spikes held to the range of all but the outermost 1 %, widened by half of it."""
    low, high = np.quantile(y, (0.005, 0.995))
    room = (high - low) / 2
    return np.clip(y, low - room, high + room) if room > 0 else y
