"""Excess-load attribution: what each service itself added to the trouble at one alarmed service.

Seconds spent (latency times requests) and failed requests add up along calls. So what a service itself adds is what is
left of its rise after the rise of the services it calls is taken out, and a rise that is not large beside what is
usual, or that does not lie on a path of risen services, counts little.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forewatch.incidents.causes.graph import Graph
from forewatch.incidents.causes.ranking import Kind
from forewatch.incidents.causes.telemetry import A_REQUEST, Floats, Normal, Telemetry
from forewatch.incidents.causes.undeclared import taken_out, undeclared

LIKELY_Z = 3.0
"""A rise of so many usual deviations is as likely trouble as not."""
FEWEST_POINTS = 10
"""With fewer normal buckets nothing can be said of a service."""
FLOOR = 0.05
"""The least deviation counted for latency, as a share of the median: nobody minds less."""
READ = 3
"""Buckets from the alarm on of which the worst is read: a fault often shows fully a bucket later, and fades after."""
HALF = 3.0
"""Own deviations at which a share of the rise counts one half: one service's bad day is another's every day."""
UNREACHED = 0.5
"""The path of a service to which no known calls lead: the graph may lack an edge."""
NARROWEST = 0.25


@dataclass(frozen=True, eq=False)
class Attribution:
    """Per service, for one top alarm and one kind. Loads are per request of the top alarm's service."""

    top: int
    kind: Kind
    bucket: int
    requests: float
    """Of the top alarm's service in the bucket read."""
    usual: Floats
    """The measure to expect: its normal median, or what it was just before the alarm where that was worse."""
    excess: Floats
    """The load beyond the normal median, or beyond what it was just before the alarm where that was more."""
    own: Floats
    """The excess without that of the services it calls."""
    z: Floats
    """The excess in usual deviations."""
    own_z: Floats
    known: NDArray[np.bool_]
    """Services with enough history to be blamed."""
    share: Floats
    """Of the top alarm's excess, the part that is the service's own."""
    path: Floats
    before: list[int]
    """For each service the one before it on its path."""
    guessed: frozenset[tuple[int, int]]
    """Calls (caller, callee) that nobody declared but that explain the rise of the caller."""
    score: Floats

    @property
    def weight(self) -> float:
        """How much trouble the alarm stands for."""
        return max(0.0, float(self.excess[self.top])) * self.requests


def sigmoid(z: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(np.clip(LIKELY_Z - z, -60.0, 60.0))))


def own_part(own: Floats, excess: Floats) -> Floats:
    """Of each service's excess the part that is its own, -1 to 1; 0 of none."""
    safe = np.where(excess == 0.0, 1.0, excess)
    return np.asarray(np.where(excess == 0.0, 0.0, np.clip(own / safe, -1.0, 1.0)))


def worst_bucket(worse: Floats, first: int) -> int | None:
    """Of the buckets from `first` on that are read, the one where a measure is worst; None where it has no data."""
    read = worse[first : first + READ]
    return first + int(np.nanargmax(read)) if np.isfinite(read).any() else None


def attribute(graph: Graph, normal: Normal, during: Telemetry, top: int, kind: Kind, at: int) -> Attribution | None:
    """Attribute the excess at `top` from the instant `at` on; None where `top` has no data then."""
    first = during.bucket_of(at)
    bucket = worst_bucket(np.where(during.requests[top] >= A_REQUEST, during.measure(kind)[top], np.nan), first)
    if bucket is None:
        return None
    requests = float(during.requests[top, bucket])
    load = during.load(kind)
    fit = normal.load(kind, top)
    reference = np.maximum(fit.median, _just_before(load, during.requests[top], first))
    excess = load[:, bucket] / requests - reference
    failures = np.sqrt(fit.median * requests + 1.0) / requests
    floor = FLOOR * fit.median if kind == "latency" else failures
    z = excess / np.maximum(np.maximum(fit.spread, floor), 1e-12)
    usual = usual_measure(normal, during, kind, first)
    if kind == "latency":
        z = np.maximum(z, _latency_z(normal, during.latency[:, bucket], usual))
    known = fit.points >= FEWEST_POINTS
    certain = sigmoid(z)
    counted = np.where(known, certain, 0.0)
    graph = graph.past(~known)
    guessed = undeclared(graph, top, excess, counted, normal.seconds())
    if guessed:
        graph = graph.of_edges({*graph.edges, *guessed})
    own = excess - taken_out(graph, top, excess, counted)
    rise = float(excess[top])
    share = np.clip(np.minimum(own, excess) / rise, 0.0, 1.0) if rise > 0 else np.zeros(len(excess))
    width, before = graph.widest(top, np.where(known, certain, 1.0))
    path = np.maximum(np.where(width < 0, UNREACHED, width), NARROWEST)
    own_z = z * own_part(own, excess)
    clear = np.maximum(np.minimum(z, own_z), 0.0)
    score = np.where(known, share * sigmoid(clear) * clear / (clear + HALF) * path, 0.0)
    return Attribution(
        top, kind, bucket, requests, usual, excess, own, z, own_z, known, share, path, before, guessed, score
    )


def _just_before(load: Floats, requests: Floats, first: int) -> Floats | float:
    """The load in the last bucket that ended before the alarm; 0 where it is not known."""
    if first < 1 or not requests[first - 1] >= A_REQUEST:
        return 0.0
    return np.asarray(load[:, first - 1] / requests[first - 1])


def usual_measure(normal: Normal, during: Telemetry, kind: Kind, first: int) -> Floats:
    """The normal median of a measure, or what it was in the bucket before `first` where that was worse."""
    median = normal.measure(kind).median
    return np.asarray(np.fmax(median, during.measure(kind)[:, first - 1])) if first >= 1 else median


def _latency_z(normal: Normal, latency: Floats, usual: Floats) -> Floats:
    """The rise of each service's seconds a request, in usual deviations; endlessly small where there is no data."""
    fit = normal.measure("latency")
    spread = np.maximum(np.maximum(fit.spread, FLOOR * fit.median), 1e-12)
    z = (latency - usual) / spread
    return np.where(np.isfinite(z) & (fit.points >= FEWEST_POINTS), z, -np.inf)
