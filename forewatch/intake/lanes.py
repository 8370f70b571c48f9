"""Which lane of the inbox what came rides in: what is critical in one, the rest in the other. Pure.

What is about one alert stays together and in its order, whatever lane it is in. In Alertmanager's format an alert's
severity is among the labels that make it this alert, so that is so by itself; elsewhere an alert may get worse and be
the same, and an end says nothing of how bad that was which it ends.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from forewatch.alerting.alert import severity_of
from forewatch.incidents.events import AlertAcknowledged, AlertCleared, AlertRaised, Event
from forewatch.intake.identity import identity_of


@dataclass(frozen=True)
class Part:
    """A row of the inbox to be.

    `critical`: its lane. `identities`: the alerts it is about, where later rows about them may be in another lane.
    `if_critical`: it is about the ends of some of these at most, and critical if one that ends is.
    """

    body: bytes
    critical: bool = False
    identities: frozenset[str] = field(default_factory=frozenset)
    if_critical: bool = False


def parts_of_alerts(body: bytes, alerts: Sequence[object], critical: Sequence[bool]) -> tuple[Part, ...]:
    """Of a body of alerts in Alertmanager's format, at most one part a lane; kept byte for byte where all are in one.

    `critical` says of each alert whether it counts as that.
    """
    if not alerts:
        return ()
    if all(critical) or not any(critical):
        return (Part(body, critical[0]),)
    return tuple(
        Part(orjson.dumps([alert for alert, is_so in zip(alerts, critical, strict=True) if is_so is lane]), lane)
        for lane in (True, False)
    )


def parts_of_events(events: Sequence[Event]) -> tuple[Part, ...]:
    """Of events in their order: the critical ones, the ends, the rest. Events of one alert are in one part."""
    critical: set[str] = set()
    news: set[str] = set()
    marks = [identity_of(event) for event in events]
    for event, mark in zip(events, marks, strict=True):
        if mark is not None and not isinstance(event, AlertCleared | AlertAcknowledged):
            news.add(mark)
            if isinstance(event, AlertRaised) and severity_of(event.labels) == "critical":
                critical.add(mark)
    chosen: dict[str, list[tuple[Event, str | None]]] = {"critical": [], "ends": [], "rest": []}
    for event, mark in zip(events, marks, strict=True):
        lane = "rest" if mark is None else "critical" if mark in critical else "rest" if mark in news else "ends"
        chosen[lane].append((event, mark))
    return tuple(
        Part(
            _encoded([event for event, _ in some]),
            lane == "critical",
            frozenset(mark for _, mark in some if mark is not None),
            lane == "ends",
        )
        for lane, some in chosen.items()
        if some
    )


def _encoded(events: Sequence[Event]) -> bytes:
    # Not orjson: a number of a sender's may be longer than it takes.
    return json.dumps([event.as_json() for event in events], ensure_ascii=False, separators=(",", ":")).encode()
