"""The objectives at work: counts answers, says what burns too fast and what no longer does, keeps what is left.

`tick` is synchronous and meant for the store's thread. What burns is known from the alerts that fire, so there is
nothing to agree with them: what a watch decided but could not bring into the store is found again by the next.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from sqlalchemy import Connection

from forewatch.alerting.alert import Labels
from forewatch.alerting.fingerprint import fingerprint
from forewatch.clock import micros, seconds
from forewatch.config.models import Config
from forewatch.detection.objectives import (
    ALERT,
    SPEEDS,
    Burn,
    Speed,
    Tally,
    Windows,
    burn_event,
    burn_labels,
    exceeds,
    judge,
)
from forewatch.errors import StoreUnavailable
from forewatch.incidents.events import AlertCleared, AlertRaised
from forewatch.reports.objectives import Figures, figures
from forewatch.series.maintenance_spans import Spans, maintained
from forewatch.series.objective_answers import Counted, ServiceObjective, longest_window, service_objectives
from forewatch.store import alerts, points
from forewatch.store.engine import Store
from forewatch.store.points import Point
from forewatch.units import format_duration
from tasks.rules.in_time import InTime

log = logging.getLogger("forewatch.objectives")

LEFT = "objective.budget.left"
"""Share of the error budget that is left: 1 untouched, below 0 overspent."""
EVERY = 60.0
"""Seconds between two looks at the whole window of an objective, at least."""
MAINTENANCE_EVERY = 10.0
"""Seconds between two looks at what is in maintenance."""
AT_ONCE = 25
"""Whole windows looked at in a tick at most, so that none takes long."""
GONE_AFTER = 86_400.0
"""Seconds without an answer after which a firing alert ends: nobody looks any more."""

ObjectiveEvent = AlertRaised | AlertCleared


@dataclass(frozen=True)
class _Pace:
    """An objective at one speed."""

    place: int
    slo: ServiceObjective
    speed: Speed
    labels: Labels
    mark: str


class ObjectiveEngine:
    """Judges every objective once a tick. One a watch; not thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._in_time = InTime(store)
        self._config: Config | None = None
        self._objectives: list[ServiceObjective] = []
        self._paces: list[_Pace] = []
        self._counted: Counted | None = None
        self._firing: dict[str, Labels] | None = None
        self._begun = 0
        self._left: list[int] = []
        self._figures: dict[int, Figures] = {}
        self._maintained: Spans = {}
        self._looked: int | None = None

    def tick(self, config: Config, now: int) -> list[ObjectiveEvent]:
        """The alerts raised and cleared by the answers up to `now`.

        Raises StoreUnavailable where these cannot be read. Where those in time cannot be written it says so and judges
        what it knows: a full disk must not silence a burning budget.
        """
        self._follow(config)
        if self._firing is None:
            with self._store.read() as conn:
                found = alerts.firing_where(conn, {"alertname": ALERT})
                self._firing = {one.fingerprint: one.labels for one in found if not one.source}
        firing = dict(self._firing)
        events = self._forget(firing, now)
        if self._objectives:
            try:
                self._in_time.tick(self._objectives, now)
            except StoreUnavailable as error:
                log.error("which answers came in time is not counted: %s", error)
            self._look_for_maintenance(config, now)
            with self._store.read_metrics() as conn:
                self._counted = self._current(conn)
                events += self._judge(conn, self._counted, firing, now)
        self._firing = firing
        return events

    def look(self, now: int) -> None:
        """Look at the whole windows of those whose turn it is, and keep what is left. Raises StoreUnavailable."""
        if not self._left and not 0 <= now - self._begun < micros(EVERY):
            self._begun, self._left = now, list(range(len(self._objectives)))
        places, self._left = self._left[:AT_ONCE], self._left[AT_ONCE:]
        if not places:
            return
        with self._store.read_metrics() as conn:
            found = figures(conn, self._objectives, now, places, self._current(conn))
        self._figures |= dict(zip(places, found, strict=True))
        self._record(found, now)

    def rows(self) -> list[dict[str, object]]:
        """The table of objectives, as of the last look at the whole windows."""
        return [dict(one.as_row()) for _, one in sorted(self._figures.items())]

    def _follow(self, config: Config) -> None:
        if config is self._config:
            return
        self._config, self._objectives, self._counted = config, service_objectives(config), None
        self._figures, self._begun, self._left, self._looked = {}, 0, [], None
        self._paces = [
            _Pace(place, one, speed, labels, fingerprint(labels))
            for place, one in enumerate(self._objectives)
            for speed in SPEEDS
            for labels in [burn_labels(one.service, one.objective, speed)]
        ]

    def _forget(self, firing: dict[str, Labels], now: int) -> list[ObjectiveEvent]:
        """What fires of objectives that are no more ends, with the reason."""
        gone = firing.keys() - {pace.mark for pace in self._paces}
        reason = "the objective is gone or changed"
        return [AlertCleared(firing.pop(mark), now, {"reason": reason}, unwatched=True) for mark in sorted(gone)]

    def _look_for_maintenance(self, config: Config, now: int) -> None:
        if self._looked is not None and 0 <= now - self._looked < micros(MAINTENANCE_EVERY):
            return
        self._looked = now
        start = now - micros(longest_window(self._objectives))
        try:
            with self._store.read() as conn:
                self._maintained = maintained(conn, config, start, now + micros(MAINTENANCE_EVERY))
        except StoreUnavailable as error:
            log.error("what is in maintenance cannot be read, it is as it was: %s", error)

    def _current(self, conn: Connection) -> Counted:
        known = self._counted
        counted = known if known is not None and known.is_current(conn) else Counted(conn, self._objectives)
        counted.leave_out(self._maintained)
        return counted

    def _judge(self, conn: Connection, counted: Counted, firing: dict[str, Labels], now: int) -> list[ObjectiveEvent]:
        events: list[ObjectiveEvent] = []
        for speed, paces in ((speed, [one for one in self._paces if one.speed is speed]) for speed in SPEEDS):
            # Most are calm, and the short window alone shows it.
            end = now + 1
            short = counted.tallies(conn, [one.place for one in paces], end - micros(speed.short), end)
            looked_at = [one for one in paces if one.mark in firing or _burns(one, short[one.place])]
            windows = counted.windows(conn, [one.place for one in looked_at], speed, now) if looked_at else {}
            for one in looked_at:
                seen = windows[one.place]
                burn = judge(one.slo.objective, speed, seen, one.mark in firing, now)
                event = self._event(conn, counted, one, burn, seen, now)
                if isinstance(event, AlertRaised):
                    firing[one.mark] = one.labels
                elif event is not None:
                    del firing[one.mark]
                if event is not None:
                    events.append(event)
        return events

    def _event(
        self, conn: Connection, counted: Counted, one: _Pace, burn: Burn, seen: Windows, now: int
    ) -> ObjectiveEvent | None:
        if burn.firing and burn.note:
            last = counted.last(conn, [one.place])[one.place]
            if last is None or seconds(now - last) > GONE_AFTER:
                reason = f"no answer for {format_duration(seconds(now - last))}" if last is not None else "no answers"
                return AlertCleared(one.labels, now, {"reason": reason}, unwatched=True)
        left = None
        if burn.transition == "raised":
            [found] = figures(conn, self._objectives, now, [one.place], counted)
            left = found.budget.left if found.budget is not None else None
        return burn_event(one.slo.service, one.slo.objective, one.speed, burn, seen, left, now)

    def _record(self, looked_at: list[Figures], now: int) -> None:
        batch = [
            Point(LEFT, {"objective": one.slo.objective.label}, one.slo.service.name, now, one.budget.left)
            for one in looked_at
            if one.budget is not None
        ]
        if batch:
            with self._store.measure() as conn:
                points.write(conn, batch)


def _burns(one: _Pace, short: Tally) -> bool:
    objective = one.slo.objective
    return exceeds(short, objective.target, one.speed.threshold(objective.window))
