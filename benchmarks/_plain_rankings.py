"""Two plain ways to rank causes, to measure ours against: by deviation alone, and by depth among what deviates."""

from __future__ import annotations

import numpy as np

from benchmarks._simulated import Scene
from forewatch.incidents.causes.telemetry import Floats


def by_deviation(scene: Scene) -> list[str]:
    """n-sigma: the services whose measure is most standard deviations above its mean, in the bucket of the alarm or
    one of the two after."""
    deviations = dict(zip(scene.normal.services, _deviations(scene), strict=True))
    return sorted(deviations, key=lambda name: (-deviations[name], name))


def by_depth(scene: Scene, anomalous: float = 3.0) -> list[str]:
    """The deepest anomalous: of what lies `anomalous` deviations or more off, first those that call nothing such."""
    deviations = dict(zip(scene.normal.services, _deviations(scene), strict=True))
    graph = scene.graph

    def key(name: str) -> tuple[bool, bool, float, str]:
        calls = [graph.services[callee] for callee in graph.below[graph.place[name]]]
        deeper = any(deviations.get(callee, 0.0) >= anomalous for callee in calls)
        return (deviations[name] < anomalous, deeper, -deviations[name], name)

    return sorted(deviations, key=key)


def _deviations(scene: Scene) -> Floats:
    kind = scene.alarms[0].kind
    usual = scene.normal.measure(kind)
    silent = np.all(np.isnan(usual), axis=1, keepdims=True)
    usual = np.where(silent, 0.0, usual)
    first = scene.during.bucket_of(scene.alarms[0].at)
    now = np.nan_to_num(scene.during.measure(kind)[:, first : first + 3], nan=-1.0).max(axis=1, initial=-1.0)
    deviations = (now - np.nanmean(usual, axis=1)) / np.maximum(np.nanstd(usual, axis=1), 1e-9)
    return np.where(silent.reshape(-1), -np.inf, deviations)
