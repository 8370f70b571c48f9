"""Asking for a look, and waiting for its answer: a row, a bell, and never longer than two seconds and a bit.

Whoever is about to act asks; `check-health` probes and answers (`tasks/shifts/looks.py`). No answer is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from forewatch.bell import Bell, ring
from forewatch.clock import seconds
from forewatch.incidents.deciding.dependencies import PROBED_WITHIN
from forewatch.runtime import Runtime
from forewatch.store import looks
from forewatch.store.looks import Look

FRESH = 1.0
"""Seconds for which a result is fresh enough to act on."""
POLL = 0.025
AGAIN_WITHIN = 0.25
"""Seconds for one more probe of what has grown old while a slower one was waited for."""
PATIENCE = PROBED_WITHIN + AGAIN_WITHIN + 0.25
"""Seconds a look's answer is waited for: the longest probe, the short ones after it, and what writing it down takes."""

Seen = list[dict[str, Any]]


async def look(runtime: Runtime, subject: str, purpose: str, keys: Iterable[Sequence[str]]) -> Seen:
    """What these checks say now; empty where nobody answers in time."""
    wanted = list(keys)
    if not wanted:
        return []

    def ask() -> int:
        now = runtime.clock.now()
        with runtime.store.decide() as conn:
            return looks.ask(conn, subject, purpose, wanted, now, now)

    return await _answer(runtime, await runtime.store.run(ask), PATIENCE)


async def look_ordered(runtime: Runtime, subject: str) -> Seen:
    """What the look that was ordered for a run saw; a new one where that is not fresh any more."""

    def ordered() -> Look | None:
        with runtime.store.read() as conn:
            return looks.latest(conn, subject)

    order = await runtime.store.run(ordered)
    if order is None:
        return []
    now = runtime.clock.now()
    if order.answered_at is not None and abs(seconds(now - order.answered_at)) < FRESH:
        return order.results or []
    asked_ago = abs(seconds(now - order.asked_at))
    if order.state == "asked" and asked_ago < PATIENCE:
        return await _answer(runtime, order.id, PATIENCE - asked_ago)
    return await look(runtime, subject, order.purpose, order.keys)


async def _answer(runtime: Runtime, look_id: int, patience: float) -> Seen:
    """Wait for an answer. Where nobody listens there will be none, and nobody waits."""

    def read() -> Look | None:
        with runtime.store.read() as conn:
            return looks.get(conn, look_id)

    bell = Bell(runtime.home, answered_bell(look_id))
    try:
        listens = ring(runtime.home, "check-health")
        for _ in range(max(1, round(patience / POLL))):
            answer = await runtime.store.run(read)
            if answer is None or answer.state == "answered" or not listens:
                return (answer.results or []) if answer is not None else []
            await bell.wait(POLL)
        return []
    finally:
        bell.close()


def answered_bell(look_id: int) -> str:
    """What is rung once a look has its answer."""
    return f"look-{look_id}"
