"""What people are told: the content of notifications, in two to four plain sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from forewatch.alerting.alert import SEVERITIES, Alert, Severity, worst
from forewatch.alerting.failures import DOWN, PAST, headline_of
from forewatch.clock import iso, seconds
from forewatch.incidents.incident import Incident
from forewatch.incidents.outcome import Letter
from forewatch.units import format_duration

INSTANTS = 10**15
"""Whole numbers beyond this are instants in microseconds (2001 and later); nothing we count comes near it."""

Content = dict[str, Any]
"""`title`, `text`, `severity`, `service`, `incident_id`, `alert` (`labels`, `annotations`, `classification`), `reason`,
`runbook`; of a group of alerts more, see `of_group`."""


def sentence(text: str) -> str:
    """The text with a full stop. Its first letter stays as it is: it may be a name."""
    text = text.strip()
    return text if not text or text[-1] in ".!?" else f"{text}."


def joined(*texts: str) -> str:
    """Sentences in a row, empty ones left out."""
    return " ".join(filter(None, map(sentence, texts)))


def summary(alert: Alert) -> str:
    """What is wrong, in a line: the alert's own summary, else its name and service."""
    return alert.annotations.get("summary") or f"{alert.name or 'an alert without a name'} on {alert.service}"


def summaries(alerts: Sequence[Alert]) -> str:
    """What is wrong, of the first of several alerts, and how many more there are."""
    more = f" and {len(alerts) - MOST_LINES:,} more" if len(alerts) > MOST_LINES else ""
    return "; ".join(map(summary, alerts[:MOST_LINES])) + more


def named(alert: Alert) -> str:
    """`AL-7 (DiskFilling)`."""
    return f"{alert.id} ({alert.name})" if alert.name else alert.id


def content(
    *,
    title: str,
    text: str,
    severity: str,
    service: str | None,
    reason: str,
    incident_id: str | None = None,
    alert: Alert | None = None,
    runbook: str | None = None,
) -> Content:
    """The content of a notification, every key always there."""
    about = (
        {
            "labels": dict(alert.labels),
            "annotations": dict(alert.annotations),
            "classification": alert.classification,
        }
        if alert is not None
        else None
    )
    return {
        "title": title,
        "text": text,
        "severity": severity,
        "service": service,
        "incident_id": incident_id,
        "alert": about,
        "reason": reason,
        "runbook": runbook,
    }


def trouble(alert: Alert, incident_id: str, values: Mapping[str, Any], automation: str, runbook: str | None) -> Content:
    """A page or report of an alert: what is wrong is its title, what is being done about it its text."""
    said = content(
        title=summary(alert),
        text=joined(alert.annotations.get("description", ""), automation),
        severity=alert.severity,
        service=alert.service,
        reason=automation,
        incident_id=incident_id,
        alert=alert,
        runbook=runbook,
    )
    return {**said, "since": iso(alert.starts_at)}


def too(said: Content, services: int) -> Content:
    """The content for receivers who know of the incident: `cache is down too: refused by 127.0.0.1:6391 (3 services
    now)`."""
    title = str(said["title"])
    failure = headline_of(str(said["service"]), title)
    if failure in DOWN:
        # Behind the words that say so, before what was seen.
        head, colon, tail = title.partition(":")
        title = f"{head} {'either' if failure == 'time-out' else 'too'}{colon}{tail}"
    return {**said, "title": f"{title} ({services} services now)" if services > 1 else title}


RESOLVED = "resolved"
"""How an incident ends whose alerts all say that they are over."""
HELD = "held"
"""The key of a content that waits for a remedy, until a decision releases it."""
NOT_YOURS = "no longer yours"
"""How an alert ends for a receiver to whom no route leads any more."""
BY_ITSELF = "recovered by itself"
TOGETHER = 30.0
"""Seconds within which recoveries share one message."""
MOST_LINES = 5
"""Lines of a digest, and names in its title."""
MOST_SHOWN = 100
"""Alerts a notice of a group shows; how many more there are it says."""
MOST_SAID = 10
"""Alerts its text speaks of."""
_SENT_FOR = {"new alerts added": "New alerts added.", "repeat interval elapsed": "Still firing, so it is sent again."}
"""What is said of the reasons of a notice that its title does not tell."""


