"""Webhooks of another Alertmanager, version 4, and what Grafana's have in common with them.

Fields we do not know are accepted, and a time that is none counts as now. The same labels are the same alert, so a
request that comes twice changes nothing. There is no time-out: this sender says when an alert is over, and repeats a
firing one only every few hours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from forewatch.config.sources import Source
from forewatch.incidents.events import Event
from forewatch.intake.sources.body import kind_of, read_object
from forewatch.intake.sources.making import MOST_ALERTS, Parsed, cleared, labels_of, raised, when, within

Extras = Callable[[Mapping[str, Any]], tuple[dict[str, object], dict[str, Any]]]
"""An alert's further annotations and values."""


def parse(body: bytes, headers: Mapping[str, str], source: Source, now: int) -> Parsed:
    """The events of one webhook. Raises ValueError where it is no such webhook at all."""
    return parse_alerts(body, source, now, lambda alert: ({}, {}))


def parse_alerts(body: bytes, source: Source, now: int, extras: Extras) -> Parsed:
    """As `parse`, with what else a sender says of an alert."""
    alerts = read_object(body).get("alerts")
    if not isinstance(alerts, list):
        raise ValueError(f"alerts must be a list, not {kind_of(alerts)}")
    if len(alerts) > MOST_ALERTS:
        raise ValueError(f"{len(alerts)} alerts are more than one request may have ({MOST_ALERTS})")
    parsed = Parsed()
    for index, alert in enumerate(alerts):
        try:
            parsed.events.append(_event(alert, source, now, extras))
        except ValueError as error:
            parsed.refused.append(f"alerts[{index}]: {error}")
    return parsed


def _event(alert: object, source: Source, now: int, extras: Extras) -> Event:
    if not isinstance(alert, dict):
        raise ValueError(f"must be an object, not {kind_of(alert)}")
    labels = labels_of(alert.get("labels"), "labels")
    starts_at, ends_at = when(alert.get("startsAt")), when(alert.get("endsAt"))
    match alert.get("status"):
        case "firing":
            more, values = extras(alert)
            return raised(
                source,
                labels,
                {**within(alert, "annotations"), **more},
                now,
                identity=labels,
                at=starts_at,
                values=values,
                generator_url=alert.get("generatorURL"),
            )
        case "resolved":
            return cleared(source.name, labels, now, identity=labels, at=ends_at)
        case other:
            raise ValueError(f"status must be firing or resolved, not {str(other)[:60]!r}")
