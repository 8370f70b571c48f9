"""Causes from alerts alone, for where nothing was measured: the firing services none of whose dependencies fire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from forewatch.incidents.causes.graph import Graph

DEEPEST = 0.5
"""The blame that the deepest firing services share."""
ALONE = 0.2
"""Of a service that fires alone: that its trouble is its own is only a guess."""
OTHERS = 0.1


@dataclass(frozen=True)
class Firing:
    service: str
    score: float
    evidence: str


def by_alerts(graph: Graph, firing: Mapping[str, int]) -> list[Firing]:
    """Rank the firing services; `firing` says since when (microseconds). The deepest first, then the earliest."""
    known = {name: since for name, since in firing.items() if name in graph.place}
    below = {name: {graph.services[one] for one in graph.below[graph.place[name]]} & set(known) for name in known}
    deepest = {name for name in known if not below[name]}
    ordered = sorted(known, key=lambda name: (name not in deepest, known[name], name))
    return [_judged(graph, name, sorted(below[name]), len(known), len(deepest)) for name in ordered]


def _judged(graph: Graph, name: str, below: list[str], firing: int, deepest: int) -> Firing:
    if firing == 1:
        return Firing(name, ALONE, f"{name} is the only one that fires")
    if below:
        return Firing(name, OTHERS, f"{name} fires, but so does {' and '.join(below)}, on which it depends")
    above = "none of its dependencies fires" if graph.below[graph.place[name]] else "it depends on nothing"
    return Firing(name, DEEPEST / deepest, f"{name} fires and {above}")
