"""Whether Forewatch is up: what `/healthz`, `forewatch status` and the first lines of `forewatch up` say."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from forewatch.clock import seconds
from forewatch.orchestration.shift_names import SHIFTS

if TYPE_CHECKING:
    from forewatch.runtime import Runtime
    from forewatch.store.components import Component
    from forewatch.store.glance import Part, Shift
    from forewatch.store.shifts import ShiftRow

BEAT_WITHIN = 5.0
"""Seconds since the last stored beat after which a shift counts as lost here. By wall clock: for people, not leases."""
WORKER_WITHIN = 15.0
LEAST_ROOM = 1 << 20
"""Bytes below which the disk of the state folder is as good as full."""


@dataclass(frozen=True)
class Readiness:
    """`problems` in plain words; empty when the shifts stand watch and the worker takes runs."""

    standing: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def ready(self) -> bool:
        return not self.problems


Signs = Mapping[str, tuple[int, int]]
"""Term and beat of shifts, as they were seen before this start: with these, or without any beat, nobody stands yet."""


def assess(runtime: Runtime, unproved: Signs | None = None) -> Readiness:
    """Read the store and judge. Blocks for a millisecond; raises StoreUnavailable."""
    from forewatch.store import components, shifts

    with runtime.store.read() as conn:
        rows, parts = shifts.listing(conn), components.listing(conn)
    return judge(rows, parts, runtime.home.root, runtime.clock.now(), unproved)


def judge(
    shifts: Iterable[ShiftRow | Shift],
    components: Iterable[Component | Part],
    folder: Path,
    now: int,
    unproved: Signs | None = None,
) -> Readiness:
    """By the rows of the shifts and of our own parts, and the room on the disk of the state folder.

    Shifts that are `unproved` stand when they have shown life since: a row of an earlier start says nothing.
    """
    before = unproved or {}
    rows = {row.shift: row for row in shifts}
    parts = {part.name: part for part in components}
    standing, problems = [], []
    if shutil.disk_usage(folder).free < LEAST_ROOM:
        problems.append(f"the disk of {folder} is full; free some space")
    for shift in SHIFTS:
        row = rows.get(shift)
        if row is None or (shift in before and (row.beat == 0 or before[shift] == (row.term, row.beat))):
            problems.append(f"{shift}: nobody is on watch yet")
        elif abs(seconds(now - row.beat_at)) > BEAT_WITHIN:
            problems.append(f"{shift}: {_silence('no beat', seconds(now - row.beat_at))}")
        else:
            standing.append(shift)
    for name in ("prefect", "worker", "link"):
        part = parts.get(name)
        if part is None:
            problems.append(f"{name}: not reported yet")
        elif part.state != "ok":
            # Of the link the reason says it all.
            problems.append(part.reason if name == "link" else f"{name}: {part.reason}")
        elif name == "worker" and abs(seconds(now - part.at)) > WORKER_WITHIN:
            problems.append(f"worker: {_silence('silent', seconds(now - part.at))}")
    return Readiness(tuple(standing), tuple(problems))


def _silence(what: str, age: float) -> str:
    if age < 0:
        return f"last heard of {-age:.0f} s ahead of the clock, which was set back"
    return f"{what} for {age:.0f} s"
