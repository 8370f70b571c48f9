"""Counters that only grow, as rates: what can be forecast and judged of them is their growth.

A name only hints: `queue_count` may be how many there are. Its values may say so, and the configuration's `counters`
settle it.
"""

from __future__ import annotations

import itertools

from forewatch.clock import seconds
from forewatch.detection.statistics import Sample, Samples, clean

# The last word of OpenTelemetry's counters. Its `*.count` is none: it says how many there are.
_LAST_WORDS = frozenset({"io", "operations", "packets", "errors", "dropped", "faults", "restarts"})
_FEWEST_MOVES = 3
_OFTEN = 0.1
"""Share of its moves that are falls to more than half."""
_VERY_OFTEN = 0.3
"""Share of its moves that are falls at all."""
_ENDINGS = ("_total", "_sum", "_count", "_bucket", "cpu.time", "disk.io_time", "disk.operation_time")


def is_counter(metric: str) -> bool:
    """Whether a metric counts up from zero, told by its name (OpenTelemetry's and Prometheus' conventions)."""
    return metric.rpartition(".")[2] in _LAST_WORDS or metric.endswith(_ENDINGS)


def shown_by(metric: str, samples: Samples) -> bool | None:
    """Whether the values of what is called a counter say it is none; None where they do not contradict its name.

    A counter falls when it begins again, and then to almost nothing: a gauge falls often, and not to zero, or so often
    that nothing could have begun again each time. One that was below zero is a gauge.
    """
    if not is_counter(metric):
        return None
    values = [value for _, value in clean(samples)]
    moves = [(before, after) for before, after in itertools.pairwise(values) if before != after]
    if any(value < 0 for value in values):
        return False
    if len(moves) < _FEWEST_MOVES:
        return None
    falls = [(before, after) for before, after in moves if after < before]
    kept = sum(after > before / 2 for before, after in falls)
    return False if kept >= _OFTEN * len(moves) or len(falls) >= _VERY_OFTEN * len(moves) else None


def to_rates(samples: Samples) -> list[Sample]:
    """Growth per second from each sample to the next, told at the later one; a fall is a reset to zero."""
    rates = []
    for (earlier, before), (later, after) in itertools.pairwise(clean(samples)):
        growth = after - before if after >= before else after
        # A counter below zero is none; its fall there is no growth either.
        rates.append((later, max(0.0, growth) / seconds(later - earlier)))
    return rates
