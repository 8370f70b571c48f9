"""Which rule looks at which series, and what a rule's state on a series is kept under."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from forewatch.alerting.alert import Labels
from forewatch.alerting.matchers import Matcher, parse_matchers
from forewatch.config.models import Config, Rule
from forewatch.detection.mount_names import fits
from forewatch.detection.rules import alert_labels, service_of
from forewatch.detection.starter import all_rules
from forewatch.store import series
from forewatch.store.series import Series


@dataclass(frozen=True)
class Target:
    """One rule on one series."""

    key: str
    rule: Rule
    series: Series
    per: Series | None
    of_service: Labels
    """The labels of the service its alert belongs to."""


class Targets:
    """The targets of a configuration, worked out anew only where it or the series changed."""

    def __init__(self) -> None:
        self._config: Config | None = None
        self._rules: list[tuple[Rule, tuple[Matcher, ...]]] = []
        self._seen = (0, 0)
        self._found: list[Target] = []

    def __iter__(self) -> Iterator[Target]:
        return iter(self._found)

    def find(self, conn: Connection, config: Config) -> None:
        """Bring them up to date."""
        seen = series.signature(conn)
        if config is self._config and seen == self._seen:
            return
        if config is not self._config:
            self._rules = [(rule, parse_matchers(rule.match)) for rule in all_rules(config)]
        self._config, self._seen = config, seen
        by_metric: dict[str, list[Series]] = {}
        by_service: dict[tuple[str, str], list[Series]] = {}
        for one in series.all_series(conn):
            by_metric.setdefault(one.metric, []).append(one)
            by_service.setdefault((one.metric, one.labels.get("service", "")), []).append(one)
        labels = {service.name: service.alert_labels for service in config.services}
        targets: dict[str, Target] = {}
        for rule, matchers in self._rules:
            # With a rule for every check, looking at every series of the metric would be quadratic.
            service = next((one.value for one in matchers if one.name == "service" and one.operator == "="), None)
            candidates = (
                by_metric.get(rule.metric, []) if service is None else by_service.get((rule.metric, service), [])
            )
            for one in candidates:
                if fits(matchers, one.labels):
                    per = next(
                        (other for other in by_metric.get(rule.per or "", []) if other.labels == one.labels), None
                    )
                    of_service = labels.get(service_of(rule, one.service), {})
                    target = Target(key_of(rule, one), rule, one, per, of_service)
                    targets.setdefault(target.key, target)
        self._found = list(targets.values())


def key_of(rule: Rule, one: Series) -> str:
    """What a state is kept under: the rule and the alert it makes, so that an alert can be ended without its rule."""
    kinds = ("outside", "above", "below", "anomaly", "exhausted_within")
    bound = next(kind for kind in kinds if getattr(rule, kind) is not None)
    what = [rule.alert, rule.metric, rule.statistic, bound]
    return json.dumps([what, alert_labels(rule, one.labels, one.service)], sort_keys=True, ensure_ascii=False)


def alert_of(key: str) -> tuple[str, Labels]:
    """The rule's name and the alert's labels that a key was made of."""
    what, labels = json.loads(key)
    return str(what[0]), labels
