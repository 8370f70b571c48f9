"""A rule's judgement on one series: samples in, state and transition out.

    quiet --beyond--> pending --beyond for `for`--> firing --back beyond `clear`--> quiet

* No data is no answer: a firing rule keeps firing and says so, a pending one neither fires nor forgets.
* `RuleState` is all there is to remember, so another process goes on where this one stopped. A pending rule not
  looked at for longer than its window (at least a minute) begins anew: nobody knows what lay between. For the same
  reason a clock set forward does not fulfil `for`.
* A clock set back leaves `pending_since` in the future: it begins anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from forewatch.alerting.alert import Labels
from forewatch.clock import micros, seconds
from forewatch.config.models import Rule, Statistic
from forewatch.detection.band import Forecast
from forewatch.detection.counters import is_counter
from forewatch.detection.episode import Episode
from forewatch.detection.quantity import show, unit_of
from forewatch.detection.sentences import Watched
from forewatch.detection.series_anomaly import happened
from forewatch.detection.statistics import Sample, Samples, compute, within
from forewatch.incidents.events import AlertCleared, AlertRaised
from forewatch.units import format_duration

if TYPE_CHECKING:
    from forewatch.detection.exhaustion import Exhaustion

Transition = Literal["raised", "cleared"]

HOST = "host"
"""The service an alert belongs to when neither rule nor series names one."""

_ROUNDING = 1e-9
_SHORTEST_GAP = 60.0
_LASTS = 1.5
"""A rule that forecasts exhaustion is calm once it is so many times as far away as it tells of."""


@dataclass(frozen=True)
class RuleState:
    """What is remembered between two looks at a series. Instants in microseconds UTC."""

    pending_since: int | None = None
    """Since when the value has been beyond the bound; stays set while firing."""
    firing: bool = False
    value: float | None = None
    at: int = 0
    """Of the last look that had data."""


@dataclass(frozen=True)
class Evidence:
    """What the judgement rests on, kept with the alert so that it can be explained and replayed."""

    value: float | None
    """None: no data."""
    low: float | None
    """Values below are trouble."""
    high: float | None
    """Values above are trouble."""
    samples: int
    newest: int | None
    since: int | None
    note: str = ""
    score: float | None = None
    """Of the anomaly, 0-1; `low` and `high` are what was usual before it."""
    exhausted_at: int | None = None
    said: str = ""
    """What a forecast of exhaustion or an anomaly comes to, in words."""
    counts: bool | None = None
    """Whether the series is a counter, where more than its name is known."""

    def as_json(self, rule: Rule) -> dict[str, Any]:
        """For `AlertRaised.values`."""
        asked = {"metric": rule.metric, "per": rule.per, "statistic": rule.statistic, "window": rule.window}
        found = {**asked, **asdict(self)}
        return {key: value for key, value in found.items() if key != "counts" and value not in (None, "")}


class Judgement(NamedTuple):
    state: RuleState
    transition: Transition | None
    evidence: Evidence


def evaluate(
    rule: Rule,
    samples: Samples,
    per_samples: Samples,
    forecast: Forecast | None,
    state: RuleState,
    now: int,
    *,
    episode: Episode | None = None,
    counts: bool | None = None,
) -> Judgement:
    """Judge one series at `now`. `samples` may reach beyond the window; only the window counts.

    `episode` is the anomaly that goes on and is as rare as the rule asks for, of a rule that asks for one; `counts`
    whether the series is a counter, where more than its name is known.
    """
    seen = within(samples, now, rule.window)
    value = compute(_statistic(rule, counts), seen, within(per_samples, now, rule.window) if rule.per else ())
    if rule.anomaly is not None:
        beyond, evidence = _anomalous(rule, value, seen, episode)
    elif rule.exhausted_within is not None:
        beyond, evidence = _running_out(rule, value, seen, state.firing, now)
    else:
        beyond, evidence = _out_of_bounds(rule, value, seen, forecast, state.firing, now)

    evidence = replace(evidence, counts=counts)
    if beyond is None:
        note = _silence(rule, state, value, now)
        return Judgement(state, None, replace(evidence, since=state.pending_since, note=note))
    if not beyond:
        return Judgement(RuleState(None, False, value, now), "cleared" if state.firing else None, evidence)
    since = _since(rule, state, now)
    if state.firing:
        return Judgement(replace(state, value=value, at=now), None, replace(evidence, since=state.pending_since))
    fires = now - since >= micros(rule.for_)
    return Judgement(RuleState(since, fires, value, now), "raised" if fires else None, replace(evidence, since=since))


def rule_alert(
    rule: Rule, series_labels: Labels, service: str, value: float | None, evidence: Evidence
) -> tuple[dict[str, str], dict[str, str]]:
    """Labels and annotations of a rule's alert on a series. `service` is the series' own, empty where it has none."""
    return alert_labels(rule, series_labels, service), {
        "summary": _summary(rule, series_labels, service_of(rule, service), value, evidence),
        **rule.annotations,
    }


def alert_labels(rule: Rule, series_labels: Labels, service: str) -> dict[str, str]:
    """What makes the alert the same one next time; they hold no measured value."""
    return {
        **series_labels,
        **rule.labels,
        "alertname": rule.alert,
        "service": service_of(rule, service),
        "severity": rule.severity,
    }


def service_of(rule: Rule, service: str) -> str:
    """Whose the alert of a rule is; `service` is the series' own, empty where it has none."""
    return rule.service or service or HOST


