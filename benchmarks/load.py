"""How fast can one core put a load on, and how good is the test that says a service became slower?

The generator sends at rising rates to a server that answers at once, in a process of its own. The regression test sees
runs whose level is drawn anew for each (run-to-run noise), some worlds nastier than others: nothing changes (how often
does it cry?), or all runs become slower (how often, and after how many runs, does it say so?). Beside it stands what
people do instead: to cry when a run's p95 is more than `slower` above that of the run before.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._target import addresses, target
from forewatch.clock import SystemClock
from forewatch.detection.regression import Run, judge
from forewatch.load_tests.load import Load
from forewatch.load_tests.runner import run as put_load

NAME = "load"
RATES = (100, 200, 400, 600, 800, 1000, 1200, 1500, 2000)
SECONDS = 5.0
SLOWER = 0.1
BEFORE = 20
SHIFTS = (0.15, 0.2, 0.3, 0.5)
WORLDS = {
    "runs differ by 3 %": ("normal", 0.03),
    "runs differ by 10 %": ("normal", 0.10),
    "heavy tails, 3 %": ("heavy", 0.03),
    "a tenth of the runs 50 % slower": ("spoilt", 0.03),
    "moods last (0.5), 5 %": ("lasting", 0.05),
}
Floats = NDArray[np.float64]


async def run(options: argparse.Namespace) -> dict[str, Any]:
    rates = RATES[1::3] if options.quick else RATES
    with target(addresses(1)) as port:
        generator = [await _sent(f"http://{addresses(1)[0]}:{port}/", rate) for rate in rates]
    count, trials = (300, 10) if options.quick else (3000, 60)
    return {"generator": generator, "test": [_judged(name, *world, count, trials) for name, world in WORLDS.items()]}


def table(result: dict[str, Any]) -> str:
    lines = [f"{'asked/s':>8}{'sent/s':>8}{'late p99 ms':>13}{'p50 ms':>9}{'p99 ms':>9}{'CPU ms each':>13}  trusted"]
    for row in result["generator"]:
        lines.append(
            f"{row['rate']:>8}{row['sent']:>8.0f}{row['late'] * 1000:>13.1f}{row['p50'] * 1000:>9.2f}"
            f"{row['p99'] * 1000:>9.2f}{row['cpu'] * 1000:>13.2f}  {'yes' if row['trusted'] else 'no'}"
        )
    shifts = "".join(f"{f'+{shift:.0%}':>13}" for shift in SHIFTS)
    lines += ["", f"{'':34}{'false alarms':>14}{'newest p95':>12}  found within 6 runs (median runs){'':4}"]
    lines.append(f"{'world':34}{'per 1000 runs':>14}{'per 1000':>12}{shifts}")
    for row in result["test"]:
        found = "".join(f"{f'{share:.0%} ({delay:.0f})':>13}" for share, delay in row["found"])
        lines.append(f"{row['world']:34}{row['false']:>14.1f}{row['naive']:>12.0f}{found}")
    return "\n".join(lines)


async def _sent(url: str, rate: int) -> dict[str, Any]:
    used = time.process_time()
    measured = await put_load(Load(url, rate=rate, duration=SECONDS), SystemClock())
    quantiles = measured.quantiles()
    return {
        "rate": rate,
        "sent": measured.throughput,
        "late": measured.lateness,
        "p50": quantiles["p50"],
        "p99": quantiles["p99"],
        "cpu": (time.process_time() - used) / measured.due,
        "trusted": measured.trustworthy,
    }


def _judged(name: str, kind: str, sigma: float, count: int, trials: int) -> dict[str, Any]:
    dice = np.random.default_rng(1)
    length = 300
    false = naive = seen = 0
    for _ in range(max(1, count // length)):
        drawn = _drawn(kind, length, sigma, dice)
        runs, since = _runs(drawn), None
        for end in range(10, length + 1):
            judgement = judge(runs[max(0, end - 60) : end], slower=SLOWER, since=since)
            false += judgement.state == "slower" and since is None
            since = judgement.since
        naive += int(np.sum(np.diff(drawn[9:, 1]) > np.log1p(SLOWER)))
        seen += length - 9
    found = []
    for shift in SHIFTS:
        delays = [delay for _ in range(trials) if (delay := _delay(kind, sigma, shift, dice)) is not None]
        found.append((len(delays) / trials, float(np.median(delays)) if delays else 0.0))
    return {"world": name, "false": 1000 * false / seen, "naive": 1000 * naive / seen, "found": found}


def _delay(kind: str, sigma: float, shift: float, dice: np.random.Generator) -> int | None:
    """After how many slow runs it is said; None if not within six."""
    drawn = _drawn(kind, BEFORE + 6, sigma, dice)
    drawn[BEFORE:] += np.log1p(shift)
    runs = _runs(drawn)
    for slow in range(1, 7):
        if judge(runs[: BEFORE + slow], slower=SLOWER).state == "slower":
            return slow
    return None


def _drawn(kind: str, count: int, sigma: float, dice: np.random.Generator) -> Floats:
    """Logarithms of p50, p95 and p99 of each run: a mood they share, and noise of their own, more of it further out."""
    mood = sigma * (dice.standard_t(3, count) if kind == "heavy" else dice.normal(size=count))
    if kind == "spoilt":
        mood += np.where(dice.random(count) < 0.1, np.log(1.5), 0.0)
    if kind == "lasting":
        for number in range(1, count):
            mood[number] = 0.5 * mood[number - 1] + 0.75**0.5 * mood[number]
    own = dice.normal(size=(count, 3)) * sigma * np.array([0.3, 0.5, 1.0])
    return np.asarray(np.log([0.03, 0.06, 0.1]) + mood[:, None] + own)


def _runs(drawn: Floats) -> list[Run]:
    return [Run(number, *(float(one) for one in np.exp(row)), 0.0) for number, row in enumerate(drawn)]


if __name__ == "__main__":
    print(table(asyncio.run(run(argparse.Namespace(quick=False)))))
