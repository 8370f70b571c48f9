"""Every critical alert is named to each receiver of its routes, in time, or there is a reason that is true."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from chronicle import Chronicle, Notice, wall

from forewatch.alerting.alert import Alert, at_least
from forewatch.alerting.routing import Route, routes_of
from forewatch.alerting.times import within
from forewatch.config.models import Config
from forewatch.incidents.deciding.dependencies import SPREADS

NAMED_WITHIN = 60.0
"""Seconds in which a receiver hears of a critical alert; what is no fault of the code does not count."""
SAMPLE = 1.0
ROUNDING = 0.001
"""Seconds: instants in records are whole microseconds, and decisions of one instant are kept apart by less."""
DIGEST_TAKES = 12.0
"""Seconds until what is said to be named has been tried to send."""
CHECKED_AGAIN_WITHIN = 30.0
"""Seconds after a dependency's recovery for which that is a reason."""


def unnamed(told: Chronicle) -> Iterator[str]:
    """Alerts that somebody should have heard of, and did not within `NAMED_WITHIN` seconds without a reason."""
    naming: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for notice in told.notices:
        for alert_id in notice.names:
            naming[alert_id, notice.notifier].append(notice.tried)
    for alert_id, course in told.alerts.items():
        for notifier, since in _receivers(told, alert_id).items():
            first = min(
                [
                    *naming[alert_id, notifier],
                    # Under whichever labels it went by: a new configuration gives it others.
                    *(
                        at
                        for mark in {value.fingerprint for value in course.values}
                        for at in told.direct[mark, notifier]
                    ),
                    told.now,
                ]
            )
            waited = _without_reason(told, alert_id, notifier, since, first)
            if waited > NAMED_WITHIN:
                yield (
                    f"{alert_id} ({_named(course.values[0])}) was not named to {notifier} for {waited:g} s "
                    f"without a reason, it fires since {since:.1f}"
                )


def last_word_is_resolved(told: Chronicle) -> Iterator[str]:
    """Receivers whose last word on an alert is RESOLVED though it fires, for no reason."""
    for alert_id, course in told.alerts.items():
        alert = course.values[-1]
        if alert.status != "firing":
            continue
        for notifier in _receivers(told, alert_id, told.now):
            last = _last_word(told, alert_id, notifier)
            if last is None or alert_id in last.names or not last.says_resolved:
                continue
            if told.now - last.decided > NAMED_WITHIN and not excuse(told, alert, notifier, told.now):
                yield f"{last.id}, RESOLVED, is the last word of {notifier} on {alert_id}, which fires"


def _last_word(told: Chronicle, alert_id: str, notifier: str) -> Notice | None:
    """The last that a receiver heard of an alert: its name, or the end of the incident it was named in."""
    last: Notice | None = None
    where: set[str] = set()
    own = [notice for notice in told.notices if notice.notifier == notifier]
    for notice in sorted(own, key=lambda notice: (notice.decided, notice.tried)):
        if alert_id in notice.names:
            then = told.alerts[alert_id].at(notice.decided + ROUNDING)
            own_incident = {str(then.incident_id)} if then is not None else set()
            last, where = notice, (own_incident & {*notice.incident_ids}) or {*notice.incident_ids}
        elif notice.kind == "resolved" and where & {*notice.incident_ids}:
            last = notice
    return last


def excuse(told: Chronicle, alert: Alert, notifier: str, at: float) -> str:
    """Why a receiver need not have heard of a firing alert at an instant; empty where it should have."""
    incident = told.incidents[str(alert.incident_id)].at(at)
    if incident is not None and incident["status"] == "resolved":
        return "called over by a person"  # that nobody else does so is another promise
    if told.hindered("the store", at) or told.hindered("page-people", at):
        return "hindered"
    if any(
        hold.notifier == notifier and alert.id in hold.names and hold.since <= at < hold.until for hold in told.holds
    ):
        return "held"
    config = told.configs.at(at)
    assert config is not None
    for reason in told.withheld[alert.id, ""].at(at) or ():
        if true_reason(told, config, alert, reason, notifier, at):
            return str(reason["kind"])
    routes = [route for route in _routes(config, alert) if notifier in route.notify]
    if routes and all(_mute(told, config, alert, route, at) for route in routes):
        return "mute"
    return ""


def true_reason(
    told: Chronicle, config: Config, alert: Alert, reason: dict[str, Any], notifier: str, at: float
) -> bool:
    """Whether what an alert is withheld for is so, by what the world and the records say."""
    by = reason["by"]
    match reason["kind"]:
        case "silence" | "maintenance":
            silence = told.silences[by].at(at)
            return silence is not None and silence["starts_at"] <= wall(at) <= silence["ends_at"]
        case "inhibition":
            source = told.alerts[by].at(at) if by in told.alerts else None
            return source is not None and source.status == "firing"
        case "dependency":
            return _failing_dependency(told, config, alert, by, at)
        case "flapping":
            since = told.flapping[by].at(at)
            return (
                since is not None and _told_of_flapping(told, by, notifier, since) and not _stays_down(told, alert, at)
            )
    return False


