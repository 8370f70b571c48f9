"""RESOLVED means that what raised it says it is over."""

from __future__ import annotations

from collections.abc import Iterator

from chronicle import Chronicle, instant
from simulated_sender import RESEND
from simulated_world import STALL, World

from forewatch.alerting.alert import Alert
from forewatch.checking.results import ALERT_NAME

FAILING_FOR = 6.0
"""Seconds of nothing but failures after which a check says that its service is down, whatever it needs for that."""
SLACK = 5.0
BACK_WITHIN = 45.0
"""Seconds until one that stood still has a watch again."""
EARS = ("serve", "page-people", "the store")
"""What somebody else says comes in by these."""
ROUNDING = 0.001
"""Seconds: instants in records are whole microseconds."""


def untrue_ends(world: World, told: Chronicle) -> Iterator[str]:
    """Incidents of which RESOLVED was said while what raised one of their alerts said otherwise."""
    seen: set[tuple[str, float]] = set()
    by_time = _events_at(told)
    for notice in told.notices:
        if not notice.says_resolved:
            continue
        for incident_id in notice.incident_ids:
            over_at = _resolved_at(told, incident_id, notice.decided)
            if over_at is None or (incident_id, over_at) in seen:
                continue
            seen.add((incident_id, over_at))
            if _by_hand(told, incident_id):
                continue
            for alert in _alerts_of(told, incident_id, over_at):
                saw = _seen_at(told, by_time, alert, over_at) if alert.name == ALERT_NAME else over_at
                if _says_otherwise(world, told, alert, saw):
                    yield (
                        f"{notice.id} says that {incident_id} is resolved at {over_at:.1f}, while "
                        f"{alert.service} {alert.labels.get('check', alert.name)} fails"
                    )


def _seen_at(told: Chronicle, by_time: dict[float, list[float]], alert: Alert, over_at: float) -> float:
    """When what ended a check's alert was seen: a decision of ours may be long after that. Each alert of an incident
    has its own; somebody else says when theirs was over."""
    course = told.alerts[alert.id]
    decided = [at for at, one in zip(course.times, course.values, strict=True) if one.status != "firing"]
    ended_at = min([over_at, *decided])
    return min([ended_at, *by_time.get(ended_at, ())])


def _says_otherwise(world: World, told: Chronicle, alert: Alert, at: float) -> bool:
    """Whether what raised an alert said at an instant, and for a while before, that it is as bad as ever."""
    if alert.name == ALERT_NAME:
        results = world.services.results[alert.service, alert.labels["check"]]
        lately = [one for one in results if at - FAILING_FOR <= one.at <= at + ROUNDING]
        return len(lately) >= 2 and not any(one.ok for one in lately)
    return any(
        since <= at - RESEND - SLACK - _kept_from_hearing(told, since, at) and at < until
        for since, until in world.sender.spells[alert.name, alert.service]
    )


def _kept_from_hearing(told: Chronicle, since: float, until: float) -> float:
    """Seconds between two instants in which what is posted could not be taken in, or not be decided."""
    kept = 0.0
    for one in told.hindrances:
        # One that stood still has to get its watch back before it decides again.
        over = one.until + (BACK_WITHIN if one.until - one.since >= STALL else 0.0)
        if one.what in EARS and one.since < until and over > since:
            kept += max(0.0, min(over, until) - max(one.since, since))
    return kept


def _resolved_at(told: Chronicle, incident_id: str, latest: float) -> float | None:
    course = told.incidents.get(incident_id)
    if course is None:
        return None
    ends = [
        at
        for at, one in zip(course.times, course.values, strict=True)
        if one["status"] == "resolved" and at <= latest + ROUNDING
    ]
    return ends[0] if ends else None


def _by_hand(told: Chronicle, incident_id: str) -> bool:
    """A person said so, and that it is over is their word."""
    resolution = told.incidents[incident_id].values[-1]["resolution"] or ""
    return resolution.startswith(("by ", "closed by ")) or "merged" in resolution


def _alerts_of(told: Chronicle, incident_id: str, at: float) -> list[Alert]:
    """The alerts of an incident, without those of which a later episode fires in another one."""
    now = [alert for course in told.alerts.values() if (alert := course.at(at)) is not None]
    elsewhere = {one.fingerprint for one in now if one.status == "firing" and one.incident_id != incident_id}
    return [alert for alert in now if alert.incident_id == incident_id and alert.fingerprint not in elsewhere]


def _events_at(told: Chronicle) -> dict[float, list[float]]:
    """When what a check says at each decision was seen, which may be long before it could be decided."""
    found: dict[float, list[float]] = {}
    for at, event in told.events.values():
        if event.get("labels", {}).get("alertname") == ALERT_NAME:
            found.setdefault(at, []).append(instant(event["at"]))
    return found
