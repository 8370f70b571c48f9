"""The world as it would have been: the same events, another configuration, timers by the history's own clock."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from forewatch.alerting.notification import Notification
from forewatch.config.models import Config
from forewatch.errors import ForewatchError
from forewatch.incidents.events import (
    Acknowledged,
    Event,
    IncidentsMerged,
    IncidentSplit,
    Noted,
    ResolvedByHand,
    RunActed,
    RunFailed,
    RunRequested,
    RunStarting,
    TimerDue,
)
from forewatch.incidents.outcome import Outcome
from forewatch.store import facts, outbox, runs, timers
from forewatch.store.observations import Observation
from forewatch.store.timers import Timer
from forewatch.store.view import StoreView
from forewatch.trials.replay.replay import decided_upon
from forewatch.trials.whatif.pairs import Pairs, Side

MOST_TIMERS = 10_000
"""Timers that may come due between two observations before we say that they would never end."""

_OF_RUNS = ("start", "verification")
_UNENDED = ("waiting", "claimed", "started", "acted")


class World:
    """Decides under `config` in the store of `conn`, beside the history's own store in `was`."""

    def __init__(self, conn: Connection, was: Connection, config: Config, side: Side, pairs: Pairs) -> None:
        self._conn, self._was = conn, was
        self._config = config
        self._side, self._pairs = side, pairs
        self._said: dict[str, Any] = {}
        self._facts: facts.Facts = {}

    def until(self, now: int) -> None:
        """Let the timers come due that have no counterpart in the history, up to `now`, each at its time."""
        self._facts = {}
        for _ in range(MOST_TIMERS):
            due = next((one for one in timers.due(self._conn, now) if not self._waits_for_history(one)), None)
            if due is None:
                return
            self._fire(due, min(now, max(due.due_at, due.set_at)))
        raise ForewatchError(
            f"more than {MOST_TIMERS} timers came due at once: the configuration never stops notifying"
        )

    def happens(self, observation: Observation, event: Event) -> None:
        """What happened then happens here, as far as it can."""
        self._remember(observation)
        now = observation.at
        if isinstance(event, TimerDue):
            subject = self._subject(event.subject)
            waiting = timers.waiting(self._conn, event.kind, subject) if subject is not None else None
            if waiting is not None and waiting.due_at <= now:
                self._fire(waiting, now)
            return
        here = self._translated(event)
        if here is not None:
            self._decide(here, now)

    def measured(self, now: int, event: Event) -> None:
        """A rule says something here that none said then."""
        self._decide(event, now)

    def _decide(self, event: Event, now: int) -> None:
        view = _View(self._conn, self._was, self._config, self._said, self._facts, self._pairs, now)
        try:
            outcome = decided_upon(self._conn, view, event, now)
        except (ForewatchError, DBAPIError):
            # What a person or a run did then may not be possible here, as on an incident that is over already.
            return
        self._note(outcome, now)

    def _note(self, outcome: Outcome, now: int) -> None:
        self._side.note(outcome, now)
        self._pairs.look()

    def _fire(self, timer: Timer, now: int) -> None:
        timers.finish(self._conn, timer.id)
        if timer.kind in _OF_RUNS and timer.subject not in self._pairs.runs.values():
            return  # nobody knows whether a run that never was would have started, or healed
        self._decide(TimerDue(timer.id, timer.kind, timer.subject, now), now)

    def _waits_for_history(self, timer: Timer) -> bool:
        """Whether the same timer waits in the history too: then it fires when it did there."""
        backwards = {here: there for pairs in self._all_pairs() for there, here in pairs.items()}
        subject = backwards.get(timer.subject, timer.subject)
        return timers.waits(self._was, timer.kind, subject, timer.due_at)

    def _subject(self, subject: str) -> str | None:
        """The subject of a timer here: what has no number of ours is called the same."""
        for prefix, pairs in zip(("AL-", "RUN-"), self._all_pairs(), strict=True):
            if subject.startswith(prefix):
                return pairs.get(subject)
        return subject

    def _all_pairs(self) -> tuple[dict[str, str], dict[str, str]]:
        return self._pairs.alerts, self._pairs.runs

    def _remember(self, observation: Observation) -> None:
        """What was said of automation holds until something else is said."""
        self._facts = observation.facts
        for name in ("automation_stopped", "automation_down"):
            if name in observation.facts:
                self._said[name] = observation.facts[name]

    def _translated(self, event: Event) -> Event | None:
        """The event with the ids of this world; None where what it is about is not here."""
        match event:
            case RunStarting() | RunActed() | RunFailed():
                run_id = self._pairs.runs.get(event.run_id)
                return replace(event, run_id=run_id) if run_id is not None else None
            case Acknowledged() | ResolvedByHand() | Noted():
                incident = self._pairs.incident(event.incident_id)
                return replace(event, incident_id=incident) if incident is not None else None
            case RunRequested() if event.incident_id is not None:
                return replace(event, incident_id=self._pairs.incident(event.incident_id))
            case IncidentsMerged():
                into, merged = self._pairs.incident(event.incident_id), self._pairs.incident(event.merged)
                if into is None or merged is None or into == merged:
                    return None
                return replace(event, incident_id=into, merged=merged)
            case IncidentSplit():
                incident = self._pairs.incident(event.incident_id)
                ids = [self._pairs.alerts[one] for one in event.alert_ids if one in self._pairs.alerts]
                return replace(event, incident_id=incident, alert_ids=ids) if incident is not None and ids else None
            case _:
                return event


class _View(StoreView):
    """Deliveries and runs stand as their counterparts did; a notification without one is taken to have been sent."""

    def __init__(
        self,
        conn: Connection,
        was: Connection,
        config: Config,
        said: dict[str, Any],
        seen: facts.Facts,
        pairs: Pairs,
        now: int,
    ) -> None:
        super().__init__(conn, config)
        self._was, self._said, self._now = was, said, now
        self._undelivered = seen.get("undelivered", {})
        self._notices = {here: there for there, here in pairs.notices.items()}
        for there, values in seen.get("runs", {}).items():
            if there in pairs.runs:
                self._catch_up(pairs.runs[there], values)

    def notifications_of(self, incident_id: str) -> list[Notification]:
        found = super().notifications_of(incident_id)
        return facts.show(self._conn, [(one, self._state(one)) for one in found])

    def automation_stopped(self) -> str | None:
        said: str | None = self._said.get("automation_stopped")
        return said

    def automation_down(self) -> str | None:
        said: str | None = self._said.get("automation_down")
        return said

    def _state(self, one: Notification) -> str:
        there = outbox.get(self._was, self._notices[one.id]) if one.id in self._notices else None
        if there is not None:
            # The store of the history stands as after its decision, what was seen as before it.
            state: str = self._undelivered.get(there.id, there.state)
            if state != "held" or one.state == "held":
                return state
        return "sent" if one.state in ("held", "due") and one.not_before <= self._now else one.state

    def _catch_up(self, here: str, values: list[Any]) -> None:
        """What the worker and the run wrote, while the run stands alike in both worlds."""
        run = runs.get(self._conn, here)
        if run is not None and (run.state == values[0] or (run.state in _UNENDED and values[0] in _UNENDED)):
            facts.set_outside(self._conn, here, values)
