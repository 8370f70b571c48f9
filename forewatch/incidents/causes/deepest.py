"""The deepest services that got worse: for where requests are not counted, so that loads cannot be added up.

A service is blamed for being worse than is usual and than just before the alarm by more than the services it calls
explain, on a path of such services from the alarm; the one that began first, and stands out most, before others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forewatch.incidents.causes.excess import (
    FEWEST_POINTS,
    FLOOR,
    LIKELY_Z,
    NARROWEST,
    UNREACHED,
    own_part,
    sigmoid,
    usual_measure,
    worst_bucket,
)
from forewatch.incidents.causes.graph import Graph
from forewatch.incidents.causes.ranking import Kind
from forewatch.incidents.causes.telemetry import Floats, Normal, Telemetry
from forewatch.incidents.causes.undeclared import taken_out

LEAST_FAILURES = 0.005
"""The least deviation counted for a share of failures."""
LATER = 0.7
"""What blame is multiplied with for each bucket that a service began later than the first."""
HALF = 10.0
"""Own deviations at which standing out counts one half: there is no share of the alarm's rise to go by."""
FEWEST_CALLS, MOST_CALLS = 0.3, 4.0
"""Calls to a service that a request is thought to make."""
ONE_VIEW = 0.4
"""What is left of the blame of a service that may be a caller's view of its neighbour."""


@dataclass(frozen=True, eq=False)
class Depth:
    """Per service, for one top alarm and one kind. Measures are seconds a request, or the share that fails."""

    top: int
    kind: Kind
    bucket: int
    usual: Floats
    """What to expect: the normal median, or what it was just before the alarm where that was worse."""
    z: Floats
    """How much worse, in usual deviations."""
    known: NDArray[np.bool_]
    """Whether enough is known of how it usually is."""
    onset: NDArray[np.int64]
    """The first bucket, from the one before the alarm on, in which it had got worse; the number of buckets if none."""
    before: list[int]
    score: Floats

    @property
    def weight(self) -> float:
        """How much trouble the alarm stands for."""
        return max(0.0, float(self.z[self.top]))


def deepest(graph: Graph, normal: Normal, during: Telemetry, top: int, kind: Kind, at: int) -> Depth | None:
    """Rank by depth from the instant `at` on; None where the alarmed service has no data then."""
    first = during.bucket_of(at)
    measure = during.measure(kind)
    bucket = worst_bucket(measure[top], first)
    if bucket is None:
        return None
    fit = normal.measure(kind)
    usual = usual_measure(normal, during, kind, first)
    floor = FLOOR * fit.median if kind == "latency" else LEAST_FAILURES
    spread = np.maximum(np.maximum(fit.spread, floor), 1e-12)
    known = (fit.points >= FEWEST_POINTS) & np.isfinite(measure[:, bucket])
    worse = np.where(known[:, None], np.nan_to_num(measure - usual[:, None]), 0.0)
    deviations = worse / spread[:, None]
    z = deviations[:, bucket]
    certain = sigmoid(z)
    counted = np.where(known, certain, 0.0)
    graph = graph.past(~known)
    excess = worse[:, bucket]
    own_z = z * own_part(excess - taken_out(graph, top, excess, counted, _calls(graph, normal)), excess)
    width, before = graph.widest(top, np.where(known, certain, 1.0))
    path = np.maximum(np.where(width < 0, UNREACHED, width), NARROWEST)
    outstanding = np.maximum(own_z, 0.0) / (np.maximum(own_z, 0.0) + HALF)
    begun = (deviations >= LIKELY_Z) & (np.arange(deviations.shape[1]) >= first - 1)
    onset = np.where(begun.any(axis=1), begun.argmax(axis=1), deviations.shape[1])
    score = sigmoid(np.minimum(z, own_z)) * outstanding * path * LATER ** (onset - onset.min())
    score = np.where(known, score, 0.0) * _views(graph, own_z)
    return Depth(top, kind, bucket, usual, z, known, onset, before, score)


def _views(graph: Graph, own_z: Floats) -> Floats:
    """Less blame for a leaf of one caller while another service of that caller, with more calls, got worse by itself.

    What measures calls at their caller shows the same service a second time, as a leaf that only that caller knows and
    that sees few of its calls, or just the bad ones.
    """
    calls = np.bincount(np.concatenate([graph.callers, graph.callees]), minlength=len(own_z))
    factor = np.ones(len(own_z))
    for caller, callees in enumerate(graph.below):
        worse = [callee for callee in callees if own_z[callee] >= LIKELY_Z]
        if any(calls[callee] > 1 for callee in worse):
            factor[[callee for callee in worse if calls[callee] == 1 and caller != callee]] = ONE_VIEW
    return factor


def _calls(graph: Graph, normal: Normal) -> Floats:
    """Per edge how many calls a request may make, going by the time that both usually take: a caller waits for its
    calls, so it takes at least as long as they do together."""
    seconds = normal.measure("latency").median
    known = (seconds[graph.callers] > 0) & (seconds[graph.callees] > 0)
    ratio = seconds[graph.callers] / np.where(known, seconds[graph.callees], 1.0)
    return np.asarray(np.where(known, np.clip(ratio, FEWEST_CALLS, MOST_CALLS), 1.0))
