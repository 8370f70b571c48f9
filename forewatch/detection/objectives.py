"""Whether a service meets its objectives, and whether it spends its error budget too fast.

Each answer of an objective's check is good or bad. The error budget is the share that may be bad over the objective's
window; the burn rate is the share that was bad over the share that may be: at 1x the budget lasts the window out.

* Alerts look at two windows at once (multi-window burn rates, as the SRE workbook has them): the long one says that
  it matters, the short one that it still goes on. Both must exceed; the alert ends when the short one no longer does.
* 14.4x over an hour is 2 % of a 30-day budget, 6x over six hours 5 %. For other windows the factor is scaled so that
  these shares stay what they are, but never below 1x, which any budget bears.
* No answer is neither good nor bad: it raises nothing and ends nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from forewatch.alerting.classification import LABEL
from forewatch.clock import micros, seconds
from forewatch.config.base import Severity
from forewatch.config.detection import Objective
from forewatch.config.models import Check, Service
from forewatch.incidents.events import AlertCleared, AlertRaised
from forewatch.units import format_duration

ALERT = "ErrorBudgetBurn"

PIECES = 12
"""Short windows in a long one."""
COVERED = PIECES // 2
"""Of a long window's pieces as many must have answers: what nobody looked at is no history."""

FEWEST_BAD = 2
"""Bad answers in the long window: of a check that seldom runs a single one can be more than any budget bears."""

_MONTH = 30 * 86400.0
_NOISE = 1e-9
"""Share by which a burn rate may be off for the rounding of shares alone."""


@dataclass(frozen=True)
class Speed:
    """A pace of spending that raises an alert."""

    name: Literal["fast", "slow"]
    factor: float
    """How many times too fast, for a window of 30 days."""
    long: float
    """Seconds."""
    short: float
    severity: Severity

    def threshold(self, window: float) -> float:
        """The burn rate above which it raises an alert, for an objective over `window` seconds."""
        return max(1.0, self.factor * window / _MONTH)


FAST = Speed("fast", 14.4, 3600.0, 300.0, "critical")
SLOW = Speed("slow", 6.0, 6 * 3600.0, 1800.0, "warning")
SPEEDS = (FAST, SLOW)


@dataclass(frozen=True)
class Tally:
    """Answers of some span."""

    good: float = 0.0
    total: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.good + other.good, self.total + other.total)

    def __sub__(self, other: Tally) -> Tally:
        total = max(0, self.total - other.total)
        return Tally(min(max(0.0, self.good - other.good), float(total)), total)

    @property
    def bad(self) -> float:
        return max(0.0, self.total - self.good)

    @property
    def bad_share(self) -> float | None:
        """0-1; None without answers."""
        return self.bad / self.total if self.total else None


@dataclass(frozen=True)
class Windows:
    """What the two windows of a speed hold."""

    long: Tally
    short: Tally
    since: int | None
    """The first answer that is kept, microseconds UTC."""
    covered: int = PIECES
    """Of the pieces of the long window those that have answers."""


@dataclass(frozen=True)
class Burn:
    """A judgement of one objective at one speed. Burn rates are None where nothing answered."""

    firing: bool
    transition: Literal["raised", "cleared"] | None
    long: float | None
    short: float | None
    threshold: float
    note: str = ""


def check_of(service: Service, objective: Objective) -> Check | None:
    """What an objective is measured by; None where the service has no such check."""
    if objective.check is not None:
        return next((check for check in service.checks if check.label == objective.check), None)
    return next((check for check in service.checks if check.http is not None), next(iter(service.checks), None))


def in_time(ok: bool, duration: float, under: float) -> bool:
    """Whether an answer is good for a latency objective: a failure is not, however fast it came."""
    return ok and duration < under


def tally(parts: Iterable[Tally]) -> Tally:
    """All of them together: the answers of a service's instances."""
    return sum(parts, Tally())


def burn_rate(answers: Tally, target: float) -> float | None:
    """How many times too fast the budget is spent; None without answers."""
    share = answers.bad_share
    return None if share is None else share / (1.0 - target)


def highest_burn(target: float) -> float:
    """The burn rate of a full outage."""
    return 1.0 / (1.0 - target)


def exceeds(answers: Tally, target: float, threshold: float) -> bool:
    """Whether a window burns faster than `threshold`; one without answers does not."""
    rate = burn_rate(answers, target)
    return rate is not None and rate > threshold * (1.0 + _NOISE)


