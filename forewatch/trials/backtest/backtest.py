"""Replay what is stored through a rule or the anomaly detector, series by series."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from sqlalchemy import Connection

from forewatch.alerting.matchers import matches, parse_matchers
from forewatch.clock import iso, micros, seconds
from forewatch.config.models import Config, Rule
from forewatch.detection.band import Forecast
from forewatch.detection.episode import MEDIUM, Episode
from forewatch.detection.forecast import LONGEST
from forewatch.detection.quantity import unit_of, unit_of_statistic
from forewatch.detection.rules import HOST
from forewatch.detection.starter import all_rules
from forewatch.errors import NotFound
from forewatch.store import forecasts, points, series
from forewatch.store.engine import Store
from forewatch.store.series import Series
from forewatch.trials.backtest.anomaly_replay import as_heard, episodes_of, told_at, warmup_rows
from forewatch.trials.backtest.history import Even, for_detector, for_rule, honest, known_incidents, per_of
from forewatch.trials.backtest.past_forecasts import Held
from forewatch.trials.backtest.report import Report, Trial
from forewatch.trials.backtest.rule_replay import OutOfTime, raised_by, variants
from forewatch.trials.backtest.verdict import Alert, hold_against
from forewatch.units import format_duration

BUDGETS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""False alarms a month that are tried beside the one asked for."""

Steps = Callable[[Sequence[Series]], Iterable[Series]]
"""Goes through the series, with a progress bar or without."""
_Found = dict[str, list[Alert]]
"""Setting -> its alerts."""


def backtest(
    store: Store,
    config: Config,
    target: str,
    *,
    since: int,
    until: int,
    tolerance: float,
    labels: Mapping[str, str] | None = None,
    false_alarms: float | None = None,
    steps: Steps = iter,
    over: Callable[[], bool] = lambda: False,
) -> Report:
    """What the rule with this alert name, or the anomaly detector on this metric, would have raised.

    Args:
        tolerance: seconds between an alert and an incident that still belong together.
        labels: only series with these.
        false_alarms: a month, of the detector; default the configuration's.
        over: asked often; once it is true the series not yet judged are left out, and that is said.
    Raises NotFound where it is neither an alert of the configuration nor a metric that was ever measured.
    """
    rules = [rule for rule in all_rules(config) if rule.alert == target]
    with store.read_metrics() as conn:
        if not rules and not series.find(conn, target):
            raise NotFound(_unknown(target, config, {one.metric for one in series.all_series(conn)}))
    run = _Run(store, config, since, until, over, labels or {})
    budget = config.anomalies.false_alarms if false_alarms is None else false_alarms
    for rule in rules:
        run.rule(rule, false_alarms, steps)
    if not rules:
        run.metric(target, budget, steps)
    metric = rules[0].metric if rules else target
    unit = unit_of_statistic(metric, rules[0].statistic)[0] if rules else unit_of(metric)
    if not run.judged:
        return Report(target, metric, unit, since, until, tolerance, run.series, 0, notes=tuple(run.notes))
    alertname = target if rules else None
    with store.read() as conn:
        room = micros(tolerance)
        known = known_incidents(conn, run.services, alertname, run.begins - room, until)
    trials = []
    for label, alerts in run.found.items():
        ordered = sorted(alerts, key=lambda alert: (alert.start, alert.series))
        verdict = hold_against(ordered, known, tolerance=tolerance, looked_at=seconds(until - run.begins))
        trials.append(Trial(label, ordered, verdict))
    return Report(
        target, metric, unit, since, until, tolerance, run.series, run.judged, trials, known, tuple(run.notes)
    )


