"""A forecast as a value: what is expected of a series, step by step, and between which bounds."""

from __future__ import annotations

from dataclasses import dataclass

from forewatch.clock import micros


@dataclass(frozen=True)
class Forecast:
    """Step `k` speaks of the mean over `[start + k * step, start + (k + 1) * step)`; `lower` to `upper` hold 95 %."""

    start: int
    """Of the first step, microseconds UTC."""
    step: float
    """Seconds."""
    mean: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    model: str
    unknown: tuple[str, ...] = ()
    """What so short a past cannot tell yet: `daily rhythm: known after two days`."""

    @property
    def end(self) -> int:
        """Of the last step, microseconds UTC."""
        return self.time_of(len(self.mean))

    def time_of(self, index: int) -> int:
        """The start of a step."""
        return self.start + index * micros(self.step)

    def band(self, since: int, until: int) -> tuple[float, float] | None:
        """The mean lower and upper bound of the steps that touch `[since, until]`; None where `until` is not covered.

        A part of the span before the first step is left out: a forecast just made still answers for the window now.
        """
        if not self.start <= until < self.end:
            return None
        step = micros(self.step)
        first = max(0, (since - self.start) // step)
        last = (until - self.start) // step
        count = last - first + 1
        return sum(self.lower[first : last + 1]) / count, sum(self.upper[first : last + 1]) / count


@dataclass(frozen=True)
class NotYet:
    """No forecast, and why: `needs 30 minutes of data, has 12 minutes`."""

    reason: str
