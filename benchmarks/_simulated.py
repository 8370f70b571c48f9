"""Simulated services with faults whose cause is known: random call graphs, traffic, noise, and what measuring misses.

Requests flow down the graph from entry services, seconds and failures flow back up. Some edges are asynchronous, some
calls are also seen as a copy at the caller (a leaf that is never the cause), some services are never steady, levels
move between the normal period and the incident, and one service in twenty is slower that day for reasons of its own.
Nothing here knows how causes are ranked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from forewatch.clock import micros
from forewatch.incidents.causes.graph import Graph
from forewatch.incidents.causes.ranking import Alarm, Kind
from forewatch.incidents.causes.telemetry import Floats, Telemetry

BUCKET = 300.0
START = 1_767_225_600
SEEN = 5
"""Buckets round the incident: one before it, the one in which it begins, three more."""


@dataclass(frozen=True, eq=False)
class Scene:
    """One incident: what a ranker is given, and the service at fault."""

    graph: Graph
    normal: Telemetry
    during: Telemetry
    alarms: Sequence[Alarm]
    truth: str


@dataclass(frozen=True)
class World:
    """What is simulated. Shares are of edges or services."""

    services: int = 40
    buckets: int = 288
    kind: Kind = "latency"
    cross: bool = False
    """A slow service makes its callers time out: the alarm is about failures, the cause about seconds."""
    cycles: float = 0.0
    """Edges that call back up, as a share of all."""


def scenes(world: World, seeds: Sequence[int]) -> Iterator[Scene]:
    """One scene a seed; a seed whose fault raises no alarm is drawn anew."""
    for seed in seeds:
        random = np.random.default_rng(seed)
        for _ in range(50):
            scene = _scene(world, random)
            if scene is not None:
                yield scene
                break
        else:
            raise RuntimeError(f"seed {seed}: 50 faults in a row raised no alarm")


@dataclass(eq=False)
class _Town:
    """Services in an order in which callers come before callees."""

    names: list[str]
    edges: list[tuple[int, int, float, bool]]
    """Caller, callee, calls a request, and whether the caller waits."""
    back: list[tuple[int, int, float]]
    entries: list[int]
    copies: list[tuple[int, int, int, float]]
    """The copy, its caller, its callee, and the share of calls it sees."""
    own: Floats
    """Seconds a request spends in the service itself."""
    noise: Floats
    """Between requests, as a share of these seconds."""
    drift: Floats
    """Between buckets, as the deviation of their logarithm: some services are steady, others never."""
    failing: Floats


def _town(world: World, random: np.random.Generator) -> _Town:
    count = world.services
    names = [f"s{number:04d}" for number in random.permutation(count)]
    copies_count = count // 8
    real = count - copies_count
    entries = list(range(max(1, real // 40)))
    edges: list[tuple[int, int, float, bool]] = []
    for callee in range(len(entries), real):
        callers = random.choice(callee, size=min(callee, 1 + int(random.random() < 0.3)), replace=False)
        for caller in callers:
            edges.append(
                (int(caller), callee, float(np.exp(random.uniform(np.log(0.1), np.log(4.0)))), random.random() > 0.07)
            )
    real_edges = [edge for edge in edges if edge[3]]
    copies = []
    for number in range(copies_count):
        caller, callee, _, _ = real_edges[random.integers(len(real_edges))]
        copies.append((real + number, caller, callee, float(random.uniform(0.05, 0.3))))
    back = []
    for _ in range(round(world.cycles * len(edges))):
        caller, callee, _, _ = edges[random.integers(len(edges))]
        back.append((callee, caller, float(random.uniform(0.05, 0.5))))
    return _Town(
        names, edges, back, entries, copies,
        own=np.exp(random.normal(np.log(0.02), 0.9, count)),
        noise=np.exp(random.normal(np.log(0.5), 0.6, count)),
        drift=np.exp(random.normal(np.log(0.06), 0.8, count)),
        failing=np.where(random.random(count) < 0.4, random.exponential(0.002, count), 0.0),
    )  # fmt: skip


@dataclass(eq=False)
class _Fault:
    place: int
    seconds: Floats
    """Added to each request, per bucket."""
    failing: Floats
    timeout: float | None = None


def _measure(
    town: _Town, random: np.random.Generator, buckets: int, rate: float, level: Floats, fault: _Fault | None, start: int
) -> Telemetry:
    count = len(town.names)
    hours = np.arange(buckets) * BUCKET / 3600
    requests = np.zeros((count, buckets))
    swing = 1 + 0.4 * np.sin(2 * np.pi * hours / 24 + random.uniform(0, 6))
    for entry in town.entries:
        requests[entry] = random.poisson(rate * swing)
    light = np.zeros((count, buckets))
    calls: dict[int, list[tuple[int, Floats, bool]]] = {}
    for caller, callee, each, waits in sorted(town.edges):
        made = random.poisson(requests[caller] * each).astype(np.float64)
        requests[callee] += made
        calls.setdefault(caller, []).append((callee, made, waits))
    for caller, callee, each in town.back:
        light[callee] += random.poisson(requests[caller] * each)
    seconds = np.zeros((count, buckets))
    failures = np.zeros((count, buckets))
    for place in range(count - 1, -1, -1):
        got = np.maximum(requests[place], 1)
        own = town.own[place] * level[place] * (1 + town.noise[place] * random.normal(0, 1, buckets) / np.sqrt(got))
        own = np.maximum(own * np.exp(random.normal(0, town.drift[place], buckets)), 1e-4)
        bad = np.full(buckets, town.failing[place])
        if fault is not None and place == fault.place:
            own = own + fault.seconds
            bad = 1 - (1 - bad) * (1 - fault.failing)
        per_request, passed = own, np.ones(buckets)
        for callee, made, waits in calls.get(place, ()):
            if not waits:
                continue
            share = made / got
            each = seconds[callee]
            if fault is not None and fault.timeout is not None and callee == fault.place:
                late = np.clip((each - fault.timeout) / np.maximum(fault.timeout, 1e-9), 0, 0.9)
                passed = passed * (1 - np.minimum(late * share, 0.95))
                each = np.minimum(each, fault.timeout * 1.5)
            per_request = per_request + share * each
            passed = passed * (1 - np.minimum(failures[callee] * share, 1.0))
        seconds[place] = per_request
        broken = 1 - (1 - bad) * passed
        failures[place] = random.binomial(requests[place].astype(np.int64), np.clip(broken, 0, 1)) / got
    # Calls back up are answered at once by their callee, without calls of its own.
    total = requests + light
    seconds = (seconds * requests + light * (town.own * level)[:, None]) / np.maximum(total, 1)
    failures = failures * requests / np.maximum(total, 1)
    for copy, caller, callee, share in town.copies:
        made = next(calls_made for at, calls_made, _ in calls[caller] if at == callee)
        total[copy] = random.binomial(made.astype(np.int64), share)
        seen = np.maximum(total[copy], 1)
        seconds[copy] = seconds[callee] * np.maximum(1 + 0.5 * random.normal(0, 1, buckets) / np.sqrt(seen), 0.1)
        failures[copy] = random.binomial(total[copy].astype(np.int64), np.clip(failures[callee], 0, 1)) / seen
    silent = total == 0
    return Telemetry(
        tuple(town.names),
        np.array([micros(start + number * BUCKET) for number in range(buckets)], dtype=np.int64),
        BUCKET,
        total,
        np.where(silent, np.nan, seconds),
        np.where(silent, np.nan, 1 - failures),
    )


def _scene(world: World, random: np.random.Generator) -> Scene | None:
    town = _town(world, random)
    count = len(town.names)
    rate = float(np.exp(random.uniform(np.log(200), np.log(3000))))
    normal = _measure(town, random, world.buckets, rate, np.ones(count), None, START)
    level = np.where(random.random(count) < 0.15, np.exp(random.normal(0, 0.2, count)), 1.0)
    waits: dict[int, list[int]] = {}
    for caller, callee, _, sync in town.edges:
        if sync:
            waits.setdefault(caller, []).append(callee)
    reached, waiting = set(town.entries), list(town.entries)
    while waiting:
        for callee in waits.get(waiting.pop(), ()):
            if callee not in reached:
                reached.add(callee)
                waiting.append(callee)
    below = sorted(reached - set(town.entries)) if random.random() < 0.95 else sorted(reached)
    place = int(random.choice(below))
    beside = random.choice([one for one in range(count) if one != place], max(1, count // 20), replace=False)
    level[beside] *= random.uniform(1.3, 4.0, len(beside))
    shape = np.array([0.0, random.uniform(0.2, 0.9), 1.0, 1.0, random.uniform(0.3, 1.0)])
    entry_seconds = float(np.nanmedian(normal.latency[town.entries]))
    if world.cross or world.kind == "latency":
        size = entry_seconds * np.exp(random.uniform(np.log(0.3), np.log(6)))
        usual = float(np.nanmedian(normal.latency[place])) if np.isfinite(normal.latency[place]).any() else 0.0
        timeout = (usual + size) * random.uniform(0.4, 0.8) if world.cross else None
        fault = _Fault(place, size * shape, np.zeros(SEEN), timeout)
    else:
        fault = _Fault(place, np.zeros(SEEN), shape * float(np.exp(random.uniform(np.log(0.02), np.log(0.6)))))
    begin = START + (world.buckets + 2000) * int(BUCKET)
    during = _measure(town, random, SEEN, rate * random.uniform(0.7, 1.3), level, fault, begin)
    kind: Kind = "availability" if world.cross else world.kind
    at = begin + BUCKET * 1.5
    depends_on: dict[str, list[str]] = {}
    for caller, callee in (
        *((caller, callee) for caller, callee, _, _ in town.edges),
        *((caller, callee) for caller, callee, _ in town.back),
        *((caller, copy) for copy, caller, _, _ in town.copies),
    ):
        depends_on.setdefault(town.names[caller], []).append(town.names[callee])
    alarmed = _alarmed(normal, during, kind)
    graph = Graph(town.names, depends_on)
    entries = {town.names[entry] for entry in town.entries}
    if not entries & set(alarmed):
        return None
    alarms = [Alarm(name, kind, micros(at)) for name in alarmed]
    return Scene(graph, normal, during, alarms, town.names[place])


def _alarmed(normal: Telemetry, during: Telemetry, kind: Kind) -> list[str]:
    """A plain detector: four deviations above the mean in the bucket after the fault began."""
    usual, now = normal.measure(kind), during.measure(kind)[:, 1:4]
    silent = np.isnan(usual).all(axis=1, keepdims=True)
    usual = np.where(silent, 0.0, usual)
    with np.errstate(invalid="ignore"):
        mean = np.nan_to_num(np.nanmean(usual, axis=1))
        deviation = np.nan_to_num(np.nanstd(usual, axis=1))
        worst = np.nanmax(np.where(np.isnan(now), -np.inf, now), axis=1)
    floor = 0.05 * mean + (0.001 if kind == "latency" else 0.005)
    found = worst > mean + 4 * np.maximum(deviation, floor)
    return [name for name, alarm in zip(normal.services, found, strict=True) if alarm]
