"""PagerDuty's Events API v2: what anything that can page through PagerDuty sends.

An alert is its `dedup_key` within the source (the routing key): a trigger on an open one adds to it, an acknowledge or
resolve where nothing is open changes nothing, and a trigger after a resolve opens anew. There is no time-out, as
PagerDuty has none of itself.

Severities `critical` and `error` count as critical, since PagerDuty calls people urgently for both; `warning` and
`info` are what they are.

No page is refused over a detail. A summary beyond 1,024 characters is cut, a key beyond 255 too, with a hash of the
whole; a severity nobody knows counts as critical, a time that is none as now; links that lead nowhere are left out.
Required are the routing key, the action, for all but a trigger the key, and of a trigger the summary and the source.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from forewatch.config.sources import Source
from forewatch.guard.redact import redact_data
from forewatch.incidents.events import AlertAcknowledged, ChangeReported, Event
from forewatch.intake.limits import LONGEST_VALUE, MOST_LABELS, clean, cut, ellipsis, labels_within, text_within
from forewatch.intake.sources.body import kind_of, read_object
from forewatch.intake.sources.making import (
    Parsed,
    cleared,
    id_of,
    optional_text,
    raised,
    service_of,
    text_of,
    when,
    within,
)

ACTIONS = ("trigger", "acknowledge", "resolve")
LARGEST = 512 * 1024
"""Bytes of a body."""
LONGEST_SUMMARY = 1_024
LONGEST_KEY = 255
MOST_LINKS = 50
DEFAULT_NAME = "PagerDutyEvent"
"""The alert's name where the event names no class."""


class InvalidEvent(ValueError):
    """What is wrong with an event, one sentence each."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("; ".join(errors))
        self.errors = errors


@dataclass(frozen=True)
class Message:
    """A whole, checked event; `key` was made here where a trigger had none."""

    routing_key: str
    action: str
    key: str
    data: Mapping[str, Any]


def read_event(body: bytes, new_key: Callable[[], str] = lambda: uuid4().hex) -> Message:
    """The alert event in a body. Raises InvalidEvent with all that is wrong with it."""
    data = _object(body)
    errors: list[str] = []
    routing_key = _checked(errors, lambda: text_of(data, "routing_key", ""))
    action = data.get("event_action")
    if action not in ACTIONS:
        errors.append(f"event_action must be one of {', '.join(ACTIONS)}")
    key = optional_text(data, "dedup_key")
    if not isinstance(data.get("dedup_key"), str | int | float | None):
        errors.append("dedup_key must be text")
    elif not key and action in ("acknowledge", "resolve"):
        errors.append(f"dedup_key is required to {action}: it says which alert is meant")
    if action == "trigger":
        errors += _wrong_payload(data.get("payload"))
    if errors:
        raise InvalidEvent(errors)
    return Message(str(routing_key), str(action), cut(clean(key), LONGEST_KEY) or new_key(), data)


def events_of(message: Message, source: Source, now: int) -> list[Event]:
    """The events a message comes to. Raises InvalidEvent."""
    identity = {"source": source.name, "dedup_key": message.key}
    match message.action:
        case "acknowledge":
            return [AlertAcknowledged(identity, source.name, now)]
        case "resolve":
            return [cleared(source.name, identity, now, identity=identity)]
        case _:
            return [_trigger(message, source, now, identity)]


def read_change(body: bytes) -> Message:
    """The change event in a body. Raises InvalidEvent with all that is wrong with it."""
    data = _object(body)
    errors: list[str] = []
    routing_key = _checked(errors, lambda: text_of(data, "routing_key", ""))
    payload = data.get("payload")
    if not isinstance(payload, dict):
        errors.append(f"payload must be an object, not {kind_of(payload)}")
    else:
        _checked(errors, lambda: id_of(payload, "summary", "payload."))
    if errors:
        raise InvalidEvent(errors)
    return Message(str(routing_key), "change", "", data)


def change_of(message: Message, source: Source, now: int) -> ChangeReported:
    """The change a message reports; of a service only where it names one."""
    payload = within(message.data, "payload")
    custom = _custom(payload)
    labels = {**_scalars(custom), **_labels(payload)}
    named = any(labels.get(name) for name in source.service)
    at = when(payload.get("timestamp"))
    return ChangeReported(
        summary=str(redact_data(_summary(payload))),
        service=service_of(source, labels) if named else None,
        sender=source.name,
        at=now if at is None else min(at, now),
        details=redact_data(
            {
                "source": optional_text(payload, "source"),
                "links": _shown_links(_links(message.data), "href", "text"),
                "custom_details": custom,
            }
        ),
    )


def parse(body: bytes, headers: Mapping[str, str], source: Source, now: int) -> Parsed:
    """The events of one body, an alert's or a change's. Raises InvalidEvent."""
    if "event_action" in _object(body):
        return Parsed(events_of(read_event(body), source, now))
    return Parsed([change_of(read_change(body), source, now)])


def _trigger(message: Message, source: Source, now: int, identity: dict[str, str]) -> Event:
    data, payload = message.data, within(message.data, "payload")
    custom = _custom(payload)
    labels = _labels(payload)
    client_url = data.get("client_url")
    links, at = _links(data), when(payload.get("timestamp"))
    first = client_url if isinstance(client_url, str) and client_url else next((one["href"] for one in links), "")
    return raised(
        source,
        labels,
        {
            "summary": _summary(payload),
            "dedup_key": message.key,
            "client": optional_text(data, "client"),
            "links": _shown_links(links, "href", "text"),
            "images": _shown_links(_images(data), "src", "alt"),
            "timestamp": text_within(payload.get("timestamp")) if at is None else "",
            **_details(custom),
        },
        now,
        identity=identity,
        at=at,
        generator_url=first,
        service_from=_scalars(custom),
    )


def _labels(payload: Mapping[str, Any]) -> dict[str, str]:
    found = {name: text_within(payload.get(name)) for name in ("class", "component", "group", "source", "severity")}
    return labels_within({**found, "alertname": found["class"] or DEFAULT_NAME})


def _summary(payload: Mapping[str, Any]) -> str:
    return ellipsis(optional_text(payload, "summary"), LONGEST_SUMMARY)


def _custom(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The details by name; what is no object has no name but `""`."""
    custom = payload.get("custom_details")
    return custom if isinstance(custom, dict) else {} if custom is None else {"": custom}


