"""A failing history, made as short as it can be while it still breaks the same promise, told step by step."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from history_plan import Plan
from simulation import History, live

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds that making it shorter may take."""


def minimal(failing: History, *, replay: bool = False, patience: float = PATIENCE) -> History:
    """Leave out what happens and what the scheduler does, as long as the same promise breaks."""
    wanted = {_kind(sentence) for sentence in failing.broken}
    deadline = time.monotonic() + patience

    def breaks(plan: Plan) -> bool:
        if time.monotonic() > deadline:
            return False
        return bool(wanted & {_kind(sentence) for sentence in live(plan, replay=replay).broken})

    plan = replace(failing.plan, mischief=frozenset(failing.mischief))
    if not breaks(plan):
        plan = failing.plan  # places are not the same without the mischief that was allowed and did nothing
    else:
        mischief = _fewest(sorted(failing.mischief), lambda some: breaks(replace(plan, mischief=frozenset(some))))
        plan = replace(plan, mischief=frozenset(mischief))
    steps = _fewest(plan.steps, lambda some: breaks(replace(plan, steps=tuple(some))))
    plan = replace(plan, steps=tuple(steps))
    if plan.mischief:
        mischief = _fewest(sorted(plan.mischief), lambda some: breaks(replace(plan, mischief=frozenset(some))))
        plan = replace(plan, mischief=frozenset(mischief))
    return live(plan, telling=True, replay=replay)


def told(history: History) -> str:
    """The story as text."""
    plan = history.plan
    lines = [f"seed {plan.seed} breaks a promise:", *(f"  {sentence}" for sentence in history.broken[:5])]
    lines += ["what happens:", *(f"  {step.at:8.2f} {step}" for step in plan.steps)]
    if plan.mischief is not None:
        lines += ["what the scheduler does:", *(f"  something at {place}" for place in sorted(plan.mischief))]
    return "\n".join([*lines, "the story:", *history.story, ""])


def _fewest(parts: Sequence[T], breaks: Callable[[Sequence[T]], bool]) -> Sequence[T]:
    """Zeller's ddmin, without its complements of single parts tried twice."""
    size = max(1, len(parts) // 2)
    while parts:
        position = 0
        while position < len(parts):
            fewer = [*parts[:position], *parts[position + size :]]
            if breaks(fewer):
                parts = fewer
            else:
                position += size
        if size == 1:
            break
        size = max(1, size // 2)
    return parts


def _kind(sentence: str) -> str:
    """A broken promise without the names and numbers that are another history's."""
    return re.sub(
        r"\(.*?\)|\{.*|[A-Z]{2,3}-\d+|[0-9a-f]{8,}|\b(shop|api|db|ops|web|dba|website|app|cache|worker|mail|backend|data)\b|\d+",
        "",
        sentence,
    )[:80]
