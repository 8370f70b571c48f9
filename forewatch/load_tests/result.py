"""What came of a load: nothing that was due is missing from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from forewatch.load_tests.histogram import Histogram

UNSENT = "unsent"
"""Kind of error: no connection was free within the time-out, so it never left."""
TIMEOUT = "timeout"
LATE = 0.01
LATE_SHARE = 0.25
"""Seconds, and share of the median time, that the generator may be late by at the 99th percentile: beyond both, it may
be itself that was measured."""
QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}


@dataclass
class Second:
    """The requests that were due within one second."""

    due: int = 0
    good: int = 0
    failed: int = 0
    times: Histogram = field(default_factory=Histogram)


@dataclass
class Measured:
    """Filled in while the load runs; `at` is its begin in microseconds UTC, times are seconds.

    `times` holds what good answers took, counted from the moment the request was due; one that was not answered in time
    counts with the time-out, so that a service cannot look fast by not answering. What failed at once (refused, status
    500) is among the errors alone, for it would flatter.
    """

    at: int
    rate: float
    duration: float
    elapsed: float = 0.0
    due: int = 0
    good: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    """By kind: `status 503`, `timeout`, `connection refused`, `unsent`."""
    bytes: int = 0
    """Of bodies, as they came over the wire."""
    delayed: int = 0
    """Sent late because as many as allowed were in flight; `times` has their wait in it."""
    unfinished: int = 0
    """Under way or waiting when the load was stopped; not among `good` and `errors`."""
    stopped: bool = False
    """Before its end, by a person."""
    times: Histogram = field(default_factory=Histogram)
    lag: Histogram = field(default_factory=Histogram)
    """How late the generator itself was with requests it was free to send."""
    seconds: list[Second] = field(default_factory=list)

    @property
    def failed(self) -> int:
        return sum(self.errors.values())

    @property
    def answered(self) -> int:
        """Good or not: those whose end is known."""
        return self.good + self.failed

    @property
    def error_ratio(self) -> float:
        return self.failed / self.answered if self.answered else 0.0

    @property
    def throughput(self) -> float:
        """Good answers a second."""
        return self.good / self.elapsed if self.elapsed > 0 else 0.0

    @property
    def medians(self) -> list[float | None]:
        """Of each second the median time; None where nothing of it was answered."""
        return [second.times.quantile(0.5) for second in self.seconds]

    @property
    def lateness(self) -> float:
        """Seconds the generator was late by, at the 99th percentile."""
        return self.lag.quantile(0.99) or 0.0

    @property
    def late(self) -> bool:
        """Whether the generator was too late for its figures to be the service's."""
        return self.lateness > max(LATE, LATE_SHARE * (self.times.quantile(0.5) or 0.0))

    @property
    def trustworthy(self) -> bool:
        """Whether it was the service that was measured, and not the generator or a part of the load."""
        return not self.stopped and not self.late and self.answered > 0

    def quantiles(self) -> dict[str, float]:
        """The quantiles people ask for, in seconds; empty where nothing was timed."""
        found = {name: self.times.quantile(share) for name, share in QUANTILES.items()}
        return {name: value for name, value in found.items() if value is not None}

    def as_json(self) -> dict[str, Any]:
        """Plain JSON: `times` as `Histogram.from_json` reads it, and of each second its median."""
        kept = {name: value for name, value in vars(self).items() if name not in ("times", "lag", "seconds")}
        return {
            **kept,
            "throughput": self.throughput,
            "error_ratio": self.error_ratio,
            "quantiles": self.quantiles(),
            "max": self.times.most,
            "generator": {"late": self.late, "p99": self.lateness, "max": self.lag.most},
            "trustworthy": self.trustworthy,
            "medians": [None if median is None else round(median, 6) for median in self.medians],
            "times": self.times.as_json(),
        }
