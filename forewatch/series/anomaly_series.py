"""Which series are looked at for anomalies, and how rare one must be to be noted."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from forewatch.alerting.matchers import matches, parse_matchers
from forewatch.checking.results import monitors
from forewatch.config.models import Config
from forewatch.detection.episode import Level
from forewatch.detection.starter import all_rules
from forewatch.store.series import Series

LEFT_OUT = (
    # Forewatch's own parts have rules with bounds of their own, and nobody could act on "it was never so".
    "forewatch.*",
    # Judged already, and better: by the check itself, by the objective, by the benchmark's own test.
    "check.up",
    "system.filesystem.readonly",
    "check.in_time.ratio",
    # They add up to a check's duration, and would only agree with it.
    "check.phase.*",
    "objective.*",
    "benchmark.*",
    # They grow or stand still by nature; what counts is when they end, which forecasts tell.
    "*.uptime",
    "*.limit",
    "check.certificate.*",
    "check.unit.restarts",
)
"""Metrics that are not looked at unless a rule asks for their anomalies."""

_HOST = "host"


def chosen(config: Config, all_series: Iterable[Series]) -> dict[int, tuple[Series, Level]]:
    """The series looked at, by number, each with the level from which on something is an anomaly of it."""
    if not config.anomalies.enabled:
        return {}
    rules = [(rule, parse_matchers(rule.match)) for rule in all_rules(config) if rule.anomaly is not None]
    asked: dict[str, list[int]] = {}
    for index, (rule, _) in enumerate(rules):
        asked.setdefault(rule.metric, []).append(index)
    left_out = _Patterns(LEFT_OUT)
    ignored = _Patterns(config.anomalies.ignore)
    found: dict[int, tuple[Series, Level]] = {}
    for one in all_series:
        levels = {
            rules[index][0].anomaly for index in asked.get(one.metric, ()) if matches(rules[index][1], one.labels)
        }
        if not levels and (left_out.match(one.metric) or ignored.match(one.metric)):
            continue
        found[one.id] = (one, "medium" if "medium" in levels else "high")
    return found


class Expected:
    """Which series should still come: what the configuration no longer has falls silent for a good reason."""

    def __init__(self, config: Config) -> None:
        self._services = {_HOST, *(service.name for service in config.services)}
        self._measured = {service.name for service in config.services if service.processes}
        self._checks = {(one.key.service, one.key.check) for one in monitors(config)}
        self._host = config.metrics.host

    def __call__(self, one: Series) -> bool:
        """Whether its silence would be an anomaly."""
        if one.service and one.service not in self._services:
            return False
        kind = one.metric.partition(".")[0]
        if kind == "check":
            return (one.service, one.labels.get("check", "")) in self._checks
        if kind == "process":
            return one.service in self._measured
        return kind != "system" or self._host


class _Patterns:
    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = tuple(patterns)
        self._known: dict[str, bool] = {}

    def match(self, metric: str) -> bool:
        if metric not in self._known:
            self._known[metric] = any(fnmatchcase(metric, pattern) for pattern in self._patterns)
        return self._known[metric]
