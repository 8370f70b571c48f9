"""What happens to a simulated Forewatch from outside: drawn from a seed, and small enough to be cut down."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from random import Random
from typing import Any

import simulated_company
import simulated_groups
from chaos import Rates

ROLES = ("check-health", "page-people", "worker", "serve")
LENGTH = 120.0
"""Seconds of trouble before the quiet."""
GRID = 0.5
"""Seconds: most things happen on this grid, so that many happen at the same instant and at the ends of others."""


_MOODS: tuple[dict[str, float], ...] = (
    {},
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
    setting: str
    rates: Rates
    steps: tuple[Step, ...]
    mischief: frozenset[str] | None = None


def plan(seed: int, setting: str | None = None) -> Plan:
    """The history of a seed; in a setting of its own choice unless one is given."""
    random = Random(seed)
    setting = setting or ("company" if seed % 2 else "groups")
    rates = Rates(**random.choice(_MOODS))
    steps = _in_a_company(random, _COMPANY) if setting == "company" else _among_groups(random)
    return Plan(seed, setting, rates, tuple(sorted(steps, key=lambda step: step.at)))


def plan_of(seed: int, kinds: Collection[str]) -> Plan:
    """A history of a company in which only these kinds of things happen, each as often, and nobody is killed."""
    chosen = {kind: (1, _COMPANY[kind][1]) for kind in kinds}
    steps = _in_a_company(Random(seed), chosen)
    return Plan(seed, "company", Rates(), tuple(sorted(steps, key=lambda step: step.at)))


def _among_groups(random: Random) -> list[Step]:
    steps = [_step(random, _GROUPS, random.uniform(2, LENGTH)) for _ in range(random.randint(4, 30))]
    return steps + [
        _at_its_end(random, step) for step in steps if step.what == "silences" and "check" in step.about["by"]
    ]


def _in_a_company(random: Random, kinds: dict[str, tuple[int, Any]]) -> list[Step]:
    """Trouble does not come alone: much of it is about a few instants, and some of a fault's neighbours go with it."""
    instants = [random.uniform(2, LENGTH) for _ in range(random.randint(1, 3))]
    steps = []
    for _ in range(random.randint(3, 14)):
        at = random.choice(instants) + random.uniform(0, 12) if random.random() < 0.6 else random.uniform(2, LENGTH)
        steps.append(_step(random, kinds, at))
    for step in [step for step in steps if step.what == "falls ill" and random.random() < 0.3]:
        other = _ill_in_a_company(random)
        steps.append(
            Step(step.at + random.choice([0.0, 0.5, 3.0]), "falls ill", {**other, "lasts": step.about["lasts"]})
        )
    return steps


def _step(random: Random, kinds: dict[str, tuple[int, Any]], at: float) -> Step:
    (what,) = random.choices(list(kinds), [weight for weight, _ in kinds.values()])
    return Step(round(at / GRID) * GRID, what, kinds[what][1](random))


def _at_its_end(random: Random, silence: Step) -> Step:
    """Something falls ill about when the silence on it ends: where mistakes by an instant are made."""
    end = silence.at + silence.about["after"] + silence.about["lasts"]
    return Step(max(0.0, end - GRID * random.randint(0, 5)), "falls ill", {**silence.about["by"], "lasts": 6.0})


def _where(random: Random) -> dict[str, Any]:
    return {"service": random.choice(simulated_groups.SERVICES), "check": random.choice(simulated_groups.CHECKS)}


def _posted(random: Random) -> dict[str, Any]:
    return {
        "alertname": random.choice(list(simulated_groups.SEVERITIES)),
        "service": random.choice(simulated_groups.SERVICES),
    }


def _silence(random: Random, by: Any) -> dict[str, Any]:
    return {
        "by": random.choice(by)(random),
        "after": random.choice([0.0, 0.0, 5.0]),
        "lasts": _seconds(random, 50),
        "kind": random.choice(["silence", "silence", "maintenance"]),
    }


def _seconds(random: Random, most: float) -> float:
    return round(random.uniform(GRID, most) / GRID) * GRID


def _spread(random: Random) -> list[float]:
    """How long each of several lasts, one after the other coming to its end."""
    return sorted(_seconds(random, 50) for _ in simulated_groups.SERVICES)


_COMPANY_SERVICES = tuple(simulated_company.CHECKS)


