"""Which remedy is for an alert."""

from __future__ import annotations

from forewatch.alerting.alert import Alert
from forewatch.alerting.matchers import matches, parse_matchers
from forewatch.config.models import Config, Remedy


def choose(config: Config, alert: Alert) -> Remedy | None:
    """The first remedy of the alert's service whose `on` matches; None where nothing is bound to it."""
    service = config.service(alert.service)
    if service is None:
        return None
    return next((remedy for remedy in service.remedies if is_for(remedy, alert)), None)


def is_for(remedy: Remedy, alert: Alert) -> bool:
    """Whether the alert is one the remedy is meant to heal."""
    return matches(parse_matchers(remedy.on), alert.labels)


def remedy_key(service: str, runbook: str) -> str:
    """What limits are counted by: a runbook's work on one service."""
    return f"{service}/{runbook}"
