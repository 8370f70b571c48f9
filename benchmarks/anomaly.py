"""How good, how quick and how small is the anomaly score? Labelled real series, beside a rolling z-score and a peer.

The weights and windows of the score were chosen with sight of these development series: what is printed here flatters
it. Thresholds are the scorer's own optimum on the same series, unless the table says otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._labelled_series import CORPORA, Labelled, read, scored, scorer
from benchmarks._level_shifts import STEP, WARMUP, found
from forewatch.detection.anomaly import Detector, Scores

NAME = "anomaly"
QUIET = 0.635
"""The score of the quiet setting: what an alarm budget of one a month asks of a young series."""
_PROFILES = ("standard", "reward_low_FP_rate", "reward_low_FN_rate")
_HALVES = 12
_ROLLING = 4000
_LONGEST = 600.0
"""Seconds that a peer may take for one series."""

Scored = NDArray[np.float64]


async def run(options: argparse.Namespace) -> dict[str, Any]:
    return await asyncio.to_thread(_measure, options.series, options.peer_python, options.quick)


def _measure(folder: Path, peer: str | None, quick: bool) -> dict[str, Any]:
    runs, rows = (4, 20_000) if quick else (30, 200_000)
    try:
        quality = _quality(folder, peer)
    except FileNotFoundError as error:
        quality = {"missing": str(error)}
    threshold = quality.get("NAB", {}).get("forewatch", {}).get("threshold", QUIET)
    shifts = {
        name: {f"{size:g} sd": found(_detect, size, runs, level) for size in (2.0, 3.0, 5.0)}
        for name, level in (("NAB's own threshold", threshold), ("quiet", QUIET))
    }
    return {"quality": quality, "shifts": shifts, "speed": _speed(rows)}


def _detect(at: NDArray[np.int64], values: Scored) -> Scores:
    return Detector(STEP, warmup=WARMUP).update_many(at, values)


def _ours(one: Labelled) -> Scored:
    return Detector(one.step, warmup=one.warmup).update_many(one.at, one.values).score


def _compact(one: Labelled) -> Scored:
    return Detector(one.step, warmup=one.warmup, compact=True).update_many(one.at, one.values).score


def _rolling_z(one: Labelled) -> Scored:
    """How many standard deviations of the rows before a value is from their mean, squeezed to 0-1."""
    count = np.arange(len(one.values))
    first = np.maximum(0, count - _ROLLING)
    centred = one.values - one.values[0]
    sums, squares = (np.concatenate([[0.0], np.cumsum(part)]) for part in (centred, centred**2))
    size = np.maximum(count - first, 1)
    mean = (sums[count] - sums[first]) / size
    spread = np.sqrt(np.maximum((squares[count] - squares[first]) / size - mean**2, 1e-12))
    z = np.abs(centred - mean) / spread
    z[: one.warmup] = 0.0
    return np.asarray(z / (z + 5.0))


CONTENDERS: dict[str, Callable[[Labelled], Scored]] = {
    "forewatch": _ours,
    "forewatch, compact": _compact,
    "rolling z-score": _rolling_z,
}


def _quality(folder: Path, peer: str | None) -> dict[str, Any]:
    nab = scorer(folder)
    result: dict[str, Any] = {}
    for corpus in CORPORA:
        series = read(folder, corpus)
        scores = {name: {one.key: score(one) for one in series} for name, score in CONTENDERS.items()}
        forest = _half_space_trees(series, peer)
        if forest is not None:
            scores["river HalfSpaceTrees"] = forest
        result[corpus] = {}
        for name, found_scores in scores.items():
            judged = scored(nab, folder, corpus, found_scores)
            result[corpus][name] = _judge(nab, judged)
            if corpus == "NAB":
                result[corpus][name]["halves"] = _halves(nab, judged)
            else:
                level = result["NAB"][name]["threshold"]
                result[corpus][name]["at NAB's"] = nab.evaluate(judged, level)["standard"]["score"]
    return result


def _judge(nab: ModuleType, judged: list[Any]) -> dict[str, Any]:
    best = nab.evaluate(judged)
    quiet = nab.evaluate(judged, QUIET)["standard"]
    standard = best["standard"]
    return {
        "scores": [best[profile]["score"] for profile in _PROFILES],
        "threshold": standard["threshold"],
        "found": [standard["found"], standard["windows"]],
        "false a week": float(standard["false_alarms_per_series_week"]),
        "delay": standard["delay_share_median"],
        "quiet found": quiet["found"] / quiet["windows"],
        "quiet false a week": float(quiet["false_alarms_per_series_week"]),
    }


def _halves(nab: ModuleType, judged: list[Any]) -> float:
    """Mean standard score of random halves, each at the threshold of the other: what a threshold is worth elsewhere."""
    random = np.random.default_rng(0)
    found_scores = []
    for _ in range(_HALVES):
        order = random.permutation(len(judged))
        one, other = ([judged[i] for i in part] for part in np.array_split(order, 2))
        for known, new in ((one, other), (other, one)):
            level = nab.evaluate(known)["standard"]["threshold"]
            found_scores.append(nab.evaluate(new, level)["standard"]["score"])
    return float(np.mean(found_scores))


def _half_space_trees(series: list[Labelled], peer: str | None) -> dict[str, Scored] | None:
    """None where river is not installed, or too slow."""
    command = [peer or sys.executable, str(Path(__file__).with_name("_half_space_worker.py"))]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as worker:
        try:
            if _answer(worker) is None:
                return None
            scores = {}
            for one in series:
                assert worker.stdin is not None
                print(json.dumps({"values": one.values.tolist()}), file=worker.stdin, flush=True)
                answer = _answer(worker)
                if answer is None:
                    return None
                scores[one.key] = np.array(answer["scores"])
            return scores
        finally:
            worker.kill()


def _answer(worker: subprocess.Popen[str]) -> dict[str, Any] | None:
    """The next line of the worker; None where it ends or takes too long."""
    assert worker.stdout is not None
    readable, _, _ = select.select([worker.stdout], [], [], _LONGEST)
    line = worker.stdout.readline() if readable else ""
    answer: dict[str, Any] | None = json.loads(line) if line else None
    return answer


def _speed(rows: int) -> dict[str, Any]:
    """Points a second of processor time on one core, and bytes of state."""
    random = np.random.default_rng(0)
    at = 1_700_000_000_000_000 + np.arange(rows) * 60_000_000
    values = random.normal(size=rows) + 0.1 * np.cumsum(random.normal(size=rows))
    result: dict[str, Any] = {}
    for name, compact in (("forewatch", False), ("forewatch, compact", True)):
        detector = Detector(60.0, warmup=750, compact=compact)
        began = time.process_time()
        detector.update_many(at, values)
        long = rows / (time.process_time() - began)
        few = min(rows, 2000)
        began = time.process_time()
        for row in range(few):
            state = detector.dump()
            detector = Detector.load(state)
            detector.update(int(at[-1]) + (row + 1) * 60_000_000, float(values[row]))
        one = few / (time.process_time() - began)
        result[name] = {"one long series": long, "a point at a time": one, "bytes": len(detector.dump())}
    return result


def table(result: dict[str, Any]) -> str:
    lines = []
    quality = result["quality"]
    if "missing" in quality:
        lines.append(quality["missing"])
    else:
        for corpus, rows in quality.items():
            lines += ["", *_quality_lines(corpus, rows)]
    lines += ["", f"{'level shift at 5 min':32}{'found':>7}{'minutes':>9}{'false/week':>12}{'(shifts)':>10}"]
    for setting, sizes in result["shifts"].items():
        for size, row in sizes.items():
            minutes = "-" if row["minutes"] is None else f"{row['minutes']:.0f}"
            lines.append(
                f"{setting + ', ' + size:32}{row['found']:>7.0%}{minutes:>9}{row['false a week']:>12.2f}"
                f"{row['of them shifts']:>10.2f}"
            )
    lines += ["", f"{'points/s on one core':26}{'one long series':>17}{'a point at a time':>20}{'bytes of state':>16}"]
    for name, row in result["speed"].items():
        lines.append(f"{name:26}{row['one long series']:>17,.0f}{row['a point at a time']:>20,.0f}{row['bytes']:>16,}")
    return "\n".join(lines)


def _quality_lines(corpus: str, rows: dict[str, Any]) -> list[str]:
    other = "halves" if corpus == "NAB" else "at NAB's"
    lines = [
        f"{corpus + ' (development)':26}{'standard':>9}{'low FP':>8}{'low FN':>8}{'threshold':>11}{other:>10}"
        f"{'found':>9}{'false/week':>12}{'delay':>7}{'quiet: found':>14}{'false/week':>12}"
    ]
    for name, row in rows.items():
        standard, low_fp, low_fn = row["scores"]
        hits, windows = row["found"]
        lines.append(
            f"{name:26}{standard:>9.1f}{low_fp:>8.1f}{low_fn:>8.1f}{row['threshold']:>11.4f}{row[other]:>10.1f}"
            f"{f'{hits}/{windows}':>9}{row['false a week']:>12.2f}{row['delay'] or 0:>7.2f}"
            f"{row['quiet found']:>14.0%}{row['quiet false a week']:>12.2f}"
        )
    if "river HalfSpaceTrees" not in rows:
        lines.append(f"{'river HalfSpaceTrees':26}{'not installed':>14}")
    return lines