def _check_in_a_company(random: Random) -> dict[str, Any]:
    service = random.choice(_COMPANY_SERVICES)
    return {"service": service, "check": random.choice(simulated_company.CHECKS[service])}


def _ill_in_a_company(random: Random) -> dict[str, Any]:
    """A whole service more often than one check of it."""
    where = _check_in_a_company(random)
    if random.random() < 0.7:
        where["check"] = ""
    return {**where, "kind": random.choice(["refused", "refused", "time-out", "status"])}


def _posted_in_a_company(random: Random) -> dict[str, Any]:
    return {
        "alertname": random.choice(list(simulated_company.SEVERITIES)),
        "service": random.choice(_COMPANY_SERVICES),
    }


_RUNS_HANG = ("take", "intend", "finish", *["decide and ring"] * 4)
"""What a run is about to do in the store when it hangs: be admitted, act, write down what came of it, end."""
_LASTS = [2.0, 6.0, 20.0, 60.0, 1000.0]
_OF_ALL: dict[str, tuple[int, Any]] = {
    "resolves": (1, lambda r: {"newest": r.random() < 0.7}),
    "merges": (2, lambda r: {}),
    "splits": (2, lambda r: {}),
    "ends a silence": (1, lambda r: {}),
    "stops automation": (1, lambda r: {"lasts": _seconds(r, 40)}),
    "Prefect is away": (1, lambda r: {"lasts": _seconds(r, 40)}),
    "the worker is away": (1, lambda r: {"lasts": _seconds(r, 40)}),
    "the disk is full": (1, lambda r: {"lasts": _seconds(r, 15)}),
    "is killed": (3, lambda r: {"role": r.choice(ROLES)}),
    "a run hangs": (3, lambda r: {"about": r.choice(_RUNS_HANG), "lasts": r.choice([10.0, 20.0, 30.0])}),
    "two runs hang": (4, lambda r: {"about": "decide and ring", "lasts": r.choice([15.0, 20.0])}),
}
_GROUPS: dict[str, tuple[int, Any]] = {
    **_OF_ALL,
    "falls ill": (9, lambda r: {**_where(r), "lasts": r.choice(_LASTS)}),
    "comes and goes": (2, lambda r: {**_where(r), "times": r.randint(3, 6)}),
    "is posted of all": (2, lambda r: {"alertname": r.choice(list(simulated_groups.SEVERITIES)), "lasts": _spread(r)}),
    "is posted": (9, lambda r: {**_posted(r), "lasts": r.choice([1.0, *_LASTS[1:]])}),
    "reports a change": (4, lambda r: {"service": r.choice(simulated_groups.SERVICES)}),
    "acknowledges": (2, lambda r: {"newest": r.random() < 0.7}),
    "silences": (4, lambda r: _silence(r, [_where, _posted])),
    "asks for a run": (1, lambda r: {"service": r.choice(simulated_groups.SERVICES)}),
    "a notifier is away": (2, lambda r: {"notifier": r.choice(simulated_groups.NOTIFIERS), "lasts": _seconds(r, 40)}),
    "the clock is set": (1, lambda r: {"by": r.choice([-3600.0, -60.0, -7.0, 7.0, 60.0, 600.0])}),
    "is configured": (2, lambda r: {"variant": r.randrange(3)}),
}
_COMPANY: dict[str, tuple[int, Any]] = {
    **_OF_ALL,
    "falls ill": (16, lambda r: {**_ill_in_a_company(r), "lasts": r.choice(_LASTS)}),
    "comes and goes": (3, lambda r: {**_ill_in_a_company(r), "times": r.randint(3, 6)}),
    "is posted": (3, lambda r: {**_posted_in_a_company(r), "lasts": r.choice([1.0, *_LASTS[1:]])}),
    "acknowledges": (4, lambda r: {"newest": r.random() < 0.7}),
    "silences": (2, lambda r: _silence(r, [_check_in_a_company, _posted_in_a_company])),
    "asks for a run": (1, lambda r: {"service": r.choice(_COMPANY_SERVICES)}),
    "a notifier is away": (2, lambda r: {"notifier": r.choice(simulated_company.NOTIFIERS), "lasts": _seconds(r, 40)}),
    "is configured": (7, lambda r: {"variant": r.randrange(simulated_company.VARIANTS)}),
}
"""Here the clock is set right: so the course of a history can be told by the times in its records."""
