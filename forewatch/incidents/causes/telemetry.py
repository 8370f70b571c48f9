"""What was measured: per service and bucket of time the requests, their mean latency and the share that succeeded.

A cell without data is NaN, which is not zero. The matrices are aligned to one order of services, `Telemetry.onto`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from forewatch.clock import micros
from forewatch.incidents.causes.ranking import Kind

Floats = NDArray[np.float64]


A_REQUEST = 1e-3
"""With fewer requests in a bucket (they may be averages) there were none."""


@dataclass(frozen=True, eq=False)
class Telemetry:
    """Matrices of (services, buckets). `starts` in microseconds UTC, ascending; `width` of a bucket in seconds."""

    services: tuple[str, ...]
    starts: NDArray[np.int64]
    width: float
    requests: Floats
    """Requests in the bucket; all NaN where they are not counted."""
    latency: Floats
    """Seconds a request; the mean, unless `additive` is false."""
    success: Floats
    """Ratio 0-1."""
    additive: bool = True
    """Whether `latency` is a mean, which adds up along calls. Percentiles do not."""

    def onto(self, services: Sequence[str]) -> Telemetry:
        """The same for another list of services: unknown ones have no data, those not in it are left out."""
        place = {name: number for number, name in enumerate(self.services)}
        rows = np.array([place.get(name, -1) for name in services], dtype=np.int64)

        def aligned(matrix: Floats) -> Floats:
            found = matrix[rows] if len(self.services) else np.full((len(rows), matrix.shape[1]), np.nan)
            found[rows < 0] = np.nan
            return found

        return replace(
            self,
            services=tuple(services),
            requests=aligned(self.requests),
            latency=aligned(self.latency),
            success=aligned(self.success),
        )

    def measure(self, kind: Kind) -> Floats:
        """What gets larger as it gets worse: seconds a request, or the share of requests that fail."""
        return self.latency if kind == "latency" else 1.0 - self.success

    def load(self, kind: Kind) -> Floats:
        """Seconds spent, or requests failed, in each bucket; 0 where there is no data. It adds up along calls."""
        return np.nan_to_num(self.requests * self.measure(kind), nan=0.0)

    def bucket_of(self, at: int) -> int:
        """The first bucket that ends after an instant; the number of buckets where none does."""
        return int(np.searchsorted(self.starts, at - micros(self.width), side="right"))


@dataclass(frozen=True)
class Spread:
    """How a quantity is when all is well, per service."""

    median: Floats
    spread: Floats
    """A robust standard deviation; 0 where it never changed."""
    points: NDArray[np.int64]
    """Buckets with data."""


@dataclass(eq=False)
class Normal:
    """A period without trouble, with what was fitted to it: fits are made on first use and kept.

    One object may serve many incidents of the same services; it is not to be shared between threads.
    """

    telemetry: Telemetry
    _fits: dict[tuple[str, Kind, int], Spread] = field(default_factory=dict)
    _seconds: Floats | None = None

    @property
    def services(self) -> tuple[str, ...]:
        return self.telemetry.services

    def load(self, kind: Kind, top: int) -> Spread:
        """Of the load for each request that the service `top` got, so that traffic cancels out."""
        key = ("load", kind, top)
        if key not in self._fits:
            requests = self.telemetry.requests[top]
            used = requests >= A_REQUEST
            load = self.telemetry.load(kind)[:, used] / requests[used]
            points = np.isfinite(self.telemetry.measure(kind)[:, used]).sum(axis=1)
            self._fits[key] = _fit(np.sort(load, axis=1), np.full(len(load), load.shape[1]), points)
        return self._fits[key]

    def measure(self, kind: Kind) -> Spread:
        """Of the measure itself: seconds a request, share of failures."""
        key = ("measure", kind, -1)
        if key not in self._fits:
            measure = self.telemetry.measure(kind)
            points = np.isfinite(measure).sum(axis=1)
            # NaN sorts last, so the first `points` of a row are its data.
            self._fits[key] = _fit(np.sort(measure, axis=1), points, points)
        return self._fits[key]

    def seconds(self) -> Floats:
        """What each service usually spends in a bucket."""
        if self._seconds is None:
            self._seconds = np.median(self.telemetry.load("latency"), axis=1)
        return self._seconds


def _fit(ordered: Floats, counts: NDArray[np.int64], points: NDArray[np.int64]) -> Spread:
    """Of rows in ascending order, of which the first `counts` each are data."""
    if not ordered.shape[1]:
        nothing = np.zeros(len(ordered))
        return Spread(nothing, nothing, points)
    median = _quantile(ordered, counts, 0.5)
    deviations = np.sort(np.abs(ordered - median[:, None]), axis=1)
    middle = 1.4826 * _quantile(deviations, counts, 0.5)
    tails = (_quantile(ordered, counts, 0.95) - _quantile(ordered, counts, 0.05)) / 3.29
    return Spread(median, np.maximum(middle, tails), points)


def _quantile(ordered: Floats, counts: NDArray[np.int64], share: float) -> Floats:
    """Interpolated between the two nearest ranks; 0 for a row without data."""
    place = np.maximum(counts - 1, 0) * share
    below = place.astype(np.int64)
    above = np.minimum(below + 1, np.maximum(counts - 1, 0))
    rows = np.arange(len(ordered))
    low, high = ordered[rows, below], ordered[rows, above]
    return np.where(counts > 0, low + (high - low) * (place - below), 0.0)
