"""What a metric's numbers mean, told by its name, and how to say one to a person.

Names follow OpenTelemetry's conventions: `*.utilization` is a ratio 0-1, `*.duration` seconds, `*.usage` and `*.io`
bytes. A name that says nothing is a plain count.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from forewatch.config.models import Statistic
from forewatch.units import format_bytes, format_duration

Unit = Literal["ratio", "seconds", "bytes", "count"]

_BY_NAME: dict[str, Unit] = {
    "system.memory.limit": "bytes",
    "check.certificate.left": "seconds",
    "objective.budget.left": "ratio",
}
_BY_LAST_WORD: dict[str, Unit] = {
    "utilization": "ratio",
    "ratio": "ratio",
    "up": "ratio",
    "duration": "seconds",
    "lag": "seconds",
    "time": "seconds",
    "uptime": "seconds",
    "age": "seconds",
    "usage": "bytes",
    "io": "bytes",
    "size": "bytes",
}


@dataclass(frozen=True)
class Range:
    """Between which values a metric keeps, whatever happens."""

    low: float = -math.inf
    high: float = math.inf

    def kept_by(self, lowest: float, highest: float) -> Range:
        """The part of it that a series has kept to, whose values lay between these: a name can mislead."""
        return Range(self.low if lowest >= self.low else -math.inf, self.high if highest <= self.high else math.inf)


def unit_of(metric: str) -> Unit:
    """The unit of a metric's samples."""
    return _BY_NAME.get(metric) or _BY_LAST_WORD.get(metric.rpartition(".")[2], "count")


def range_of(metric: str) -> Range:
    """Where a metric's values lie by its name: a ratio from 0 to 1, bytes, seconds and counts from 0 on.

    A name that says nothing is taken for a count; `Range.kept_by` frees a series that has shown otherwise.
    """
    return Range(0.0, 1.0) if unit_of(metric) == "ratio" else Range(0.0)


def unit_of_statistic(metric: str, statistic: Statistic) -> tuple[Unit, str]:
    """The unit of a statistic of a metric and its suffix (`/s` for a rate)."""
    if statistic == "count":
        return "count", ""
    if statistic == "ratio":
        return "ratio", ""
    return unit_of(metric), "/s" if statistic == "rate" else ""


def show(value: float, unit: Unit, digits: int = 3) -> str:
    """A number as a person says it, to `digits` significant digits where that is ours to choose: `93.1%`, `1.4GB`."""
    if unit == "ratio":
        return _number(value * 100, digits) + "%"
    if unit == "seconds":
        return format_duration(value) if digits <= 3 else _number(value, digits) + "s"
    if unit == "bytes":
        return format_bytes(value) if digits <= 3 else _number(value, digits) + "B"
    return _number(value, digits)


def show_apart(value: float, other: float, unit: Unit) -> tuple[str, str]:
    """Both numbers, with digits enough that they do not read the same unless they are: never "90%, above 90%"."""
    pair = show(value, unit), show(other, unit)
    for digits in range(4, 18):
        if pair[0] != pair[1] or value == other:
            break
        pair = show(value, unit, digits), show(other, unit, digits)
    return pair


def _number(value: float, digits: int) -> str:
    if 1000 <= abs(value) < 1e15 and digits <= 3:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"