def judge(objective: Objective, speed: Speed, seen: Windows, firing: bool, now: int) -> Burn:
    """What the windows that end at `now` say; `firing`: what was said last."""
    threshold, target = speed.threshold(objective.window), objective.target
    long, short = burn_rate(seen.long, target), burn_rate(seen.short, target)
    still = exceeds(seen.short, target, threshold)
    if firing:
        if short is None:
            note = f"no answer in the last {format_duration(speed.short)}; still firing on what was seen last"
            return Burn(True, None, long, short, threshold, note)
        return Burn(still, None if still else "cleared", long, short, threshold)
    if not (still and exceeds(seen.long, target, threshold)):
        return Burn(False, None, long, short, threshold)
    if round(seen.long.bad) < FEWEST_BAD:
        return Burn(False, None, long, short, threshold, "one bad answer is not yet a burn")
    missing = _missing_history(speed, seen, now)
    if missing:
        return Burn(False, None, long, short, threshold, missing)
    return Burn(True, "raised", long, short, threshold)


def burn_labels(service: Service, objective: Objective, speed: Speed) -> dict[str, str]:
    """What makes the alert the same one next time; what identifies it wins over labels written at the service."""
    return {
        **service.alert_labels,
        "alertname": ALERT,
        "service": service.name,
        "objective": objective.label,
        "speed": speed.name,
        LABEL: objective.kind,
        "severity": speed.severity,
    }


def burn_event(
    service: Service,
    objective: Objective,
    speed: Speed,
    burn: Burn,
    seen: Windows,
    left: float | None,
    now: int,
) -> AlertRaised | AlertCleared | None:
    """The event a judgement calls for; None without a transition. `left`: share of the error budget, for the words."""
    if burn.transition is None:
        return None
    labels, values = burn_labels(service, objective, speed), _values(objective, burn, seen, left)
    if burn.transition == "cleared":
        return AlertCleared(labels, now, {**values, "reason": _calm(speed, burn)})
    summary = _summary(service, objective, speed, burn, seen, left)
    return AlertRaised(labels, {"summary": summary}, now, values)


def share_spent(burn: float, span: float, window: float) -> float:
    """The share of a window's whole budget that went in `span` seconds at a burn rate."""
    return burn * span / window


def percent(share: float, digits: int = 3) -> str:
    """`99.95%`: for targets ask for six digits, or they read as kept when they are not."""
    return f"{share * 100:.{digits}g}%"


def times(burn: float) -> str:
    """`14.4x`."""
    return f"{burn:,.0f}x" if burn >= 100 else f"{burn:.3g}x"


def _missing_history(speed: Speed, seen: Windows, now: int) -> str:
    """Why the long window cannot be trusted yet; empty where it can."""
    span = format_duration(speed.long)
    if seen.since is None or now - seen.since < micros(speed.long):
        has = format_duration(seconds(max(0, now - seen.since))) if seen.since is not None else "none"
        return f"needs {span} of history, has {has}"
    if seen.covered < COVERED:
        return f"needs answers in half of the last {span}, has them in {seen.covered} of {PIECES} parts"
    return ""


def _values(objective: Objective, burn: Burn, seen: Windows, left: float | None) -> dict[str, Any]:
    found = {
        "burn_long": burn.long,
        "burn_short": burn.short,
        "threshold": burn.threshold,
        "bad_long": seen.long.bad,
        "total_long": seen.long.total,
        "bad_short": seen.short.bad,
        "total_short": seen.short.total,
        "target": objective.target,
        "budget_left": left,
        "history_since": seen.since,
    }
    return {name: value for name, value in found.items() if value is not None}


def _calm(speed: Speed, burn: Burn) -> str:
    now = times(burn.short) if burn.short is not None else "nothing"
    return f"the last {format_duration(speed.short)} burn {now}, not above {times(burn.threshold)}"


def _summary(
    service: Service, objective: Objective, speed: Speed, burn: Burn, seen: Windows, left: float | None
) -> str:
    rate, bad = burn.long or 0.0, seen.long.bad_share or 0.0
    span, window = format_duration(speed.long), format_duration(objective.window)
    wrong, may = "were bad", "may be"
    if objective.latency is not None:
        wrong, may = f"failed or took {format_duration(objective.latency.under)} or more", "may"
    name = objective.label if objective.label == objective.kind else f"{objective.label} ({objective.kind})"
    said = (
        f"{service.name}: {name} burns its error budget {times(rate)} as fast as it may: in the last {span} "
        f"{percent(bad)} of the answers {wrong} ({percent(1.0 - objective.target)} {may}), "
        f"{percent(share_spent(rate, speed.long, objective.window), 2)} of the {window} budget went"
    )
    if left is None:
        return said
    return f"{said}, {percent(left, 2)} is left" if left > 0 else f"{said}, nothing is left"