def rule_event(
    rule: Rule,
    series_labels: Labels,
    service: str,
    judgement: Judgement,
    now: int,
    *,
    of_service: Labels = MappingProxyType({}),
) -> AlertRaised | AlertCleared | None:
    """The event a judgement calls for; None without a transition.

    `of_service`: the labels of the service the alert belongs to. They do not decide whether it is the same alert.
    """
    state, transition, evidence = judgement
    if transition is None:
        return None
    values = evidence.as_json(rule)
    known_by, annotations = rule_alert(rule, series_labels, service, state.value, evidence)
    labels = {**of_service, **known_by}
    identity = known_by if labels != known_by else None
    if transition == "cleared":
        return AlertCleared(labels, now, {**values, "reason": annotations["summary"]}, identity=identity)
    return AlertRaised(labels, annotations, state.pending_since or now, values, identity=identity)


def _since(rule: Rule, state: RuleState, now: int) -> int:
    """Since when the value has been beyond, as far as it is known without a gap."""
    if state.pending_since is None or state.pending_since > now:
        return now
    unseen = seconds(now - state.at)
    return now if unseen > max(rule.window, _SHORTEST_GAP) else state.pending_since


Look = tuple[bool | None, Evidence]
"""Whether the series is in trouble, None where that is not known, and what that rests on."""


def _out_of_bounds(
    rule: Rule, value: float | None, seen: list[Sample], forecast: Forecast | None, firing: bool, now: int
) -> Look:
    low, high = _bounds(rule, forecast, firing, seen, now)
    evidence = _evidence(value, seen, low, high)
    if value is None or (low is None and high is None):
        return None, evidence
    return (low is not None and value < low) or (high is not None and value > high), evidence


def _anomalous(rule: Rule, value: float | None, seen: list[Sample], episode: Episode | None) -> Look:
    if episode is None:
        return (None if value is None else False), _evidence(value, seen)
    evidence = _evidence(value, seen, episode.lower, episode.upper)
    return True, replace(evidence, score=episode.score, said=happened(rule.metric, episode))


def _running_out(rule: Rule, value: float | None, seen: list[Sample], firing: bool, now: int) -> Look:
    # Loads numpy, which only those who have such a rule need.
    from forewatch.detection.exhaustion import quick_exhaustion

    evidence = _evidence(value, seen)
    if value is None or rule.limit is None or rule.exhausted_within is None:
        return None, evidence
    # Nothing is left: that is reached from above.
    expected = quick_exhaustion(seen, rule.limit, now, falling=rule.limit == 0)
    if expected is None:
        return False, evidence
    patience = rule.exhausted_within * (_LASTS if firing else 1.0)
    evidence = replace(evidence, exhausted_at=expected.at, said=_reaches(rule, rule.limit, expected, now))
    return expected.left(now) <= patience, evidence


def _reaches(rule: Rule, limit: float, expected: Exhaustion, now: int) -> str:
    shown = show(limit, unit_of(rule.metric))
    return f"has reached {shown}" if expected.left(now) <= 0 else f"reaches {shown} in {expected.span(now)}"


def _statistic(rule: Rule, counts: bool | None) -> Statistic:
    """A counter is forecast by its growth: its value means nothing beside that."""
    counted = is_counter(rule.metric) if counts is None else counts
    return "rate" if rule.against_forecast and counted else rule.statistic


def _bounds(
    rule: Rule, forecast: Forecast | None, firing: bool, seen: list[Sample], now: int
) -> tuple[float | None, float | None]:
    """Between which values all is well; `(None, None)` where that is not known."""
    if rule.against_forecast:
        since = seen[0][0] if seen else now
        band = forecast.band(since, now) if forecast else None
        if band is None:
            return None, None
        # What hardly changes has a narrow band: the rounding of a mean must not lie outside of it.
        slack = _ROUNDING * max(abs(band[0]), abs(band[1]))
        return (None if rule.above else band[0] - slack), (None if rule.below else band[1] + slack)
    above, below = (bound if isinstance(bound, float) else None for bound in (rule.above, rule.below))
    if firing and rule.clear is not None:
        above, below = (None if bound is None else rule.clear for bound in (above, below))
    return below, above


def _evidence(value: float | None, seen: list[Sample], low: float | None = None, high: float | None = None) -> Evidence:
    return Evidence(value, low, high, len(seen), seen[-1][0] if seen else None, None)


def _silence(rule: Rule, state: RuleState, value: float | None, now: int) -> str:
    if value is not None and rule.against_forecast:
        missing = "no forecast covers this moment"
    elif 0 < state.at <= now:
        missing = f"no data for {format_duration(seconds(now - state.at))}"
    else:
        missing = f"no data in the last {format_duration(rule.window)}"
    return missing + ("; still firing on what was seen last" if state.firing else "")


def _summary(
    rule: Rule, series_labels: Mapping[str, str], service: str, value: float | None, evidence: Evidence
) -> str:
    series = Watched(rule.metric, rule.per, _statistic(rule, evidence.counts), rule.window, series_labels, service)
    if evidence.said:
        return series.did(evidence.said)
    if value is None:
        return series.did("has no data")
    if rule.anomaly is not None:
        return series.usual_again(value)
    if evidence.high is not None and value > evidence.high and rule.above is not None:
        return series.beyond(value, "above", evidence.high, of_forecast=rule.against_forecast)
    if evidence.low is not None and value < evidence.low and rule.below is not None:
        return series.beyond(value, "below", evidence.low, of_forecast=rule.against_forecast)
    if rule.outside and evidence.low is not None and evidence.high is not None:
        return series.against_band(value, evidence.low, evidence.high)
    return series.back(value)
