"""How long do 10,000 series of 2,016 points take to be fitted and forecast by 288 steps with a band, on all cores?

The same autoregression (3 lags, 4 harmonics of the day) by statsmodels throughout and by the block kernel that equals
it, and the product's whole choice of models; each in as many processes as there are cores, already started.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
from statsmodels.tsa.ar_model import AutoReg

from forewatch.clock import MICROSECONDS
from forewatch.detection.grid import Grid
from forewatch.detection.models import fit_many, load
from forewatch.detection.models.kernel import Matrix, fit_block, forecast_block
from forewatch.detection.quantity import Range
from forewatch.detection.seasons import DAY, fourier

NAME = "reforecast"

Work = Callable[[Matrix], Callable[[], None]]
"""Prepares itself with some series; what it returns is timed."""
SERIES = 10_000
POINTS = 2016
STEPS = 288
STEP = 300.0
BLOCK = 250

_START = 1_767_225_600 * MICROSECONDS
_LAGS, _HARMONICS = 3, 4
_NORMAL_95 = 1.959964
# What is slow is measured on fewer series and said for all: the time is the same for each.
_MEASURED = {"statsmodels AutoReg": 1000, "kernel": SERIES, "choice among all models": 1000, "going on": 2000}


async def run(options: argparse.Namespace) -> dict[str, Any]:
    return await asyncio.to_thread(_measure, 20 if options.quick else 1)


def _measure(less: int) -> dict[str, Any]:
    cores = os.cpu_count() or 1
    # Threads of the linear algebra would compete with the processes.
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    work: dict[str, Work] = {
        "statsmodels AutoReg": _statsmodels,
        "kernel": _kernel,
        "choice among all models": _choice,
        "going on": _go_on,
    }
    found = {}
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        list(pool.map(_timed, [_statsmodels, _kernel, _choice] * cores, range(3 * cores), [4] * 3 * cores))
        for name, one in work.items():
            count = max(BLOCK, _MEASURED[name] // less)
            blocks = max(cores, count // BLOCK)
            sizes = [count // blocks] * blocks
            began = time.perf_counter()
            spent = list(pool.map(_timed, [one] * blocks, range(blocks), sizes))
            # Making up the series is not part of it; it is spread over the cores like the rest.
            taken = time.perf_counter() - began - sum(apart for apart, _ in spent) / cores
            share = SERIES / sum(sizes)
            found[name] = {
                "series": sum(sizes),
                "for all": taken * share,
                "processor": sum(busy for _, busy in spent) / cores * share,
            }
    return {"cores": cores, "difference": _difference(), "found": found}


def _made_up(seed: int, count: int) -> Matrix:
    """Series with a daily rhythm, memory and noise, each in shares of its own."""
    random = np.random.default_rng(seed)
    day = np.sin(2 * np.pi * np.arange(POINTS) * STEP / DAY)
    wander = np.cumsum(random.normal(size=(count, POINTS)), axis=1) * random.uniform(0, 0.1, (count, 1))
    return 50 + day * random.uniform(0, 5, (count, 1)) + wander + random.normal(size=(count, POINTS))


def _terms() -> Matrix:
    return fourier(_START, STEP, POINTS + STEPS, DAY, _HARMONICS)


def _timed(work: Work, seed: int, count: int) -> tuple[float, float]:
    """Seconds of preparation, and of the processor for the work itself."""
    began = time.perf_counter()
    do = work(_made_up(seed, count))
    apart, busy = time.perf_counter() - began, time.process_time()
    do()
    return apart, time.process_time() - busy


def _statsmodels(series: Matrix) -> Callable[[], None]:
    terms = _terms()

    def do() -> None:
        for y in series:
            fitted = AutoReg(y, _LAGS, exog=terms[:POINTS]).fit()
            made = fitted.get_prediction(POINTS, POINTS + STEPS - 1, exog_oos=terms[POINTS:])
            _ = made.predicted_mean, made.conf_int()

    return do


def _kernel(series: Matrix) -> Callable[[], None]:
    terms = _terms()

    def do() -> None:
        fitted = fit_block(series, _LAGS, terms[:POINTS])
        mean, error = forecast_block(series, fitted, _LAGS, terms[POINTS:], STEPS)
        _ = mean - _NORMAL_95 * error, mean + _NORMAL_95 * error

    return do


def _choice(series: Matrix) -> Callable[[], None]:
    grids = [Grid(_START, STEP, y) for y in series]

    def do() -> None:
        for model in fit_many(grids, within=[Range(0.0)] * len(grids), steps=STEPS):
            model.predict(STEPS)

    return do


def _go_on(series: Matrix) -> Callable[[], None]:
    some = [Grid(_START, STEP, y[:-STEPS]) for y in series[:10]]
    states = [model.dump() for model in fit_many(some, within=[Range(0.0)] * len(some), steps=STEPS)]
    later = _START + round((POINTS - STEPS) * STEP * MICROSECONDS)

    def do() -> None:
        for place, y in enumerate(series):
            load(states[place % len(states)]).follow(Grid(later, STEP, y[-STEPS:])).predict(STEPS)

    return do


def _difference() -> float:
    """The largest difference of the kernel's forecasts and bands from statsmodels' on 50 series, in their own units."""
    series, terms = _made_up(-1 % 2**32, 50), _terms()
    fitted = fit_block(series, _LAGS, terms[:POINTS])
    mean, error = forecast_block(series, fitted, _LAGS, terms[POINTS:], STEPS)
    worst = 0.0
    for row, y in enumerate(series):
        theirs = AutoReg(y, _LAGS, exog=terms[:POINTS]).fit()
        made = theirs.get_prediction(POINTS, POINTS + STEPS - 1, exog_oos=terms[POINTS:])
        apart = np.abs([made.predicted_mean - mean[row], made.se_mean - error[row]])
        worst = max(worst, float(np.max(apart)))
    return worst


def table(result: dict[str, Any]) -> str:
    lines = [f"{SERIES:,} series of {POINTS:,} points, {STEPS} steps ahead, {result['cores']} processes"]
    lines.append(f"{'':28}{'measured on':>12}{'seconds for all':>17}{'of processor':>14}")
    for name, row in result["found"].items():
        lines.append(f"{name:28}{row['series']:>12,}{row['for all']:>17.1f}{row['processor']:>14.1f}")
    lines.append(f"kernel and statsmodels differ by {result['difference']:.1e} at most")
    return "\n".join(lines)
