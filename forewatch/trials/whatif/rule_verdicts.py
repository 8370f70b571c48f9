"""Rules that would have judged otherwise, on what was measured: stored points, and where they are gone, roll-ups.

The history holds what the old rules said, not what a new one would have; the values they looked at are in the metrics
store for as long as its retention keeps them. Where they are not, there is no data, which is not the same as quiet.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from forewatch.alerting.matchers import parse_matchers
from forewatch.clock import iso, micros
from forewatch.config.models import Config, Rule
from forewatch.detection.mount_names import fits
from forewatch.detection.rules import RuleState, evaluate, rule_event, service_of
from forewatch.detection.statistics import Sample
from forewatch.incidents.events import Event
from forewatch.store import points, rollups, series
from forewatch.store.series import Series

FINE = points.RESOLUTIONS[0]
"""Seconds of the finest roll-ups."""

_OF_BUCKETS = {"mean": "mean", "max": "max", "min": "min", "last": "last"}
"""Statistics that can be told from buckets, and what of a bucket stands for it."""

Moment = tuple[int, Event]


def judged(conn: Connection, rule: Rule, since: int, until: int, config: Config) -> tuple[list[Moment], list[str]]:
    """What a rule of `config` would have raised and cleared between two instants, and what about it cannot be told."""
    if rule.against_forecast:
        return [], [f"{rule.alert}: forecasts of the past are not made again, so no data on what lay outside of them"]
    if rule.anomaly is not None:
        return [], [f"{rule.alert}: anomalies are not scored again here (forewatch backtest {rule.alert} does that)"]
    matchers = parse_matchers(rule.match)
    wanted = [one for one in series.find(conn, rule.metric) if fits(matchers, one.labels)]
    moments: list[Moment] = []
    oldest: int | None = None
    coarse = False
    for one in wanted:
        samples, rolled = _samples(conn, rule, one, since, until)
        if not samples:
            continue
        coarse = coarse or rolled
        oldest = samples[0][0] if oldest is None else min(oldest, samples[0][0])
        moments += _events(conn, rule, one, samples, since, until, config)
    return moments, _honest(rule, since, oldest, coarse)


def _honest(rule: Rule, since: int, oldest: int | None, coarse: bool) -> list[str]:
    if oldest is None:
        return [f"{rule.alert}: there are no stored values of {rule.metric}: no data, which is not zero alerts"]
    said = []
    if oldest > since + micros(max(rule.window, FINE)):
        said.append(f"{rule.alert}: values of {rule.metric} are stored from {iso(oldest)} on; no data before that")
    if coarse:
        said.append(f"{rule.alert}: judged in part on five-minute roll-ups, so it may be minutes early or late")
    return said


def _samples(conn: Connection, rule: Rule, one: Series, since: int, until: int) -> tuple[list[Sample], bool]:
    """Points, after roll-ups where those reach further back and can stand for them. Whether there are such."""
    fine = points.between(conn, one.id, since - micros(rule.window), until)
    begins = fine[0][0] if fine else until
    if rule.statistic not in _OF_BUCKETS or rule.window < FINE or rule.per is not None:
        return fine, False
    older = rollups.between(conn, one.id, FINE, since - micros(rule.window), begins - micros(FINE))
    # A bucket's value is known when it ends.
    coarse = [(bucket.at + micros(FINE), getattr(bucket, _OF_BUCKETS[rule.statistic])) for bucket in older]
    return [*coarse, *fine], bool(coarse)


def _events(
    conn: Connection, rule: Rule, one: Series, samples: Sequence[Sample], since: int, until: int, config: Config
) -> Iterator[Moment]:
    """The rule on one series, looked at whenever there was something new to see."""
    of_service = config.alert_labels(service_of(rule, one.service))
    per = _per(conn, rule, one, since, until)
    state = RuleState()
    window = micros(rule.window)
    times = [at for at, _ in samples]
    per_times = [at for at, _ in per]
    for end, now in enumerate(times, start=1):
        seen = samples[bisect_left(times, now - window) : end]
        beside = per[bisect_left(per_times, now - window) : bisect_left(per_times, now + 1)]
        judgement = evaluate(rule, seen, beside, None, state, now)
        state = judgement.state
        event = rule_event(rule, one.labels, one.service, judgement, now, of_service=of_service)
        if event is not None:
            yield max(now, since), event


def _per(conn: Connection, rule: Rule, one: Series, since: int, until: int) -> list[Sample]:
    if rule.per is None:
        return []
    other = next((each for each in series.find(conn, rule.per) if each.labels == one.labels), None)
    return points.between(conn, other.id, since - micros(rule.window), until) if other is not None else []
