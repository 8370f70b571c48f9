"""Counters that only grow, as rates: what can be forecast and judged of them is their growth."""

from __future__ import annotations

import itertools

from forewatch.clock import seconds
from forewatch.detection.statistics import Sample, Samples, clean

# The last word of OpenTelemetry's counters. Its `*.count` is none: it says how many there are.
_LAST_WORDS = frozenset({"io", "operations", "packets", "errors", "dropped", "faults", "restarts"})
_ENDINGS = ("_total", "_sum", "_count", "_bucket", "cpu.time", "disk.io_time", "disk.operation_time")


def is_counter(metric: str) -> bool:
    """Whether a metric counts up from zero, told by its name (OpenTelemetry's and Prometheus' conventions)."""
    return metric.rpartition(".")[2] in _LAST_WORDS or metric.endswith(_ENDINGS)


def to_rates(samples: Samples) -> list[Sample]:
    """Growth per second from each sample to the next, told at the later one; a fall is a reset to zero."""
    rates = []
    for (earlier, before), (later, after) in itertools.pairwise(clean(samples)):
        growth = after - before if after >= before else after
        # A counter below zero is none; its fall there is no growth either.
        rates.append((later, max(0.0, growth) / seconds(later - earlier)))
    return rates
