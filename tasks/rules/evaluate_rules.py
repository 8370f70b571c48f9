"""The rules at work: reads what they need from the metrics store, judges every series, says what changed.

`tick` is synchronous and meant for the store's thread. Rule states are kept in the store, so the next watch goes on
where this one stopped. What a watch decided but could not bring into the store (it died between the two) is found
and said again on the first tick of the next: what fires by its rule state and what fires by its alerts must agree.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from forewatch.alerting.fingerprint import fingerprint
from forewatch.clock import micros, seconds
from forewatch.config.models import Config
from forewatch.detection.aftermath import is_aftermath, since_recovery
from forewatch.detection.band import Forecast
from forewatch.detection.episode import Episode
from forewatch.detection.rules import (
    Evidence,
    Judgement,
    RuleState,
    alert_labels,
    evaluate,
    rule_event,
)
from forewatch.detection.statistics import Sample
from forewatch.detection.trust import Trust, as_ticket
from forewatch.errors import StoreUnavailable
from forewatch.incidents.events import AlertCleared, AlertRaised
from forewatch.store import alerts, anomalies, check_states, forecasts, models, points, rule_states
from forewatch.store.engine import Store
from forewatch.units import format_duration
from tasks.rules.rule_targets import Target, Targets, alert_of

log = logging.getLogger("forewatch.rules")

GONE_AFTER = 86_400.0
"""Seconds of silence after which a series counts as gone and its firing alert ends."""

RuleEvent = AlertRaised | AlertCleared


@dataclass(frozen=True)
class _Beside:
    """What rules look at beside the points."""

    expected: Mapping[str, Forecast | None]
    """By target: the forecast to hold it against."""
    anomalies: Mapping[int, Episode]
    """By series: the anomaly that goes on."""
    demoted: Mapping[int, Trust]
    """By series: whose forecasts have failed."""

    def episode(self, target: Target) -> Episode | None:
        """The anomaly that is as rare as the rule asks for."""
        one = self.anomalies.get(target.series.id) if target.rule.anomaly is not None else None
        return one if one is not None and (one.level == "high" or target.rule.anomaly == "medium") else None

    def trusted(self, event: RuleEvent, target: Target) -> RuleEvent:
        """The event, as a ticket where it rests on forecasts that have failed."""
        trust = self.demoted.get(target.series.id) if target.rule.against_forecast else None
        return as_ticket(event, trust) if trust is not None and isinstance(event, AlertRaised) else event


class RuleEngine:
    """Judges every rule on every series it matches, once a tick. One a watch; not thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._states: dict[str, RuleState] | None = None
        self._targets = Targets()
        self._recovery_told: dict[str, tuple[int, bool]] = {}

    def tick(self, config: Config, now: int) -> list[RuleEvent]:
        """The alerts raised and cleared by what is stored up to `now`.

        Raises StoreUnavailable where the points cannot be read. Where the states cannot be written it says so and goes
        on from memory: a full disk must not silence the rule that tells of it.
        """
        first = self._states is None
        with self._store.read_metrics() as conn:
            if self._states is None:
                self._states = {key: _remembered(row) for key, row in rule_states.get_all(conn).items()}
            self._targets.find(conn, config)
            samples = self._samples(conn, now)
            beside = self._beside(conn, now)
            recovered = _recoveries(conn)
        before = dict(self._states)
        events = self._judge(samples, beside, recovered, now)
        events += self._forget(now)
        if first:
            events += self._disagreements(events, now)
        self._remember(before)
        return events

    def _samples(self, conn: Connection, now: int) -> dict[int, list[Sample]]:
        """The points of every series a rule looks at, as far back as the longest window of its rules."""
        spans: dict[int, float] = {}
        for target in self._targets:
            for one in (target.series, target.per):
                if one is not None:
                    spans[one.id] = max(spans.get(one.id, 0.0), target.rule.window)
        by_span: dict[float, list[int]] = {}
        for number, span in spans.items():
            by_span.setdefault(span, []).append(number)
        found: dict[int, list[Sample]] = {}
        for span, numbers in by_span.items():
            found |= points.window(conn, numbers, now - micros(span), now)
        return found

    def _beside(self, conn: Connection, now: int) -> _Beside:
        """What rules look at beside the points."""
        states = self._known()
        expected = {
            target.key: self._forecast(conn, target, states.get(target.key, RuleState()), now)
            for target in self._targets
            if target.rule.against_forecast
        }
        asked = any(target.rule.anomaly for target in self._targets)
        episodes: dict[int, Episode] = {}
        for one in anomalies.going_on(conn, now) if asked else ():
            if one.counts():
                episodes[one.series_id] = one
        return _Beside(expected, episodes, models.demoted(conn) if expected else {})

    @staticmethod
    def _forecast(conn: Connection, target: Target, state: RuleState, now: int) -> Forecast | None:
        """The forecast to hold the series against: made before the trouble began, or it would learn the trouble."""
        calm = forecasts.newest(conn, target.series.id, before=state.pending_since) if state.pending_since else None
        for row in (calm, forecasts.newest(conn, target.series.id)):
            if row is not None:
                made = Forecast(row.start, row.step, tuple(row.mean), tuple(row.lower), tuple(row.upper), row.model)
                if made.start <= now < made.end:
                    return made
        return None

    def _judge(
        self, samples: Mapping[int, list[Sample]], beside: _Beside, recovered: Mapping[str, int], now: int
    ) -> list[RuleEvent]:
        states = self._known()
        events = []
        for target in self._targets:
            state = states.get(target.key, RuleState())
            judgement = evaluate(
                target.rule,
                samples.get(target.series.id, ()),
                samples.get(target.per.id, ()) if target.per else (),
                beside.expected.get(target.key),
                state,
                now,
                episode=beside.episode(target),
                counts=target.series.counts,
            )
            if judgement.evidence.note and state.firing and seconds(now - state.at) > GONE_AFTER:
                judgement = _gone(judgement, now)
            event = _event(target, judgement, now)
            event = self._after_recovery(target, judgement, samples, recovered, event, now)
            if event is not None:
                events.append(beside.trusted(event, target))
            states[target.key] = judgement.state
        return events

    def _after_recovery(
        self,
        target: Target,
        judgement: Judgement,
        samples: Mapping[int, list[Sample]],
        recovered: Mapping[str, int],
        event: RuleEvent | None,
        now: int,
    ) -> RuleEvent | None:
        """The event with what the rule sees since its service's checks recovered. One that fires already says so once
        after each recovery, and again where that sight changes."""
        found = samples.get(target.series.id, ())
        since = since_recovery(target.rule, found, recovered.get(_service(target)), now)
        if since is None or isinstance(event, AlertCleared) or not judgement.state.firing:
            return event
        values = {**judgement.evidence.as_json(target.rule), **since.as_json()}
        told = (since.recovered_at, is_aftermath(values, now))
        if event is None and self._recovery_told.get(target.key) != told:
            raised = judgement._replace(transition="raised")
            event = _event(target, raised, now)
        if not isinstance(event, AlertRaised):
            return event
        self._recovery_told[target.key] = told
        return replace(event, values=values)

    def _forget(self, now: int) -> list[RuleEvent]:
        """Drop the states of rules and series that are no more; what fired of them ends, with the reason."""
        states = self._known()
        current = {target.key for target in self._targets}
        events: list[RuleEvent] = []
        for key in [key for key in states if key not in current]:
            if states.pop(key).firing:
                name, labels = alert_of(key)
                reason = f"rule {name} is gone or changed, or its series is no longer kept"
                events.append(AlertCleared(labels, now, {"reason": reason}, unwatched=True))
        return events

    def _disagreements(self, said: Iterable[RuleEvent], now: int) -> list[RuleEvent]:
        """Where the alerts in the store say otherwise than the rule states: the watch before died between the two."""
        with self._store.read() as conn:
            firing = {alert.fingerprint for alert in alerts.all_firing(conn)}
        already = {fingerprint(event.identity or event.labels) for event in said}
        states = self._known()
        events: list[RuleEvent] = []
        for target in self._targets:
            state = states[target.key]
            labels = alert_labels(target.rule, target.series.labels, target.series.service)
            mark = fingerprint(labels)
            if mark in already or state.firing == (mark in firing):
                continue
            # Only what is seen to be well ends an alert; without data or while pending nobody knows.
            if not state.firing and (state.at != now or state.pending_since is not None):
                continue
            note = "found on taking over the watch"
            evidence = Evidence(state.value, None, None, 0, None, state.pending_since, note)
            judgement = Judgement(state, "raised" if state.firing else "cleared", evidence)
            event = _event(target, judgement, now)
            if event is not None:
                events.append(event)
        return events

    def _remember(self, before: Mapping[str, RuleState]) -> None:
        """Store what is pending or firing and drop the rest: a quiet series has nothing to remember."""
        states = self._known()
        kept = {key: state for key, state in states.items() if state.pending_since is not None or state.firing}
        lost = [key for key, state in before.items() if _stored(state) and key not in kept]
        if kept or lost:
            try:
                with self._store.measure() as conn:
                    rule_states.put_many(
                        conn,
                        [
                            rule_states.RuleState(key, state.pending_since, state.firing, state.value, state.at)
                            for key, state in kept.items()
                        ],
                    )
                    rule_states.remove(conn, lost)
            except StoreUnavailable as error:
                log.error("rule states are kept in memory only: %s", error)

    def _known(self) -> dict[str, RuleState]:
        assert self._states is not None, "tick reads the states first"
        return self._states


def _recoveries(conn: Connection) -> dict[str, int]:
    """When the checks of each service recovered last, where all of them pass now."""
    found: dict[str, int] = {}
    failing: set[str] = set()
    for one in check_states.get_all(conn):
        if one.status == "up":
            found[one.service] = max(found.get(one.service, 0), one.since)
        elif one.status == "down":
            failing.add(one.service)
    return {service: at for service, at in found.items() if service not in failing}


def _service(target: Target) -> str:
    return target.rule.service or target.series.labels.get("service", "") or target.series.service


def _event(target: Target, judgement: Judgement, now: int) -> RuleEvent | None:
    series = target.series
    return rule_event(target.rule, series.labels, series.service, judgement, now, of_service=target.of_service)


def _stored(state: RuleState) -> bool:
    return state.pending_since is not None or state.firing


def _remembered(row: rule_states.RuleState) -> RuleState:
    return RuleState(row.pending_since, row.firing, row.value, row.at)


def _gone(judgement: Judgement, now: int) -> Judgement:
    silent = format_duration(seconds(now - judgement.state.at))
    evidence = replace(judgement.evidence, value=None, note=f"no data for {silent}: the series is gone")
    return Judgement(RuleState(value=None, at=now), "cleared", evidence)