def _failing_dependency(told: Chronicle, config: Config, alert: Alert, by: str, at: float) -> bool:
    """It fails now, as badly and in a way that spreads, and somebody hears of it; or it has just recovered."""
    cause = told.alerts[by].at(at) if by in told.alerts else None
    if cause is None or cause.service not in depends_on(config, alert.service) or cause.classification not in SPREADS:
        return False
    if cause.status != "firing":
        ended = next(time for time, one in _steps(told, by) if one.status != "firing")
        return at - ended <= CHECKED_AGAIN_WITHIN
    if not at_least(cause.severity, alert.severity):
        return False
    named = any(by in notice.names and notice.tried <= at + DIGEST_TAKES for notice in told.notices)
    held = any(by in hold.names and hold.since <= at < hold.until for hold in told.holds)
    mark = told.alerts[by].values[0].fingerprint
    directly = any(of == mark and min(times) <= at + DIGEST_TAKES for (of, _), times in told.direct.items() if times)
    return named or held or directly or _explained(told, config, cause, at)


def _explained(told: Chronicle, config: Config, cause: Alert, at: float) -> bool:
    """Nobody hears of a cause that has a failing cause of its own, of which somebody does."""
    reasons = told.withheld[cause.id, ""].at(at) or ()
    return any(
        reason["kind"] == "dependency" and _failing_dependency(told, config, cause, reason["by"], at)
        for reason in reasons
    )


def depends_on(config: Config, service: str) -> set[str]:
    """The services one stands on, any steps away."""
    needs = {one.name: one.depends_on for one in config.services}
    found: set[str] = set()
    new = {*needs.get(service, ())}
    while new:
        found |= new
        new = {more for one in new for more in needs.get(one, ())} - found
    return found - {service}


def _told_of_flapping(told: Chronicle, mark: str, notifier: str, since: float) -> bool:
    """The receiver has heard of the alert since it flaps, or does so with the news that it does."""
    return any(
        notice.notifier == notifier and notice.decided >= since - DIGEST_TAKES and _names_mark(told, notice, mark)
        for notice in told.notices
    )


def _names_mark(told: Chronicle, notice: Notice, mark: str) -> bool:
    return any(told.alerts[one].values[0].fingerprint == mark for one in notice.names if one in told.alerts)


def _stays_down(told: Chronicle, alert: Alert, at: float) -> bool:
    """It has fired so long that it pages again though it flaps."""
    config = told.configs.at(at)
    down = getattr(config.flapping, "down", None) if config is not None else None
    return down is not None and at - told.alerts[alert.id].times[0] > down + DIGEST_TAKES


def _mute(told: Chronicle, config: Config, alert: Alert, route: Route, at: float) -> bool:
    named = {times.name: times for times in config.times}
    return any(within(named[name], wall(at)) for name in route.mute)


def _receivers(told: Chronicle, alert_id: str, at: float | None = None) -> dict[str, float]:
    """Who is to hear of an alert, and since when; at one instant, or at any time at which it fires critically."""
    found: dict[str, float] = {}
    course = told.alerts[alert_id]
    instants = course.times + [time for time in told.configs.times if time > course.times[0]] if at is None else [at]
    for time in sorted(instants):
        alert, config = course.at(time), told.configs.at(time)
        if alert is None or config is None or alert.status != "firing" or alert.severity != "critical":
            continue
        for route in _routes(config, alert):
            for notifier in route.notify:
                found.setdefault(notifier, time)
    return found


def _routes(config: Config, alert: Alert) -> list[Route]:
    return [route for route in routes_of(config, alert) if route.group_by is None]


def _without_reason(told: Chronicle, alert_id: str, notifier: str, since: float, until: float) -> float:
    """Seconds in which the alert fired, the receiver was to hear of it and had not, and there was no reason."""
    waited = 0.0
    at = since
    while at < until and waited <= NAMED_WITHIN:
        alert = told.alerts[alert_id].at(at)
        if alert is None or alert.status != "firing":
            break
        config = told.configs.at(at)
        assert config is not None
        routed = any(notifier in route.notify for route in _routes(config, alert))
        if routed and alert.severity == "critical" and not excuse(told, alert, notifier, at):
            waited += SAMPLE
        at += SAMPLE
    return waited


def _steps(told: Chronicle, alert_id: str) -> list[tuple[float, Alert]]:
    course = told.alerts[alert_id]
    return list(zip(course.times, course.values, strict=True))


def _named(alert: Alert) -> str:
    return " ".join(filter(None, (alert.name, alert.service, alert.labels.get("check"))))
