"""From a row of the inbox to the events it stands for. Pure: the same row and source, the same events."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from forewatch.alerting.alert import Labels
from forewatch.config.base import Name
from forewatch.config.models import Config
from forewatch.config.sources import AlertmanagerApi, Source
from forewatch.incidents.events import AlertCleared, AlertRaised, Event, from_json
from forewatch.intake.posted_alerts import PostedAlert, alerts_of
from forewatch.store.inbox import Row


def events_of(row: Row, source: Source) -> Iterator[Event]:
    """One event an alert, in order. Raises ValueError for a row of a kind this version does not know."""
    match row.kind:
        case "alertmanager":
            for alert in alerts_of(row.body, row.at, source.resolve_after):
                yield _event(alert, source, row.at)
        case "events":
            for event in orjson.loads(row.body):
                yield from_json(event)
        case _:
            raise ValueError(f"a row of the kind {row.kind} is not known here")


def source_named(config: Config, name: str) -> Source:
    """The source of a row; one that has gone from the configuration since is as it is without any wishes."""
    found = next((source for source in config.sources if source.name == name), None)
    return found if found is not None else Source(name=name, alertmanager=AlertmanagerApi())


def service_of(labels: Labels, source: Source) -> Name:
    """The service of an alert: the first of the source's labels that is there."""
    return next((labels[name] for name in source.service if labels.get(name)), source.default_service)


def _event(alert: PostedAlert, source: Source, at: int) -> Event:
    if not alert.timeout and alert.ends_at <= at:
        return AlertCleared(alert.labels, alert.ends_at, sender=source.name)
    return AlertRaised(
        labels=alert.labels,
        annotations=alert.annotations,
        at=alert.starts_at,
        sender=source.name,
        service=service_of(alert.labels, source),
        generator_url=alert.generator_url,
        until=alert.ends_at,
        timeout=alert.timeout,
    )
