"""Long upkeep in short write transactions, with a breath between them, so that no shift waits for its beat."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sqlalchemy import Connection

from forewatch.store.engine import Store
from forewatch.store.revisions import File

Unit = Callable[[Connection], int]
"""A few milliseconds of work; returns how many rows went, 0 when nothing is left for it to do."""

SLICE = 0.04
"""Seconds after which a transaction begins no further unit: with the last unit and the commit it stays below 100 ms."""

BREATH = 0.01
"""Seconds between two transactions, for those who wait for the lock."""


@dataclass
class Report:
    """What upkeep did: rows removed by kind, number of write transactions, and the longest of them in seconds."""

    removed: dict[str, int] = field(default_factory=dict)
    slices: int = 0
    longest: float = 0.0

    @property
    def rows(self) -> int:
        return sum(self.removed.values())

    def add(self, kind: str, rows: int) -> None:
        if rows:
            self.removed[kind] = self.removed.get(kind, 0) + rows

    def timed(self, seconds: float) -> None:
        self.slices += 1
        self.longest = max(self.longest, seconds)


def in_slices(store: Store, file: File, units: Iterable[tuple[str, Unit]], report: Report) -> None:
    """Run every unit until it answers 0, as many in one transaction as fit; `report` counts rows by the units' kinds.

    `units` is drawn from inside the transactions, so looking for work belongs before it.
    """
    begin = {"decisions": store.decide, "metrics": store.measure, "intake": store.intake}[file]
    waiting = iter(units)
    current = next(waiting, None)
    while current is not None:
        done: list[tuple[str, int]] = []
        with begin() as conn:
            # The wait for the lock is not ours: only the time others wait for us counts.
            began = time.monotonic()
            while current is not None and time.monotonic() - began < SLICE:
                kind, unit = current
                rows = unit(conn)
                done.append((kind, rows))
                if rows == 0:
                    current = next(waiting, None)
        report.timed(time.monotonic() - began)
        for kind, rows in done:
            report.add(kind, rows)
        time.sleep(BREATH)
