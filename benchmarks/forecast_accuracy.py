"""How good is the forecast of one day ahead? Real series, several origins each, beside a naive, a profile and MSTL.

MASE is the mean absolute error over that of "as the day before" within the history. Nothing after an origin is seen.
The constants of the choice of models and of the band were set on these development series.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._day_ahead import DAY, Task, tasks
from forewatch.detection.models import fit
from forewatch.detection.quantity import Range

NAME = "forecast_accuracy"

Band = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""Mean, lower and upper bound of every step."""
_NORMAL_95 = 1.959964
_LONGEST = 120.0
"""Seconds that a peer may take for one forecast."""


async def run(options: argparse.Namespace) -> dict[str, Any]:
    folder: Path = options.series
    some = list(tasks(folder, 1 if options.quick else 4))
    if options.quick:
        some = some[::6]
    if not some:
        return {"missing": f"no series in {folder}: name their folder with --series"}
    return await asyncio.to_thread(_measure, some, options.peer_python)


def _measure(some: list[Task], peer: str | None) -> dict[str, Any]:
    found = {name: _scored(some, forecast) for name, forecast in CONTENDERS.items()}
    found["statsforecast MSTL + ETS"] = _mstl(some, peer)
    return {"tasks": len(some), "series": len({task.series for task in some}), "found": found}


def _scored(some: list[Task], forecast: Callable[[Task], Band]) -> dict[str, Any]:
    taken, bands = [], []
    for task in some:
        began = time.process_time()
        bands.append(forecast(task))
        taken.append(time.process_time() - began)
    return _summary(some, bands, float(np.median(taken)))


def _summary(some: Iterable[Task], bands: Iterable[Band], seconds: float) -> dict[str, Any]:
    errors, covered = [], []
    for task, (mean, lower, upper) in zip(some, bands, strict=True):
        there = ~np.isnan(task.came)
        came = task.came[there]
        slack = 1e-5 * np.abs(came)
        errors.append(float(np.mean(np.abs(mean[there] - came))) / task.scale)
        covered.append(float(np.mean((came >= lower[there] - slack) & (came <= upper[there] + slack))))
    return {
        "median": float(np.median(errors)),
        "mean": float(np.mean(errors)),
        "coverage": float(np.mean(covered)),
        "worst tenth": float(np.quantile(covered, 0.1)),
        "seconds": seconds,
    }


def _ours(task: Task) -> Band:
    steps = len(task.came)
    made = fit(task.history, within=Range(0.0), steps=steps).predict(steps)
    return np.array(made.mean), np.array(made.lower), np.array(made.upper)


def _naive(task: Task) -> Band:
    steps = len(task.came)
    return _around(task.history.values[-steps:], task.history.values[steps:] - task.history.values[:-steps])


def _profile(task: Task) -> Band:
    steps = len(task.came)
    days = task.history.values[len(task.history.values) % steps :].reshape(-1, steps)
    typical = np.median(days, axis=0)
    return _around(typical, days - typical)


def _around(mean: NDArray[np.float64], errors: NDArray[np.float64]) -> Band:
    half = _NORMAL_95 * float(np.std(errors))
    return mean, mean - half, mean + half


CONTENDERS: dict[str, Callable[[Task], Band]] = {
    "forewatch": _ours,
    "seasonal naive": _naive,
    "median daily profile": _profile,
}


def _mstl(some: list[Task], peer: str | None) -> dict[str, Any]:
    command = [peer or sys.executable, str(Path(__file__).with_name("_mstl_worker.py"))]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as worker:
        try:
            if _answer(worker) is None:
                return {"missing": "not installed"}
            bands, kept, taken = [], [], []
            for task in some:
                request = {"values": task.history.values.tolist(), "period": len(task.came), "steps": len(task.came)}
                assert worker.stdin is not None
                began = time.perf_counter()
                print(json.dumps(request), file=worker.stdin, flush=True)
                answer = _answer(worker)
                if answer is None:
                    return {"missing": f"gave no answer within {_LONGEST:g} s for {task.series}"}
                taken.append(time.perf_counter() - began)
                kept.append(task)
                bands.append((np.array(answer["mean"]), np.array(answer["lower"]), np.array(answer["upper"])))
            return _summary(kept, bands, float(np.median(taken)))
        finally:
            worker.kill()


def _answer(worker: subprocess.Popen[str]) -> dict[str, Any] | None:
    """The next line of the worker; None where it ends or takes too long."""
    assert worker.stdout is not None
    readable, _, _ = select.select([worker.stdout], [], [], _LONGEST)
    line = worker.stdout.readline() if readable else ""
    answer: dict[str, Any] | None = json.loads(line) if line else None
    return answer


def table(result: dict[str, Any]) -> str:
    if "missing" in result:
        return str(result["missing"])
    lines = [f"one day ahead: {result['series']} series, {result['tasks']} origins; the horizon is {DAY / 3600:g} h"]
    lines.append(f"{'':26}{'median MASE':>12}{'mean':>8}{'in 95 % band':>14}{'worst tenth':>13}{'seconds each':>14}")
    for name, row in result["found"].items():
        if "missing" in row:
            lines.append(f"{name:26}{row['missing']:>12}")
            continue
        lines.append(
            f"{name:26}{row['median']:>12.3f}{row['mean']:>8.2f}{row['coverage']:>14.3f}{row['worst tenth']:>13.3f}"
            f"{row['seconds']:>14.3f}"
        )
    return "\n".join(lines)
