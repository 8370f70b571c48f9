"""Grafana's alert webhooks: an Alertmanager's, with what was measured and where to look.

Grafana says when an alert is over, so there is no time-out. Its labels make the alert; `severity` is one only where
the rule sets it, and an alert without counts as critical.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forewatch.config.sources import Source
from forewatch.intake.sources.alertmanager_webhook import parse_alerts
from forewatch.intake.sources.making import Parsed, within

ANNOTATIONS = {
    "valueString": "value",
    "dashboardURL": "dashboard",
    "panelURL": "panel",
    "silenceURL": "silence",
    "imageURL": "image",
}


def parse(body: bytes, headers: Mapping[str, str], source: Source, now: int) -> Parsed:
    """The events of one webhook. Raises ValueError where it is no such webhook at all."""
    return parse_alerts(body, source, now, _extras)


def _extras(alert: Mapping[str, Any]) -> tuple[dict[str, object], dict[str, Any]]:
    said = {ours: alert[theirs] for theirs, ours in ANNOTATIONS.items() if isinstance(alert.get(theirs), str)}
    measured = {
        name: value
        for name, value in list(within(alert, "values").items())[:20]
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    return said, measured
