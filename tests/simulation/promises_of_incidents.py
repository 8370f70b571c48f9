"""What is in one incident belongs together, what belongs together is in one, and it is open while it is not over."""

from __future__ import annotations

from collections.abc import Iterator

from chronicle import APART, Chronicle
from promises_of_naming import depends_on

from forewatch.alerting.alert import Alert
from forewatch.config.models import Config

ENDED = 10.0
"""Seconds after its end for which an alert still links what comes to its incident."""
SLACK = 0.5
MOVES = frozenset({"IncidentsMerged", "IncidentSplit"})


def glued(told: Chronicle) -> Iterator[str]:
    """Alerts that joined an incident they have nothing to do with, or opened one beside their own."""
    for alert_id, course in told.alerts.items():
        before: Alert | None = None
        by_people = False  # where they have put it, it goes with what is there
        for at, alert in zip(course.times, course.values, strict=True):
            moves = alert.status == "firing" and (before is None or before.incident_id != alert.incident_id)
            by_people = by_people or (moves and _moved_by_people(told, at))
            if moves and not by_people:
                # Two incidents become one in the decision in which an alert joins that links them.
                yield from _misplaced(told, alert_id, alert, at, merged=before is not None)
            before = alert


def left_open(told: Chronicle) -> Iterator[str]:
    """Incidents that were open after a decision though nothing of them fired, nor flaps in their own service."""
    seen: set[str] = set()
    for at, _, touched in told.order:
        for incident_id in touched - seen:
            incident = told.incidents[incident_id].at(at)
            if incident is None or incident["status"] == "resolved":
                continue
            its = [one for course in told.alerts.values() if (one := course.at(at)) and one.incident_id == incident_id]
            flaps = any(
                told.flapping[one.fingerprint].at(at) is not None and one.service in _own(told, incident_id, at)
                for one in its
            )
            if not flaps and not any(one.status == "firing" for one in its):
                seen.add(incident_id)
                yield f"{incident_id} is open at {at:.1f}, and nothing of it fires or flaps in {incident['service']}"


def _own(told: Chronicle, incident_id: str, at: float) -> set[str]:
    """The services an incident has been named after."""
    course = told.incidents[incident_id]
    return {one["service"] for time, one in zip(course.times, course.values, strict=True) if time <= at}


def _misplaced(told: Chronicle, alert_id: str, alert: Alert, at: float, *, merged: bool) -> Iterator[str]:
    config = told.configs.at(at)
    assert config is not None
    beside = [
        (one, ended)
        for other, course in told.alerts.items()
        if other != alert_id and (one := course.at(at) if merged else _just_before(told, other, at)) is not None
        for ended in [_ended(told, other, at)]
    ]
    mine = [(one, ended) for one, ended in beside if one.incident_id == alert.incident_id]
    if mine and not any(_belongs(config, alert, one, ended, at, ENDED + SLACK) for one, ended in mine):
        services = ", ".join(sorted({one.service for one, _ in mine}))
        joins = f"{alert_id} of {alert.service} joins {alert.incident_id} at {at:.1f}"
        yield f"{joins}, with which it has nothing to do ({services})"
    if mine or merged or told.flapping[alert.fingerprint].at(at) is not None:
        return
    for one, _ in beside:
        incident = told.incidents[str(one.incident_id)].at(at - APART / 2)
        if incident is None or incident["status"] == "resolved" or told.flapping[one.fingerprint].at(at) is not None:
            continue
        if one.status == "firing" and _belongs(config, alert, one, None, at, ENDED - SLACK):
            opens = f"{alert_id} of {alert.service} opens {alert.incident_id} at {at:.1f}"
            yield f"{opens}, and {one.id} of {one.service} fires in {one.incident_id}"
            return


def _belongs(config: Config, alert: Alert, one: Alert, ended: float | None, at: float, within: float) -> bool:
    if one.service == alert.service:
        return True
    linked = one.service in depends_on(config, alert.service) or alert.service in depends_on(config, one.service)
    return linked and (ended is None or at - ended <= within)


def _just_before(told: Chronicle, alert_id: str, at: float) -> Alert | None:
    return told.alerts[alert_id].at(at - APART / 2)


def _ended(told: Chronicle, alert_id: str, at: float) -> float | None:
    """When it ended; None while it fires."""
    course = told.alerts[alert_id]
    one = course.at(at - APART / 2)
    if one is None or one.status == "firing":
        return None
    return next(time for time, value in zip(course.times, course.values, strict=True) if value.status != "firing")


def _moved_by_people(told: Chronicle, at: float) -> bool:
    return any(when == at and event["type"] in MOVES for when, event in told.events.values())