def of_group(
    key: str,
    labels: Mapping[str, str],
    reason: str,
    firing: Sequence[Alert],
    resolved: Sequence[Alert],
) -> Content:
    """A notice of a group of alerts, with what Alertmanager's webhook says of one (version 4)."""
    alerts = [*firing, *resolved]
    shown = alerts[:MOST_SHOWN]
    services = {alert.service for alert in alerts}
    incidents = list(dict.fromkeys(alert.incident_id for alert in alerts))
    classifications = {alert.classification for alert in alerts}
    shared = common(alert.labels for alert in alerts)
    endings = {alert.ended or RESOLVED for alert in resolved}
    return {
        "title": _group_title(labels, firing, resolved),
        "text": _group_text(reason, firing, resolved),
        "severity": worst([alert.severity for alert in firing or resolved]),
        "service": next(iter(services)) if len(services) == 1 else None,
        "incident_id": incidents[0] if len(incidents) == 1 else None,
        "incidents": [one for one in incidents if one is not None],
        "since": iso(firing[0].starts_at) if len(alerts) == len(firing) == 1 else None,
        "ended": None if firing else endings.pop() if len(endings) == 1 else "over",
        "alert": {
            "labels": shared,
            "annotations": {},
            "classification": next(iter(classifications)) if len(classifications) == 1 else None,
        },
        "reason": reason,
        "runbook": None,
        "status": "firing" if firing else "resolved",
        "group_key": key,
        "group_labels": dict(labels),
        "common_labels": shared,
        "common_annotations": common(alert.annotations for alert in alerts),
        "truncated_alerts": len(alerts) - len(shown),
        "alerts": [shown_alert(alert) for alert in shown],
    }


def _group_title(labels: Mapping[str, str], firing: Sequence[Alert], resolved: Sequence[Alert]) -> str:
    """`2 alerts fire, 1 is resolved: HighLatency (service shop)`; of one alone its own headline, or its recovery."""
    alerts = [*firing, *resolved]
    if len(alerts) == 1:
        return summary(firing[0]) if firing else _end_of(resolved[0])
    names = list(dict.fromkeys(alert.name or "without a name" for alert in alerts))
    what = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    where = ", ".join(f"{name} {value}" for name, value in sorted(labels.items()) if name != "alertname")
    over = "over" if any(alert.ended for alert in resolved) else "resolved"
    if not firing:
        counted = f"{len(resolved)} alerts are {over}"
    else:
        counted = "1 alert fires" if len(firing) == 1 else f"{len(firing)} alerts fire"
        if resolved:
            counted += f", {len(resolved)} {'is' if len(resolved) == 1 else 'are'} {over}"
    return f"{counted}: {what}{f' ({where})' if where else ''}"


def _group_text(reason: str, firing: Sequence[Alert], resolved: Sequence[Alert]) -> str:
    """Why it is told, where its title does not say so, then a line for each of the first alerts, the worst and newest
    before others. Of one alone the title says what it is."""
    why = _SENT_FOR.get(reason, "")
    newest = sorted(firing, key=lambda alert: (-SEVERITIES.index(alert.severity), -alert.starts_at))
    alerts = [*newest, *resolved]
    if len(alerts) == 1:
        return joined(why, alerts[0].annotations.get("description", "") if firing else "")
    lines = [why] if why else []
    lines += [_group_line(alert) for alert in alerts[:MOST_SAID]]
    if len(alerts) > MOST_SAID:
        lines.append(f"and {len(alerts) - MOST_SAID:,} more")
    return "\n".join(lines)