class _Run:
    """What has been found so far. One series is in memory at a time."""

    def __init__(
        self,
        store: Store,
        config: Config,
        since: int,
        until: int,
        over: Callable[[], bool],
        labels: Mapping[str, str],
    ) -> None:
        self._store, self._config = store, config
        self._since, self._until = since, until
        self._over, self._labels = over, labels
        self.found: _Found = {}
        self.services: set[str] = set()
        self.notes: dict[str, None] = {}
        self.begins = until
        """The earliest instant anything could be told of."""
        self.series = self.judged = 0

    def rule(self, rule: Rule, false_alarms: float | None, steps: Steps) -> None:
        """Judge a rule on all the series it matches, as it is and otherwise."""
        matchers = parse_matchers(rule.match)
        with self._store.read_metrics() as conn:
            wanted = [one for one in series.find(conn, rule.metric, self._labels) if matches(matchers, one.labels)]
            others = series.find(conn, rule.per) if rule.per else []
        tried = self._variants(rule, false_alarms)

        def judge(conn: Connection, one: Series) -> _Found | None:
            stored = for_rule(conn, rule, one, self._since, self._until)
            if not stored.samples:
                return None
            self._note(honest(rule.metric, stored, self._since))
            per = per_of(conn, rule, others, one, self._since, self._until)
            held = self._held(conn, rule, one) if rule.against_forecast else None
            episodes = self._episodes(conn, rule, one, [budget for _, _, budget in tried]) if rule.anomaly else {}
            found: _Found = {}
            for label, other, budget in tried:
                raised = raised_by(
                    other, stored.samples, per, self._since, expected=held, episodes=episodes.get(budget, ()),
                    over=self._over,
                )  # fmt: skip
                service = rule.service or one.service or HOST
                found[label] = [Alert(_name(one), service, *each) for each in raised]
            if held is not None:
                self._note(_which(rule, held))
            self._judged(rule.service or one.service or HOST, stored.samples[0][0])
            return found

        self._each(rule.metric, wanted, steps, judge)

    def metric(self, metric: str, budget: float, steps: Steps) -> None:
        """Judge the detector on all series of a metric, at several alarm budgets."""
        with self._store.read_metrics() as conn:
            wanted = series.find(conn, metric, self._labels)
        budgets = [budget, *(other for other in BUDGETS if other != budget)]

        def judge(conn: Connection, one: Series) -> _Found | None:
            even = for_detector(conn, one, self._since, self._until)
            if not self._enough(metric, even):
                return None
            found = episodes_of(one.id, even.at, even.values, even.step, budgets, self._over)
            service = one.service or HOST
            self._judged(service, int(even.at[warmup_rows(even.step)]))
            return {
                _budget(each): [
                    Alert(_name(one), service, told_at(episode, even.step), episode.end, episode.value)
                    for episode in found[each]
                    if told_at(episode, even.step) >= self._since
                ]
                for each in budgets
            }

        self._each(metric, wanted, steps, judge)

    def _each(
        self,
        metric: str,
        wanted: Sequence[Series],
        steps: Steps,
        judge: Callable[[Connection, Series], _Found | None],
    ) -> None:
        self.series += len(wanted)
        empty = late = 0
        for one in steps(wanted):
            if self._over():
                late += 1
                continue
            try:
                with self._store.read_metrics() as conn:
                    found = judge(conn, one)
            except OutOfTime:
                late += 1
                continue
            if found is None:
                empty += 1
                continue
            for label, alerts in found.items():
                self.found.setdefault(label, []).extend(alerts)
        if not wanted:
            self._note([f"{metric}: no series of it with these labels was ever stored"])
        if empty:
            self._note([f"{metric}: {empty} of {len(wanted)} series have too little or no data in this time"])
        if late:
            self._note([f"{metric}: {late} of {len(wanted)} series were not judged for want of time"])

    def _variants(self, rule: Rule, false_alarms: float | None) -> list[tuple[str, Rule, float]]:
        """(setting, rule, alarm budget)"""
        tried = variants(rule)
        asked = self._config.anomalies.false_alarms if false_alarms is None else false_alarms
        own = asked * (MEDIUM if rule.anomaly == "medium" else 1.0)
        if rule.anomaly is None:
            return [(label, other, own) for label, other in tried]
        return [(label, other, own) for label, other in tried] + [
            (_budget(budget), rule, budget) for budget in BUDGETS if budget != own
        ]

    def _episodes(
        self, conn: Connection, rule: Rule, one: Series, budgets: Sequence[float]
    ) -> dict[float, list[Episode]]:
        even = for_detector(conn, one, self._since, self._until)
        if not self._enough(rule.metric, even):
            return {}
        found = episodes_of(one.id, even.at, even.values, even.step, sorted(set(budgets)), self._over)
        return {budget: [as_heard(episode, even.step) for episode in of] for budget, of in found.items()}

    def _enough(self, metric: str, even: Even) -> bool:
        if not even.from_points:
            self._note([f"{metric}: judged on means of {format_duration(even.step)}, as points do not go back as far"])
        first_told = warmup_rows(even.step)
        if len(even.at) <= first_told:
            return False
        if (told := int(even.at[first_told])) > self._since:
            self._note(
                [f"{metric}: the detector was learning until {iso(told)[:16]}Z; nothing is reported before that"]
            )
        return True

    def _held(self, conn: Connection, rule: Rule, one: Series) -> Held:
        history = points.read(conn, one.id, self._since - micros(LONGEST), self._until, 300.0)
        stored = [
            (row.made_at, Forecast(row.start, row.step, tuple(row.mean), tuple(row.lower), tuple(row.upper), row.model))
            for row in forecasts.made_between(conn, one.id, self._since - micros(3600.0), self._until)
            if row.mean
        ]
        return Held(one, history, stored)

    def _judged(self, service: str, first: int) -> None:
        self.judged += 1
        self.services.add(service)
        self.begins = min(self.begins, max(first, self._since))

    def _note(self, sentences: Iterable[str]) -> None:
        self.notes.update(dict.fromkeys(sentences))


def _which(rule: Rule, held: Held) -> Iterator[str]:
    kept, made = len(held.used_stored), held.made_again
    yield (
        f"{rule.metric}: compared with {kept} stored forecast{'' if kept == 1 else 's'} "
        f"and {made} made again at full hours from what was known then"
    )


def _budget(budget: float) -> str:
    return f"{budget:g} false alarm{'' if budget == 1 else 's'} a month"


def _name(one: Series) -> str:
    return ", ".join(f"{name} {text}" for name, text in sorted(one.labels.items()) if text) or one.metric


def _unknown(target: str, config: Config, metrics: set[str]) -> str:
    import difflib

    names = sorted({rule.alert for rule in all_rules(config)} | metrics)
    near = difflib.get_close_matches(target, names, n=3, cutoff=0.5)
    hint = f": did you mean {' or '.join(near)}?" if near else "; see forewatch.yaml for the names of alerts"
    return f"{target} is no alert of the configuration and no metric that was ever measured{hint}"
