"""Inhibition: while one alert fires, others tell nobody. Alertmanager's rule (`inhibit/inhibit.go`)."""

from __future__ import annotations

from dataclasses import dataclass

from forewatch.alerting.alert import Labels
from forewatch.alerting.compiled import Compiled
from forewatch.alerting.matchers import Matcher, matches, parse_matchers
from forewatch.config.models import Config


@dataclass(frozen=True)
class InhibitionRule:
    """`name` is its place in the configuration, such as `inhibitions[0]`."""

    name: str
    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...]


@Compiled
def inhibition_rules(config: Config) -> tuple[InhibitionRule, ...]:
    """The configuration's rules, in its order."""
    return tuple(
        InhibitionRule(
            f"inhibitions[{position}]",
            parse_matchers(each.source),
            parse_matchers(each.target),
            tuple(dict.fromkeys(each.equal)),
        )
        for position, each in enumerate(config.inhibitions)
    )


def inhibits(rule: InhibitionRule, source_labels: Labels, target_labels: Labels) -> bool:
    """Whether an alert with the one labels, while it fires, hushes one with the other.

    One that matches both sides is not hushed by another that also does, so none hushes itself or, in a circle, each
    other. A label that is absent equals the empty one: two alerts without it agree in it.
    """
    if not matches(rule.target, target_labels) or not matches(rule.source, source_labels):
        return False
    if any(source_labels.get(name, "") != target_labels.get(name, "") for name in rule.equal):
        return False
    return not (matches(rule.source, target_labels) and matches(rule.target, source_labels))


def equalities(rule: InhibitionRule, target_labels: Labels) -> dict[str, str]:
    """The labels that every source of a target has, to look sources up by; an empty value means the label is absent.

    They narrow the search and do not replace `inhibits`.
    """
    agreed = {name: target_labels.get(name, "") for name in rule.equal}
    return agreed | {matcher.name: matcher.value for matcher in rule.source if matcher.operator == "="}
