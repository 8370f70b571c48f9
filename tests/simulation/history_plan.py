"""What happens to a simulated Forewatch from outside: drawn from a seed, and small enough to be cut down."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

from chaos import Rates

SERVICES = ("shop", "api", "db")
CHECKS = ("http", "tcp")
NOTIFIERS = ("ops", "web", "dba")
POSTED = ("Outage", "Slow", "DiskFull")
ROLES = ("check-health", "page-people", "worker", "serve")
LENGTH = 120.0
"""Seconds of trouble before the quiet."""
GRID = 0.5
"""Seconds: most things happen on this grid, so that many happen at the same instant and at the ends of others."""


_MOODS: tuple[dict[str, float], ...] = (
    {"delay": 0.05},
    {"delay": 0.1, "kill": 0.004, "lost": 0.03, "no_answer": 0.03},
    {"kill": 0.015, "take_over": 0.03},
    {"stall": 0.02, "take_over": 0.1, "delay": 0.05},
    {"lost": 0.1, "no_answer": 0.1, "refused": 0.03, "twice": 0.1, "kill": 0.004},
)
"""What the scheduler is given to, one for each history."""


@dataclass(frozen=True)
class Step:
    """`what` happens at an instant, seconds from the beginning."""

    at: float
    what: str
    about: dict[str, Any] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return " ".join([self.what, *(f"{name}={value}" for name, value in self.about.items())])


@dataclass(frozen=True)
class Plan:
    """One history. `mischief` narrows what the scheduler may do to these places; None: anything."""

    seed: int
    rates: Rates
    steps: tuple[Step, ...]
    mischief: frozenset[str] | None = None


def plan(seed: int) -> Plan:
    """The history of a seed."""
    random = Random(seed)
    rates = Rates(**random.choice(_MOODS))
    steps = [_step(random) for _ in range(random.randint(4, 30))]
    steps += [_at_its_end(random, step) for step in steps if step.what == "silences" and "check" in step.about["by"]]
    return Plan(seed, rates, tuple(sorted(steps, key=lambda step: step.at)))


def _step(random: Random) -> Step:
    at = round(random.uniform(2, LENGTH) / GRID) * GRID
    (what,) = random.choices(list(_KINDS), [weight for weight, _ in _KINDS.values()])
    return Step(at, what, _KINDS[what][1](random))


def _at_its_end(random: Random, silence: Step) -> Step:
    """Something falls ill about when the silence on it ends: where mistakes by an instant are made."""
    end = silence.at + silence.about["after"] + silence.about["lasts"]
    return Step(max(0.0, end - GRID * random.randint(0, 5)), "falls ill", {**silence.about["by"], "lasts": 6.0})


def _where(random: Random) -> dict[str, Any]:
    return {"service": random.choice(SERVICES), "check": random.choice(CHECKS)}


def _posted(random: Random) -> dict[str, Any]:
    return {"alertname": random.choice(POSTED), "service": random.choice(SERVICES)}


def _silence(random: Random) -> dict[str, Any]:
    return {
        "by": random.choice([_where, _posted])(random),
        "after": random.choice([0.0, 0.0, 5.0]),
        "lasts": _seconds(random, 50),
        "kind": random.choice(["silence", "silence", "maintenance"]),
    }


def _seconds(random: Random, most: float) -> float:
    return round(random.uniform(GRID, most) / GRID) * GRID


_KINDS: dict[str, tuple[int, Any]] = {
    "falls ill": (9, lambda r: {**_where(r), "lasts": r.choice([2.0, 6.0, 20.0, 60.0, 1000.0])}),
    "comes and goes": (1, lambda r: {**_where(r), "times": r.randint(3, 6)}),
    "is posted": (9, lambda r: {**_posted(r), "lasts": r.choice([1.0, 6.0, 20.0, 60.0, 1000.0])}),
    "reports a change": (4, lambda r: {"service": r.choice(SERVICES)}),
    "acknowledges": (2, lambda r: {"newest": r.random() < 0.7}),
    "resolves": (1, lambda r: {"newest": r.random() < 0.7}),
    "merges": (1, lambda r: {}),
    "splits": (1, lambda r: {}),
    "silences": (
        4,
        lambda r: _silence(r),
    ),
    "ends a silence": (1, lambda r: {}),
    "asks for a run": (1, lambda r: {"service": r.choice(SERVICES)}),
    "stops automation": (1, lambda r: {"lasts": _seconds(r, 40)}),
    "Prefect is away": (1, lambda r: {"lasts": _seconds(r, 40)}),
    "a notifier is away": (2, lambda r: {"notifier": r.choice(NOTIFIERS), "lasts": _seconds(r, 40)}),
    "the clock is set": (1, lambda r: {"by": r.choice([-3600.0, -60.0, -7.0, 7.0, 60.0, 600.0])}),
    "the disk is full": (1, lambda r: {"lasts": _seconds(r, 15)}),
    "is killed": (3, lambda r: {"role": r.choice(ROLES)}),
    "is configured": (1, lambda r: {"variant": r.randrange(3)}),
}
