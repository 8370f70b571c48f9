"""Which events of the history would have come under another configuration, and as what.

An alert of a check, a rule or a sender is only there because the configuration of its time asked for it. Where the
other one asks for the same, the event stands, with the labels of the other; where it asks for something else, the
history does not tell what it would have seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from forewatch.alerting.alert import Labels
from forewatch.checking.results import ALERT_NAME, CheckKey, Monitor, monitors
from forewatch.config.models import Check, Config, Rule
from forewatch.detection.rules import alert_labels
from forewatch.detection.starter import all_rules
from forewatch.incidents.events import AlertCleared, AlertRaised, Event
from forewatch.store.observations import Observation

_NAMED = {"severity"}
"""Fields of a check that change what its alert is called, not what it sees."""
_SPOKEN = {"severity", "service", "labels", "annotations"}
"""The same of a rule."""

Asked = tuple[dict[CheckKey, Monitor], list[Rule], set[str]]
"""Checks, rules and senders of a configuration."""


class Origins:
    """`then` gives the configuration of a version; `now` is the other one. `unknown` grows with what cannot be told."""

    def __init__(self, then: Callable[[int], Config], now: Config) -> None:
        self._then = then
        self._config = now
        self._monitors = _by_key(now)
        self._rules = all_rules(now)
        self._senders = {source.name for source in now.sources}
        self._of_version: dict[int, Asked] = {}
        self.unknown: dict[str, None] = {}
        """Sentences, each once."""

    def event(self, observation: Observation, event: Event) -> Event | None:
        """What the event would have been; None where there would have been none, or nobody knows which."""
        if not isinstance(event, AlertRaised | AlertCleared):
            return event
        watched, rules, senders = self._asked(observation.config_version)
        if event.sender:
            return None if event.sender in senders - self._senders else event
        key = _check_key(event.labels)
        if key is not None:
            return self._of_check(event, key, watched.get(key))
        rule = next((rule for rule in rules if _is_of(rule, event.labels)), None)
        return event if rule is None else self._of_rule(event, rule)

    def _of_check(self, event: AlertRaised | AlertCleared, key: CheckKey, then: Monitor | None) -> Event | None:
        now = self._monitors.get(key)
        if now is None:
            # An alert that only looks like one of ours did not come from a check, so it does not go with one.
            return event if then is None else None
        if then is not None and (changed := _changed(then.check, now.check)):
            self._say(
                f"{key.service}/{key.check} probes in another way ({', '.join(changed)}): the history has what the "
                "old one saw, and this is taken to be seen by the new one too"
            )
        return replace(event, labels=dict(now.labels))

    def _of_rule(self, event: AlertRaised | AlertCleared, then: Rule) -> Event | None:
        """What a rule said that measures otherwise now is left out: it is judged anew on what is stored."""
        now = next((rule for rule in self._rules if measures_the_same(rule, then)), None)
        if now is None:
            return None
        known_by = event.identity if event.identity is not None else event.labels
        kept = {name: value for name, value in known_by.items() if name not in then.labels}
        identity = alert_labels(now, kept, "" if then.service else known_by.get("service", ""))
        return replace(event, labels={**self._config.alert_labels(identity["service"]), **identity}, identity=identity)

    def _asked(self, version: int) -> Asked:
        if version not in self._of_version:
            config = self._then(version)
            self._of_version[version] = _by_key(config), all_rules(config), {one.name for one in config.sources}
        return self._of_version[version]

    def _say(self, text: str) -> None:
        self.unknown[text] = None


def measures_the_same(one: Rule, other: Rule) -> bool:
    """Whether two rules of one name judge the same values alike, whatever they call what they find."""
    return one.model_dump(exclude=_SPOKEN) == other.model_dump(exclude=_SPOKEN)


def new_checks(then: Config, now: Config) -> list[str]:
    """Sentences about checks the history has nothing of."""
    known = _by_key(then)
    new = [key for key in _by_key(now) if key not in known]
    return [f"{key.service}/{key.check} is a new check: no data, which is not zero failures" for key in new]


def _by_key(config: Config) -> dict[CheckKey, Monitor]:
    return {monitor.key: monitor for monitor in monitors(config)}


def _check_key(labels: Labels) -> CheckKey | None:
    if labels.get("alertname") != ALERT_NAME or not {"service", "check", "instance"} <= set(labels):
        return None
    return CheckKey(labels["service"], labels["check"], labels["instance"])


def _is_of(rule: Rule, labels: Labels) -> bool:
    return (
        labels.get("alertname") == rule.alert
        and labels.get("severity") == rule.severity
        and _holds(rule.labels, labels)
        and (rule.service is None or labels.get("service") == rule.service)
    )


def _holds(wanted: Mapping[str, str], labels: Labels) -> bool:
    return all(labels.get(name) == value for name, value in wanted.items())


def _changed(then: Check, now: Check) -> list[str]:
    return [
        field.alias or name
        for name, field in Check.model_fields.items()
        if name not in _NAMED and getattr(then, name) != getattr(now, name)
    ]
