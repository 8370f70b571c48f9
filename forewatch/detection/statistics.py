"""Statistics of one series over a window.

Samples are `(at, value)`: microseconds UTC and the value in the metric's unit, in any order. Every statistic is None
where there is no data for it, which is not the same as zero. Quantiles interpolate linearly between the two nearest
ranks (Hyndman and Fan's type 7: numpy's default and what Prometheus' `quantile_over_time` does).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence

from forewatch.clock import micros, seconds
from forewatch.config.models import Statistic

Sample = tuple[int, float]
Samples = Sequence[Sample]


def clean(samples: Iterable[Sample]) -> list[Sample]:
    """Sorted by time, one a moment (the one that came last), without NaN and infinities."""
    return sorted({at: value for at, value in samples if math.isfinite(value)}.items())


def within(samples: Iterable[Sample], now: int, window: float) -> list[Sample]:
    """The clean samples of the last `window` seconds: later than `now - window`, not later than `now`."""
    start = now - micros(window)
    return clean(sample for sample in samples if start < sample[0] <= now)


def compute(statistic: Statistic, samples: Samples, per: Samples = ()) -> float | None:
    """A statistic of clean samples; `per` are those of the metric that `ratio` divides by. None where no data."""
    value = ratio(samples, per) if statistic == "ratio" else _OF_ONE[statistic](samples)
    return value if value is not None and math.isfinite(value) else None


def mean(samples: Samples) -> float | None:
    """The arithmetic mean of the samples, each counting the same."""
    count = len(samples)
    # Dividing first keeps huge values from running over.
    return math.fsum(value / count for _, value in samples) if samples else None


def quantile(samples: Samples, share: float) -> float | None:
    """The value below which `share` (0-1) of the samples lie."""
    if not samples:
        return None
    ranked = sorted(value for _, value in samples)
    position = share * (len(ranked) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ranked) - 1)
    weight = position - below
    return ranked[below] * (1 - weight) + ranked[above] * weight


def rate(samples: Samples) -> float | None:
    """A counter's growth per second from the first to the last sample. A fall is a reset: it counted on from zero."""
    if len(samples) < 2:
        return None
    growth = 0.0
    for (_, before), (_, after) in itertools.pairwise(samples):
        growth += after - before if after >= before else after
    return growth / seconds(samples[-1][0] - samples[0][0])


def ratio(samples: Samples, per: Samples) -> float | None:
    """The mean of one metric over the mean of another; None where the other is zero or has no data."""
    above, below = mean(samples), mean(per)
    return None if above is None or not below else above / below


_OF_ONE: dict[Statistic, Callable[[Samples], float | None]] = {
    "mean": mean,
    "max": lambda samples: max((value for _, value in samples), default=None),
    "min": lambda samples: min((value for _, value in samples), default=None),
    "p50": lambda samples: quantile(samples, 0.50),
    "p95": lambda samples: quantile(samples, 0.95),
    "p99": lambda samples: quantile(samples, 0.99),
    "rate": rate,
    "sum": lambda samples: sum(value for _, value in samples) if samples else None,
    # Silence counts as nothing seen, but only a series that speaks at all can be counted.
    "count": lambda samples: float(len(samples)) if samples else None,
    "last": lambda samples: samples[-1][1] if samples else None,
}
