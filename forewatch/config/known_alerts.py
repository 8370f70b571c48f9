"""Which alerts Forewatch itself can raise of a service."""

from __future__ import annotations

from forewatch.checking.results import ALERT_NAME
from forewatch.config.defaults import ANOMALOUS, REGRESSION
from forewatch.config.known_metrics import Writers
from forewatch.config.models import Config, Rule, Service
from forewatch.detection.objectives import ALERT as BURN
from forewatch.detection.resources import resources
from forewatch.detection.starter import all_rules


class KnownAlerts:
    """The alerts of checks, rules, forecasts, objectives, anomalies and load tests of a configuration."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._writers = Writers(config)
        self._resources = resources(config)
        self._rules: dict[str | None, list[Rule]] = {}
        for rule in all_rules(config):
            self._rules.setdefault(rule.service, []).append(rule)

    def of(self, service: Service) -> set[str]:
        """Their names. A rule or forecast that names no service is of those whose series it looks at."""
        name = service.name
        found = {ALERT_NAME} if service.checks else set()
        found |= {rule.alert for rule in self._rules.get(name, ())}
        found |= {rule.alert for rule in self._rules.get(None, ()) if self._writers.written(rule.metric, name)}
        for one in self._resources:
            if one.service == name or (one.service is None and self._writers.written(one.metric, name)):
                found.add(one.alert)
        if service.objectives:
            found.add(BURN)
        if service.benchmarks:
            found.add(REGRESSION)
        if self._config.anomalies.enabled:
            found.add(ANOMALOUS)
        return found

    def named_by_rule(self, alert: str) -> str | None:
        """The service that a rule names for this alert; None where there is no such rule."""
        those = ((service, rule) for service, rules in self._rules.items() if service for rule in rules)
        return next((service for service, rule in those if rule.alert == alert), None)