def _group_line(alert: Alert) -> str:
    """`CRITICAL web-2 is down (INC-2, since 16:49:01 UTC)`, `RESOLVED web-2 is back after 1m (INC-2)`."""
    fires = alert.status == "firing"
    word = alert.severity.upper() if fires else "ENDED" if alert.ended else "RESOLVED"
    aside = ", ".join(filter(None, [alert.incident_id, f"since {iso(alert.starts_at)[11:19]} UTC" if fires else ""]))
    return f"{word} {summary(alert) if fires else _end_of(alert)}" + (f" ({aside})" if aside else "")


def _end_of(alert: Alert) -> str:
    """The end of one alert of a group."""
    if alert.ended:
        return f"{summary(alert)}: {alert.ended}"
    return _recovery(alert.service, summary(alert), span(alert.starts_at, alert.ends_at or alert.starts_at))


def shown_alert(alert: Alert) -> dict[str, Any]:
    """An alert as part of a notice's content."""
    return {
        "id": alert.id,
        "incident_id": alert.incident_id,
        "name": alert.name,
        "status": alert.status,
        "severity": alert.severity,
        "service": alert.service,
        "classification": alert.classification,
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "starts_at": iso(alert.starts_at),
        "ends_at": iso(alert.ends_at) if alert.ends_at is not None else None,
        "generator_url": alert.generator_url,
        "fingerprint": alert.fingerprint,
    }


