"""Aftermath: a rule that looks back over a window still sees an outage that is over.

After the last recovery of a service's checks, for as long as the window and `for` of a rule on its answers, what the
rule says may be the outage itself. The same statistic on the points since then tells: below three points nobody knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from forewatch.clock import iso, micros
from forewatch.config.models import Rule
from forewatch.detection.statistics import Samples, compute, within

LOOKS_BACK = ("check.", "http.")
"""What the metrics of a service's answers begin with."""
FEWEST = 3
"""Points after the recovery below which their statistic says nothing."""


@dataclass(frozen=True)
class SinceRecovery:
    """`value`: the rule's statistic since `recovered_at`, None below three points; `until`: when an outage before that
    is out of its sight. Instants in microseconds UTC."""

    recovered_at: int
    value: float | None
    until: int

    def as_json(self) -> dict[str, Any]:
        return {"recovered_at": self.recovered_at, "since_recovery": self.value, "aftermath_until": self.until}


def since_recovery(rule: Rule, samples: Samples, recovered_at: int | None, now: int) -> SinceRecovery | None:
    """What a rule on a service's answers sees since its checks recovered; None where it does not look back on that."""
    if recovered_at is None or recovered_at > now or not rule.metric.startswith(LOOKS_BACK) or rule.per is not None:
        return None
    until = recovered_at + micros(rule.window + rule.for_)
    if until <= now or rule.exhausted_within is not None or rule.anomaly is not None:
        return None
    after = [sample for sample in within(samples, now, rule.window) if sample[0] > recovered_at]
    value = compute(rule.statistic, after) if len(after) >= FEWEST else None
    return SinceRecovery(recovered_at, value, until)


def is_aftermath(values: Mapping[str, Any], now: int) -> bool:
    """Whether an alert with these values tells of an outage that is over, as far as is known."""
    until = values.get("aftermath_until")
    if not isinstance(until, int) or until <= now:
        return False
    value, low, high = values.get("since_recovery"), values.get("low"), values.get("high")
    if value is None:
        return True
    return not ((low is not None and value < low) or (high is not None and value > high))


def said_of(values: Mapping[str, Any]) -> str:
    """`it looks back on an outage that ended 17:00:08 UTC`."""
    return f"it looks back on an outage that ended {iso(int(values['recovered_at']))[11:19]} UTC"
