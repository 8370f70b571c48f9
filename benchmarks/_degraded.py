"""The same scene seen worse: edges nobody declared, services nobody measures, requests nobody counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks._simulated import Scene
from forewatch.incidents.causes.graph import Graph
from forewatch.incidents.causes.telemetry import Telemetry


def without_edges(scene: Scene, share: float, random: np.random.Generator) -> Scene:
    """The graph lacks this share of its edges."""
    kept = random.random(len(scene.graph.callers)) >= share
    return replace(scene, graph=_graph(scene.graph, kept))


def with_extra_edges(scene: Scene, share: float, random: np.random.Generator) -> Scene:
    """The graph has this many edges too many, as a share of its own; they point down, as a wrong guess would."""
    names = scene.graph.services
    depends_on = _depends_on(scene.graph, np.ones(len(scene.graph.callers), dtype=np.bool_))
    for _ in range(round(share * len(scene.graph.callers))):
        caller, callee = random.choice(len(names), 2, replace=False)
        depends_on.setdefault(names[caller], []).append(names[callee])
    return replace(scene, graph=Graph(names, depends_on))


def without_services(scene: Scene, share: float, random: np.random.Generator) -> Scene:
    """This share of the services is not measured: neither the one at fault nor the alarmed ones at the top."""
    kept_ones = {scene.truth, *(alarm.service for alarm in scene.alarms)}
    gone = [name for name in scene.normal.services if name not in kept_ones and random.random() < share]
    return replace(scene, normal=_blank(scene.normal, gone), during=_blank(scene.during, gone))


def without_requests(scene: Scene) -> Scene:
    """Nobody counts requests."""
    return replace(
        scene,
        normal=replace(scene.normal, requests=np.full_like(scene.normal.requests, np.nan)),
        during=replace(scene.during, requests=np.full_like(scene.during.requests, np.nan)),
    )


def with_noisy_requests(scene: Scene, share: float, random: np.random.Generator) -> Scene:
    """Requests are counted wrongly by this much, at random."""

    def noisy(telemetry: Telemetry) -> Telemetry:
        factor = np.exp(random.normal(0, share, telemetry.requests.shape))
        return replace(telemetry, requests=telemetry.requests * factor)

    return replace(scene, normal=noisy(scene.normal), during=noisy(scene.during))


def seen_until(scene: Scene, buckets: int) -> Scene:
    """Ranked early: only so many buckets of the incident are there yet, the one before the alarm included."""
    seen = scene.during
    return replace(
        scene,
        during=replace(
            seen,
            starts=seen.starts[:buckets],
            requests=seen.requests[:, :buckets],
            latency=seen.latency[:, :buckets],
            success=seen.success[:, :buckets],
        ),
    )


def _blank(telemetry: Telemetry, gone: Sequence[str]) -> Telemetry:
    out = np.isin(np.array(telemetry.services), list(gone))[:, None]
    return replace(
        telemetry,
        requests=np.where(out, np.nan, telemetry.requests),
        latency=np.where(out, np.nan, telemetry.latency),
        success=np.where(out, np.nan, telemetry.success),
    )


def _depends_on(graph: Graph, kept: NDArray[np.bool_]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for caller, callee in zip(graph.callers[kept], graph.callees[kept], strict=True):
        found.setdefault(graph.services[caller], []).append(graph.services[callee])
    return found


def _graph(graph: Graph, kept: NDArray[np.bool_]) -> Graph:
    return Graph(graph.services, _depends_on(graph, kept))
