"""Which answers came in time: one point a check's answer, for every threshold that an objective has.

Made from what the checks left (`check.up`, `check.duration`), oldest first, from where it stopped on. So a new latency
objective knows the past as far as points are kept, and no answer is missed while nobody counts.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from forewatch.clock import micros
from forewatch.detection.objectives import in_time
from forewatch.detection.statistics import Sample
from forewatch.series.objective_answers import DURATION, IN_TIME, UP, ServiceObjective, label_of
from forewatch.store import points, series, totals
from forewatch.store.engine import Store
from forewatch.store.points import Point
from forewatch.store.series import Series

BUDGET = 0.5
"""Seconds a tick may take to count the past; then the next one goes on."""

_NEAR = 600.0
"""Seconds behind up to which series are read together."""
_SLICE = 5000
"""Answers of the past that are counted at once."""

Instance = tuple[str, str, str]
"""Service, check and instance."""


@dataclass(frozen=True)
class _Source:
    """Where the answers of one check on one instance are, and by which threshold they are told apart."""

    instance: Instance
    up: int
    duration: int
    under: float

    @property
    def key(self) -> tuple[Instance, str]:
        return self.instance, label_of(self.under)

    def point(self, at: int, good: bool) -> Point:
        service, check, instance = self.instance
        labels = {"check": check, "instance": instance, "under": label_of(self.under)}
        return Point(IN_TIME, labels, service, at, float(good))


class InTime:
    """Counts on at every tick. One a watch; not thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: Sequence[ServiceObjective] | None = None
        self._signature = (0, 0)
        self._sources: list[_Source] = []
        self._counted: dict[tuple[Instance, str], int] = {}
        """Up to which instant each is counted."""

    def tick(self, kept: Sequence[ServiceObjective], now: int, *, budget: float = BUDGET) -> bool:
        """Count what is new; True where nothing is left to count. Raises StoreUnavailable."""
        deadline = time.monotonic() + budget
        if not any(one.under for one in kept):
            return True
        with self._store.read_metrics() as conn:
            self._find_sources(conn, kept)
            # A clock set back leaves what is counted in the future. What is counted again is the same point.
            again = now - micros(_NEAR)
            self._counted |= {key: again for key, until in self._counted.items() if until > now}
            newest = totals.kept(conn, [one.up for one in self._sources])
            due = [one for one in self._sources if self._counted[one.key] < _last(newest, one.up)]
            near = [one for one in due if self._counted[one.key] >= now - micros(_NEAR)]
            since = min((self._counted[one.key] for one in near), default=now)
            found = points.window(conn, sorted({n for one in near for n in (one.up, one.duration)}), since + 1, now)
        self._write([(one, found.get(one.up, []), found.get(one.duration, [])) for one in near])
        return all(self._catch_up(one, deadline) for one in due if one not in near)

    def _find_sources(self, conn: Connection, kept: Sequence[ServiceObjective]) -> None:
        """Which series there are; looked for again only where the objectives or the series changed."""
        signature = series.signature(conn)
        if kept is self._kept and signature == self._signature:
            return
        self._kept, self._signature = kept, signature
        wanted: dict[tuple[str, str], set[float]] = {}
        for slo in kept:
            if slo.objective.latency is not None:
                check = (slo.service.name, slo.check.label)
                wanted.setdefault(check, set()).add(slo.objective.latency.under)
        durations = {_instance(one): one.id for one in series.find(conn, DURATION)}
        self._sources = [
            _Source(_instance(one), one.id, durations[_instance(one)], under)
            for one in series.find(conn, UP)
            if _instance(one) in durations
            for under in sorted(wanted.get((one.service, one.labels.get("check", "")), ()))
        ]
        counted = {(_instance(one), one.labels.get("under", "")): one.id for one in series.find(conn, IN_TIME)}
        last = totals.kept(conn, list(counted.values()))
        for source in self._sources:
            if source.key not in self._counted:
                self._counted[source.key] = _last(last, counted.get(source.key))

    def _catch_up(self, one: _Source, deadline: float) -> bool:
        """Count the past of one, slice by slice; False where the time was up first."""
        while time.monotonic() < deadline:
            with self._store.read_metrics() as conn:
                answers = points.after(conn, one.up, self._counted[one.key], _SLICE)
                took = points.between(conn, one.duration, answers[0][0], answers[-1][0]) if answers else []
            self._write([(one, answers, took)])
            if len(answers) < _SLICE:
                return True
        return False

    def _write(self, found: Sequence[tuple[_Source, list[Sample], list[Sample]]]) -> None:
        batch, until = [], dict(self._counted)
        for one, answers, took in found:
            durations = dict(took)
            for at, up in answers:
                if at > self._counted[one.key]:
                    until[one.key] = at
                    if at in durations:
                        batch.append(one.point(at, in_time(up >= 1.0, durations[at], one.under)))
        if batch:
            with self._store.measure() as conn:
                points.write(conn, batch)
        self._counted = until


def _instance(one: Series) -> Instance:
    return one.service, one.labels.get("check", ""), one.labels.get("instance", "")


def _last(known: Mapping[int, totals.Kept], number: int | None) -> int:
    """The newest point of a series; 0 where there is none."""
    one = known.get(number) if number is not None else None
    return (one.last or 0) if one is not None else 0