def _details(custom: Mapping[str, Any]) -> dict[str, object]:
    """Annotations `details.<key>`, redacted by key as well as by value."""
    masked = redact_data(dict(list(custom.items())[: MOST_LABELS - 10]))
    return {
        f"details.{name}" if name else "details": value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False)
        for name, value in masked.items()
    }


def _scalars(custom: Mapping[str, Any]) -> dict[str, str]:
    return {name: cut(text, LONGEST_VALUE) for name in custom if name and (text := optional_text(custom, name))}


def _links(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    return _leading(data.get("links"), "href", ("http://", "https://"))


def _images(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    return _leading(data.get("images"), "src", ("https://",))


def _leading(links: object, address: str, schemes: tuple[str, ...]) -> list[dict[str, Any]]:
    """Those that lead somewhere a person may follow."""
    listed = links if isinstance(links, list) else [links]
    found: list[dict[str, Any]] = [one if isinstance(one, dict) else {address: one} for one in listed[:MOST_LINKS]]
    return [one for one in found if str(one.get(address)).startswith(schemes)]


def _shown_links(links: list[dict[str, Any]], address: str, text: str) -> str:
    """One line each: `text: address`."""
    return "\n".join(": ".join(filter(None, (optional_text(one, text), one[address]))) for one in links)


def _object(body: bytes) -> dict[str, Any]:
    try:
        return read_object(body)
    except ValueError as error:
        raise InvalidEvent([str(error)]) from None


def _checked(errors: list[str], read: Callable[[], object], where: str = "") -> object:
    try:
        return read()
    except ValueError as error:
        errors.append(f"{where}{error}")
        return None


def _wrong_payload(payload: object) -> list[str]:
    if not isinstance(payload, dict):
        return [f"payload must be an object, not {kind_of(payload)}"]
    errors: list[str] = []
    for name in ("summary", "source"):
        _checked(errors, lambda name=name: id_of(payload, name, "payload."))  # type: ignore[misc]
    return errors
