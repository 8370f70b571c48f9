"""When is the disk full? Drawn disks whose future is known, ours beside three plain ways and statsmodels' own.

The rules were made on seeds 0-2 and 20-23; what is measured here was drawn from others. `knowing the growth` is told
the true growth of every hour and errs only by the noise to come: no method can be better.
"""

from __future__ import annotations

import argparse
import asyncio
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks._disks import HARD, PLAIN, STEP, Disk, disks
from benchmarks._figures import percentile
from forewatch.clock import seconds
from forewatch.detection.exhaustion import Exhaustion, exhaustion

NAME = "exhaustion"
COUNT = 150
SEEDS = (100, 101, 102, 103)
NEVER = float("inf")
_DAY, _HOUR = 86400.0, 3600.0
_NEAR = 3 * _DAY

Method = Callable[[Disk], Exhaustion | float]


def ours(disk: Disk) -> Exhaustion | float:
    return exhaustion(disk.samples, disk.limit, disk.now) or NEVER


def line_of_all(disk: Disk) -> float:
    """Least squares through all there is."""
    at, values = _arrays(disk)
    slope, level = np.polyfit(at, values, 1)
    return float((disk.limit - level) / slope) if slope > 0 else NEVER


def line_of_two_days(disk: Disk) -> float:
    """What `predict_linear` over two days says, begun at the last value."""
    at, values = _arrays(disk)
    recent = at > -2 * _DAY
    slope = np.polyfit(at[recent], values[recent], 1)[0]
    return float((disk.limit - values[-1]) / slope) if slope > 0 else NEVER


def day_differences(disk: Disk) -> float:
    """The median growth against the same time of the day before, over the shape of the last day."""
    at, values = _arrays(disk)
    step = float(np.median(np.diff(at)))
    day = round(_DAY / step)
    even = np.interp(np.arange(at[-1] - 5 * _DAY, at[-1] + step / 2, step), at, values)
    growth, shape = float(np.median(even[day:] - even[:-day])), even[-day:]
    if growth <= 0:
        return NEVER
    for ahead in range(1, 91):
        full = shape + ahead * growth >= disk.limit
        if np.any(full):
            return float((ahead - 1) * _DAY + (np.argmax(full) + 1) * step)
    return NEVER


def unobserved_components(disk: Disk) -> float:
    """statsmodels' local linear trend with three daily harmonics, on hourly means of the last week."""
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    at, values = _arrays(disk)
    even = np.interp(np.arange(at[-1] - 7 * _DAY, at[-1] + 1, _HOUR), at, values)
    scale = float(np.std(even))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = UnobservedComponents(
            even / scale, "lltrend", freq_seasonal=[{"period": 24, "harmonics": 3}], stochastic_freq_seasonal=[False]
        )
        ahead = np.asarray(model.fit(disp=0, maxiter=50).forecast(20 * 24)) * scale
    full = ahead >= disk.limit
    return float((np.argmax(full) + 1) * _HOUR) if np.any(full) else NEVER


def knowing_the_growth(disk: Disk) -> float:
    return disk.expected


METHODS: dict[str, Method] = {
    "forewatch": ours,
    "line, all 14 days": line_of_all,
    "line, 2 days": line_of_two_days,
    "day differences": day_differences,
    "UC trend + daily": unobserved_components,
    "knowing the growth": knowing_the_growth,
}
_SLOW = ("UC trend + daily",)


async def run(options: argparse.Namespace) -> dict[str, Any]:
    return await asyncio.to_thread(_measure, options.quick)


def _measure(quick: bool) -> dict[str, Any]:
    seeds, count = (SEEDS[:1], 30) if quick else (SEEDS, COUNT)
    found: dict[str, Any] = {}
    for name, kinds, every in (
        ("plain, hourly", PLAIN, _HOUR), ("plain, 5 minutes", PLAIN, STEP),
        ("hard, hourly", HARD, _HOUR), ("hard, 5 minutes", HARD, STEP),
    ):  # fmt: skip
        drawn = [one for seed in seeds for one in disks(kinds, count, seed, every)]
        found[name] = {}
        for method, answer in METHODS.items():
            if method not in _SLOW:
                found[name][method] = _judged(drawn, answer)
            elif every == _HOUR:  # it looks at hours in any case
                found[name][method] = _judged(drawn[::4], answer)
        found[name]["by kind"] = _by_kind(drawn)
    return {"found": found, "seeds": list(seeds), "disks": count}


def _judged(drawn: Sequence[Disk], method: Method) -> dict[str, Any]:
    began = time.perf_counter()
    answers = [method(disk) for disk in drawn]
    taken = (time.perf_counter() - began) * 1000 / len(drawn)
    left = [
        one.left(disk.now) if isinstance(one, Exhaustion) else one for one, disk in zip(answers, drawn, strict=True)
    ]
    shares = [min(abs(said - disk.left) / disk.left, 1e3) for said, disk in zip(left, drawn, strict=True)]
    near = [
        min(abs(said - disk.left), 1e9) / _HOUR for said, disk in zip(left, drawn, strict=True) if disk.left < _NEAR
    ]
    held = [_holds(one, disk) for one, disk in zip(answers, drawn, strict=True) if isinstance(one, Exhaustion)]
    return {
        "n": len(drawn), "median": percentile(shares, 0.5), "p90": percentile(shares, 0.9),
        "within": sum(share <= 0.2 for share in shares) / len(shares),
        "near": percentile(near, 0.5) if near else None, "near_n": len(near),
        "holds": sum(held) / len(held) if held else None, "ms": taken,
    }  # fmt: skip


def _holds(answer: Exhaustion, disk: Disk) -> bool:
    upper = seconds(answer.upper - disk.now) if answer.upper is not None else NEVER
    return seconds(answer.lower - disk.now) <= disk.left <= upper


def _by_kind(drawn: Sequence[Disk]) -> dict[str, float]:
    found: dict[str, list[bool]] = {}
    for disk in drawn:
        answer = ours(disk)
        left = answer.left(disk.now) if isinstance(answer, Exhaustion) else answer
        found.setdefault(disk.kind, []).append(abs(left - disk.left) <= 0.2 * disk.left)
    return {kind: sum(good) / len(good) for kind, good in found.items()}


def _arrays(disk: Disk) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    return (
        np.array([seconds(at - disk.now) for at, _ in disk.samples]),
        np.array([value for _, value in disk.samples]),
    )


def table(result: dict[str, Any]) -> str:
    lines = []
    for name, methods in result["found"].items():
        head = f"{'n':>5}{'median':>8}{'p90':>7}{'within 20 %':>13}{'< 3 d: hours':>14}{'80 % holds':>12}{'ms':>8}"
        lines += ["", f"{name:22}{head}"]
        for method, row in methods.items():
            if method == "by kind":
                lines.append("  within 20 %: " + ", ".join(f"{kind} {share:.2f}" for kind, share in row.items()))
                continue
            near = "-" if row["near"] is None else f"{row['near']:.2f}"
            holds = "-" if row["holds"] is None else f"{row['holds']:.2f}"
            lines.append(
                f"{method:22}{row['n']:>5}{row['median']:>8.3f}{row['p90']:>7.2f}{row['within']:>13.3f}{near:>14}{holds:>12}{row['ms']:>8.1f}"
            )
    return "\n".join(lines[1:])
