"""Is the service at fault found, and how fast? Simulated incidents with a known cause, ours beside two plain rankings.

Every scene is new to the ranking: choices were made on other seeds.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks import _degraded as degraded
from benchmarks._figures import HEAD, line, summary
from benchmarks._plain_rankings import by_depth, by_deviation
from benchmarks._simulated import Scene, World, scenes
from forewatch.incidents.causes.ranking import Alarm
from forewatch.incidents.rootcause import Ranker

NAME = "causes"
SCENES = 100
FIRST_SEED = 10_000
TRIALS = 20
TOP_ALARMS = 8

Change = Callable[[Scene, np.random.Generator], Scene]
Ranked = Callable[[Scene], list[str]]

CASES: dict[str, tuple[World, Change | None]] = {
    "latency": (World(), None),
    "failures": (World(kind="availability"), None),
    "slow below, failures above": (World(cross=True), None),
    "cycles of calls": (World(cycles=0.15), None),
    "200 services": (World(services=200), None),
    "1,000 services": (World(services=1000), None),
    "10% of edges missing": (World(), lambda one, random: degraded.without_edges(one, 0.1, random)),
    "30% of edges missing": (World(), lambda one, random: degraded.without_edges(one, 0.3, random)),
    "10% wrong edges": (World(), lambda one, random: degraded.with_extra_edges(one, 0.1, random)),
    "20% not measured": (World(), lambda one, random: degraded.without_services(one, 0.2, random)),
    "requests not counted": (World(), lambda one, random: degraded.without_requests(one)),
    "failures, not counted": (World(kind="availability"), lambda one, random: degraded.without_requests(one)),
    "requests 10% wrong": (World(), lambda one, random: degraded.with_noisy_requests(one, 0.1, random)),
    "requests 30% wrong": (World(), lambda one, random: degraded.with_noisy_requests(one, 0.3, random)),
    "one bucket after the alarm": (World(), lambda one, random: degraded.seen_until(one, 3)),
    "only the alarm's bucket": (World(), lambda one, random: degraded.seen_until(one, 2)),
}


def ours(scene: Scene) -> list[str]:
    ranking = Ranker(scene.graph, scene.normal).rank(scene.during, scene.alarms)
    return [cause.service for cause in ranking.causes]


RANKINGS: dict[str, Ranked] = {"forewatch": ours, "n-sigma": by_deviation, "deepest anomalous": by_depth}


async def run(options: argparse.Namespace) -> dict[str, Any]:
    count, trials = (10, 3) if options.quick else (SCENES, TRIALS)
    return await asyncio.to_thread(_measure, count, trials)


def _measure(count: int, trials: int) -> dict[str, Any]:
    found = {}
    for name, (world, change) in CASES.items():
        # The large ones take long to simulate, not to rank.
        some = count if world.services < 1000 else max(5, count // 10)
        drawn = [
            change(scene, np.random.default_rng(number)) if change else scene
            for number, scene in enumerate(scenes(world, range(FIRST_SEED, FIRST_SEED + some)))
        ]
        rates = {who: _rates(drawn, ranked) for who, ranked in RANKINGS.items()}
        found[name] = {"world": asdict(world), "scenes": some, "rates": rates}
    return {"found": found, "milliseconds": _times(trials)}


def _rates(drawn: Sequence[Scene], ranked: Ranked) -> dict[str, float]:
    """The share of scenes whose cause is first, and among the first three."""
    places = [ranked(scene).index(scene.truth) + 1 for scene in drawn]
    return {"first": sum(place == 1 for place in places) / len(places),
            "three": sum(place <= 3 for place in places) / len(places)}  # fmt: skip


def _times(trials: int) -> dict[str, Any]:
    small, large = (next(iter(scenes(World(services=size), [FIRST_SEED]))) for size in (41, 1000))
    many = _top_alarms(large)
    ranker = Ranker(small.graph, small.normal)
    ranker.rank(small.during, small.alarms)
    return {
        "41 services, warm": _timed(trials, lambda: ranker.rank(small.during, small.alarms)),
        "41 services, cold": _timed(trials, lambda: Ranker(small.graph, small.normal).rank(small.during, small.alarms)),
        f"1,000 services, {TOP_ALARMS} top alarms, cold": _timed(
            trials, lambda: Ranker(large.graph, large.normal).rank(large.during, many)
        ),
    }


def _top_alarms(scene: Scene) -> list[Alarm]:
    """Alarms of services of which none depends on another: each must be fitted and explained by itself."""
    busiest = np.argsort(-np.nansum(scene.during.requests, axis=1))
    chosen: list[int] = []
    for one in (scene.graph.place[scene.normal.services[row]] for row in busiest):
        if len(chosen) < TOP_ALARMS and len(scene.graph.tops([*chosen, one])) == len(chosen) + 1:
            chosen.append(one)
    return [Alarm(scene.graph.services[one], "latency", scene.alarms[0].at) for one in chosen]


def _timed(trials: int, work: Callable[[], object]) -> dict[str, Any]:
    taken = []
    for _ in range(trials):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1000)
    return {**(summary(taken) or {})}


def table(result: dict[str, Any]) -> str:
    lines = [f"{'':28}{'scenes':>8}" + "".join(f"{who:>20}" for who in RANKINGS) + "   (first / among three)"]
    for name, row in result["found"].items():
        cells = (f"{row['rates'][who]['first']:.2f} / {row['rates'][who]['three']:.2f}" for who in RANKINGS)
        lines.append(f"{name:28}{row['scenes']:>8}" + "".join(f"{cell:>20}" for cell in cells))
    lines += ["", f"{'milliseconds':40}{HEAD}"]
    lines += [f"{name:40}{line(found, 1)}" for name, found in result["milliseconds"].items()]
    return "\n".join(lines)