def common(many: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """What all of them say alike."""
    shared: dict[str, str] | None = None
    for one in many:
        shared = dict(one) if shared is None else {key: it for key, it in shared.items() if one.get(key) == it}
    return shared or {}


def of_incident(
    incident: Incident, title: str, reason: str, *, alert: Alert | None = None, runbook: str | None = None
) -> Content:
    """A failure, a recovery or a report of what happened on an incident."""
    said = content(
        title=title,
        text=sentence(reason),
        severity=incident.severity,
        service=incident.service,
        reason=reason,
        incident_id=incident.id,
        alert=alert,
        runbook=runbook,
    )
    return {**said, "since": iso(incident.opened_at) if incident.open else None}


def trying(runbook: object, run_id: str | None) -> str:
    """What is said while a run is at work."""
    return f"{runbook} is trying to fix it ({run_id})."


def released(page: Mapping[str, Any], because: str, run_id: str | None, echoes: Sequence[str] = ()) -> Content:
    """The content of a page held for a run that goes out after all: it says why, in place of what was waited for, and
    which services (`echoes`) fail because this one does and are not told of by themselves."""
    if not because:
        return dict(page)
    text = str(page.get("text", "")).replace(trying(page.get("runbook"), run_id), "").strip()
    return {**page, "text": joined(text, because, _fail_too(echoes)), "reason": because}


def _fail_too(services: Sequence[str]) -> str:
    """`app and website, which depend on it, fail too`."""
    if not services:
        return ""
    if len(services) > MOST_LINES:
        return f"{len(services):,} services that depend on it fail too"
    if len(services) == 1:
        return f"{services[0]}, which depends on it, fails too"
    return f"{_list_of(services)}, which depend on it, fail too"


def over(
    incident: Incident, how: str, ended: str, lasted: str, others: Sequence[str] = (), unwatched: Sequence[Alert] = ()
) -> Content:
    """The end of an incident. `how`: who or what ended it, as a clause; `ended`: `resolved`, or in which way it is over
    though what raised it did not say so; `lasted`: how long its service was in trouble; `others`: services that were
    in trouble with it; `unwatched`: alerts that ended with it only because nobody looks any more."""
    known = ""
    if ended != RESOLVED:
        title = f"{incident.title}: {ended}"
        if incident.title.startswith(f"{incident.service} "):
            title, known = f"{incident.service}: {ended}", f"Last known: {incident.title}"
            unwatched = [alert for alert in unwatched if summary(alert) != incident.title]
    else:
        title = _recovery(incident.service, incident.title, lasted, others)
    said = of_incident(incident, title if how == BY_ITSELF or ended != RESOLVED else f"{title}: {how}", how)
    text = joined(known, *(f"{summary(alert)}: {alert.ended}" for alert in unwatched[:MOST_LINES]))
    return {**said, "text": text, "ended": ended}


def partly_over(
    incident: Incident, service: str, title: str, lasted: str, others: Sequence[str], *, update: bool
) -> Content:
    """Some services of an incident are well again, and it goes on."""
    return _part_of(incident, service, _recovery(service, title, lasted, others), RESOLVED, update=update)


def unwatched(incident: Incident, alert: Alert, *, update: bool) -> Content:
    """An alert of an incident that goes on is over, though what raised it did not say so."""
    return _part_of(incident, alert.service, f"{summary(alert)}: {alert.ended}", alert.ended, update=update)


def _part_of(incident: Incident, service: str, title: str, ended: str, *, update: bool) -> Content:
    """The end of a part of an incident; an `update` to who has to do with the rest of it."""
    text = f"{incident.id} stays open: {sentence(incident.title)}"
    about = {"service": service, "text": text, "reason": text, "since": None, "update": update}
    return {**of_incident(incident, title, ""), **about} | ({} if update else {"ended": ended})


def _recovery(service: str, title: str, lasted: str, others: Sequence[str] = ()) -> str:
    """`db is back after 12s, and so are app and website`; of trouble that no check has found what was said of it."""
    failure = headline_of(service, title)
    if failure is None:
        headline = f"{title}: over"
    else:
        headline = f"{service} {'is back' if failure in DOWN else 'is back to normal'}"
    return f"{headline} after {lasted}{_so_are(others)}"


def brought_up_to_date(page: Content, alert: Alert, services: int) -> Content:
    """The content of a page that waited, with what is wrong now: it may fail otherwise, fewer `services` with it."""
    about = page.get("alert") or {}
    now = {**page, "title": summary(alert), "alert": {**about, "annotations": dict(alert.annotations)}}
    return too(now, services) if page.get("update") else now


def fixed(incident: Incident, how: str, lasted: str) -> Content:
    """The end of an incident nobody had to be paged of."""
    said = of_incident(incident, f"{_was(incident.service, incident.title, lasted)}: {how}", how)
    return {**said, "text": "", "ended": RESOLVED, "fixed": True}


def was_down(alert: Alert, page: Mapping[str, Any]) -> Content:
    """The content of a page that had not left when the trouble was over."""
    title = _was(alert.service, summary(alert), span(alert.starts_at, alert.ends_at or alert.starts_at))
    return {
        **page,
        "title": title,
        "text": "",
        "since": None,
        "reason": "It was over before this left.",
        "passed": True,
    }


def _was(service: str, title: str, lasted: str) -> str:
    """`app was down for 4s`; of trouble that no check has found what was said of it."""
    failure = headline_of(service, title)
    return f"{title}: over after {lasted}" if failure is None else f"{service} {PAST[failure]} for {lasted}"


def _so_are(services: Sequence[str]) -> str:
    """`, and so are app and website`."""
    if not services:
        return ""
    if len(services) > MOST_LINES:
        return f", and so are {len(services):,} more services"
    return f", and so {'is' if len(services) == 1 else 'are'} {_list_of(services)}"


def _list_of(names: Sequence[str]) -> str:
    """`app, db and website`."""
    *first, last = names
    return " and ".join(filter(None, (", ".join(first), last)))


def severity_of(severity: str) -> Severity:
    """As one of the three. One we do not know might be the worst, so it counts as that."""
    return next((one for one in SEVERITIES if one == severity), "critical")


def of_digest(
    letters: Sequence[Letter], kind: str, severity: Severity, incidents: Sequence[str], firing: Sequence[Alert]
) -> Content:
    """Several letters to one receiver as one: how many, the worst five, what is over. It is of an incident where all of
    them are, else of none."""
    troubles = [letter for letter in letters if letter.kind != "resolved"]
    ends = [letter for letter in letters if letter.kind == "resolved"]
    worst_first = sorted(troubles, key=lambda letter: -SEVERITIES.index(severity_of(letter.severity)))
    title = _digest_title(worst_first, ends)
    if len(troubles) == 1:  # the title says what it is
        title += f" ({troubles[0].incident_id})" if len(incidents) > 1 else ""
        lines = list(filter(None, [str(troubles[0].content["text"])]))
    else:
        lines = [_digest_line(letter) for letter in worst_first[:MOST_LINES]]
    if len(troubles) > MOST_LINES:
        lines.append(f"and {len(troubles) - MOST_LINES:,} more")
    lines += [_digest_line(letter) for letter in ends[:MOST_LINES]]
    if len(ends) > MOST_LINES:
        lines.append(f"and {len(ends) - MOST_LINES:,} more are over")
    services = list(dict.fromkeys(letter.content["service"] for letter in letters))
    said = content(
        title=title,
        text="\n".join(lines),
        severity=severity,
        service=services[0] if len(services) == 1 else None,
        reason=f"{len(letters)} messages that were due at the same time.",
        incident_id=incidents[0] if len(incidents) == 1 else None,
    )
    more: Content = {
        "incidents": list(incidents),
        "update": all(letter.content.get("update", False) for letter in troubles) if troubles else False,
        "alerts": [shown_alert(alert) for alert in firing],
        "truncated_alerts": max(0, sum(len(letter.named) for letter in letters) - len(firing)),
    }
    if not troubles:
        words = {one.content.get("ended") for one in ends}
        more["ended"] = words.pop() if words in ({RESOLVED}, {NOT_YOURS}) else "over"
    return {**said, **more}


def _digest_title(troubles: Sequence[Letter], ends: Sequence[Letter]) -> str:
    if len(troubles) == 1:
        return str(troubles[0].content["title"])
    over = [letter for letter in ends if letter.content.get("ended") != NOT_YOURS]
    told = troubles or over or ends
    services = list(dict.fromkeys(str(letter.content["service"]) for letter in told))
    names = ", ".join(services[:MOST_LINES]) + (
        f" and {len(services) - MOST_LINES:,} more" if len(services) > MOST_LINES else ""
    )
    one = len(services) == 1
    if troubles and all(letter.content.get("passed") for letter in troubles):
        return f"{names}: {len(told)} problems, over" if one else f"{len(services):,} services had problems: {names}"
    if troubles:
        return f"{names}: {len(told)} problems" if one else f"{len(services):,} services have problems: {names}"
    if not over:
        return f"{names}: {len(told)} alerts are {NOT_YOURS}"
    return f"{names}: {_count(over)} over" if one else f"{len(services):,} services are back: {names}"


def _count(ends: Sequence[Letter]) -> str:
    return f"{len(ends)} incidents are" if len(ends) > 1 else "an incident is"


def _digest_line(letter: Letter) -> str:
    where = f" ({letter.incident_id})" if letter.incident_id is not None else ""
    word = str(letter.content.get("ended", RESOLVED)) if letter.kind == "resolved" else letter.severity
    return f"{'OVER' if letter.content.get('passed') else word.upper()} {letter.content['title']}{where}"


def span(start: int, end: int) -> str:
    """How long from one instant to another, as people say it."""
    return format_duration(float(round(max(0.0, seconds(end - start)), 0 if end - start >= 10_000_000 else 1)))


def measured(values: Mapping[str, Any]) -> str:
    """The numbers a detector saw, in brackets: `(value 0.93, threshold 0.9)`; nothing where it gave none.

    What it said in words is in the summary already.
    """
    seen = [f"{name} {number(value)}" for name, value in values.items() if isinstance(value, (int, float))]
    return f"({', '.join(seen)})" if seen else ""


def number(value: object) -> str:
    """A measured value as a person reads it: four significant digits of a fraction, an instant as its time, anything
    else as it is."""
    if isinstance(value, int) and value > INSTANTS:
        return iso(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
