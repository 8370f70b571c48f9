"""Sentry's webhooks: issues, issue alerts (`event_alert`) and metric alerts, signed over the raw bytes.

Sentry says when an issue or metric alert is over, so there is no time-out; but it does not repeat a webhook that
failed, so give the source the issues API as well. Both speak of the same alert: the issue's id within the source.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from forewatch.config.sources import Source
from forewatch.incidents.events import Event
from forewatch.intake.issues import Issue, issue_cleared, issue_raised, sentry_issue
from forewatch.intake.limits import labels_within, text_within
from forewatch.intake.sources.body import kind_of, read_object
from forewatch.intake.sources.making import (
    Parsed,
    cleared,
    id_of,
    optional_text,
    raised,
    text_of,
    when,
    within,
)

SIGNATURE = "sentry-hook-signature"
RESOURCE = "sentry-hook-resource"
METRIC_ALERT = "SentryMetricAlert"


def signed(body: bytes, headers: Mapping[str, str], client_secret: str) -> bool:
    """Whether the body carries the signature of who knows the client secret. Takes the same time for every answer."""
    expected = hmac.new(client_secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), headers.get(SIGNATURE, "").encode("utf-8", "surrogateescape"))


def parse(body: bytes, headers: Mapping[str, str], source: Source, now: int) -> Parsed:
    """The events of one webhook; none of a resource that is no alert. Raises ValueError."""
    message = read_object(body)
    action, data = text_of(message, "action", ""), message.get("data")
    if not isinstance(data, dict):
        raise ValueError(f"data must be an object, not {kind_of(data)}")
    match headers.get(RESOURCE) or _resource(data):
        case "issue":
            return Parsed(_issue(action, _part(data, "issue"), source, now))
        case "event_alert":
            return Parsed([_issue_alert(data, source, now)])
        case "metric_alert":
            return Parsed([_metric_alert(action, data, source, now)])
        case _:
            return Parsed()


def _resource(data: Mapping[str, Any]) -> str:
    """What the header would say, for a body that was saved without it."""
    return next(
        (kind for key, kind in (("metric_alert", "metric_alert"), ("event", "event_alert"), ("issue", "issue"))
         if key in data), "",
    )  # fmt: skip


def _part(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = data.get(name)
    if not isinstance(value, dict):
        raise ValueError(f"data.{name} must be an object, not {kind_of(value)}")
    return value


def _issue(action: str, data: Mapping[str, Any], source: Source, now: int) -> list[Event]:
    issue = sentry_issue(data, now)
    match action:
        case "created" | "unresolved":
            why = "new" if action == "created" else optional_text(data, "substatus") or "regressed"
            return [issue_raised(source, issue, now, why)]
        case "resolved" | "archived" | "ignored":
            return [issue_cleared(source.name, issue.id, now, f"it is {action} in Sentry")]
        case _:
            return []


def _issue_alert(data: Mapping[str, Any], source: Source, now: int) -> Event:
    event = _part(data, "event")
    tags = _tags(event.get("tags"))
    issue = Issue(
        id=id_of(event, "issue_id", "data.event."),
        title=optional_text(event, "title"),
        level=optional_text(event, "level"),
        project=_project(optional_text(event, "url")) or optional_text(event, "project_slug"),
        url=optional_text(event, "web_url"),
        culprit=optional_text(event, "culprit"),
        environment=tags.get("environment", ""),
        first_seen=_seen(event, now),
        last_seen=_seen(event, now),
    )
    rule = optional_text(data, "triggered_rule") or optional_text(within(data, "issue_alert"), "title")
    return issue_raised(source, issue, now, "", {"rule": rule}, service_from=tags)


def _tags(given: object) -> dict[str, str]:
    """Tags written as pairs, as objects with key and value, or as one object."""
    entries = list(given.items()) if isinstance(given, dict) else given if isinstance(given, list) else []
    found = {}
    for entry in entries:
        pair = (entry.get("key"), entry.get("value")) if isinstance(entry, dict) else entry
        if isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], str):
            found[pair[0]] = text_within(pair[1])
    return found


def _seen(event: Mapping[str, Any], now: int) -> int:
    return when(event.get("datetime")) or when(event.get("timestamp")) or now


def _project(url: str) -> str:
    """The slug in `.../projects/<organization>/<project>/events/...`; an event itself has a number only."""
    _, found, rest = url.partition("/projects/")
    parts = rest.split("/")
    return parts[1] if found and len(parts) > 1 else ""


def _metric_alert(action: str, data: Mapping[str, Any], source: Source, now: int) -> Event:
    alert = _part(data, "metric_alert")
    rule = within(alert, "alert_rule")
    identity = {"source": source.name, "metric_alert": id_of(alert, "id", "")}
    if action == "resolved":
        return cleared(source.name, identity, now, identity=identity, at=when(alert.get("date_closed")))
    if action not in ("critical", "warning"):
        raise ValueError(f"action of a metric alert must be critical, warning or resolved, not {action[:60]!r}")
    aggregate = optional_text(rule, "aggregate")
    projects = alert.get("projects")
    project = projects[0] if isinstance(projects, list) and projects and isinstance(projects[0], str) else ""
    labels = {
        "alertname": METRIC_ALERT,
        "severity": action,
        "rule": optional_text(rule, "name"),
        "project": project,
        "environment": optional_text(rule, "environment"),
        "classification": "latency" if "duration" in aggregate else "errors",
    }
    return raised(
        source,
        labels_within(labels),
        {
            "summary": optional_text(data, "description_title") or optional_text(alert, "title"),
            "description": optional_text(data, "description_text"),
            "query": " ".join(filter(None, (aggregate, optional_text(rule, "query")))),
        },
        now,
        identity=identity,
        at=when(alert.get("date_started")),
        generator_url=data.get("web_url"),
    )
