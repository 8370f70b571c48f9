"""Why: the chain of decisions behind an alert, incident, notification, run, silence or group, in plain sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from forewatch.alerting.alert import Alert
from forewatch.alerting.group import Group
from forewatch.alerting.notification import Notification
from forewatch.alerting.silence import Silence
from forewatch.alerting.suppression import Withheld
from forewatch.clock import iso, seconds
from forewatch.incidents import wording
from forewatch.incidents.incident import Incident
from forewatch.incidents.outcome import Reason
from forewatch.remedy.run import Run
from forewatch.units import format_duration


@dataclass(frozen=True)
class Gone:
    """An empty group, or what retention has deleted: of it there is left what was decided."""

    id: str


Subject = Alert | Incident | Notification | Run | Silence | Group | Gone

_TIMERS = {
    "group": "The group {} was due",
    "review": "It was time to look again at {}",
    "recheck": "It was time to look again at {}",
    "reroute": "The routes of {} have changed since it fired",
    "flap-down": "It was time to see whether the flapping {} stays down",
    "hold": "The hold of pages of {} was over",
    "digest": "It was time to send {} what was waiting",
    "remedy": "It was time to ask the remedy of {} again",
    "calm": "The flapping alert {} may have calmed down",
    "silence-start": "The silence {} began",
    "silence-warning": "The silence {} was about to end",
    "silence-end": "The silence {} ended",
}


@dataclass(frozen=True)
class Decided:
    """One stored decision with what it was taken upon. `seq` and `config_version` are what a replay needs."""

    at: int
    seq: int
    config_version: int
    event: dict[str, Any]
    """As `Event.as_json` wrote it."""
    reasons: Sequence[Reason]


def explain(subject: Subject, decisions: Iterable[Decided], present: Iterable[str] = ()) -> list[str]:
    """What it is now, then each decision about it: a line for what happened, an indented one for each reason.

    A decision that only repeats the one before (an alert that still fires) is counted instead of told again.
    `present` are further sentences about how it stands.
    """
    lines = [describe(subject), *present]
    told: list[str] = []
    repeated = 0
    for decision in decisions:
        reasons = _about(id_of(subject), decision)
        if reasons == told:
            repeated += 1
            continue
        lines += _repeated(repeated)
        told, repeated = reasons, 0
        where = f"observation {decision.seq}, configuration {decision.config_version}"
        lines.append(f"{iso(decision.at)}  {happening(decision.event)} ({where})")
        lines += [f"  {reason}" for reason in reasons]
    return lines + _repeated(repeated)


def id_of(subject: Subject) -> str:
    """What decisions about it are found under."""
    return subject.key if isinstance(subject, Group) else subject.id


def describe(subject: Subject) -> str:
    """What the subject is and how it stands, in one sentence."""
    match subject:
        case Alert():
            end = f", over since {iso(subject.ends_at)}" if subject.ends_at is not None else ""
            return wording.sentence(
                f"{subject.id} ({subject.severity}, {subject.incident_id}) is {subject.status}: "
                f"{wording.summary(subject)}, since {iso(subject.starts_at)}{end}"
            )
        case Incident():
            end = f": {subject.resolution}" if subject.resolution else ""
            return (
                f"{subject.id} ({subject.severity}, {subject.service}) is {subject.status}{end}. "
                f"It opened {iso(subject.opened_at)}: {subject.title}."
            )
        case Notification():
            return f"{subject.id} is a {subject.kind} ({subject.severity}) to {subject.notifier}, {_delivery(subject)}."
        case Run():
            end = f", {subject.verified}" if subject.verified else ""
            return wording.joined(
                f"{subject.id} ({subject.runbook}) for {subject.service or 'no service'}, asked for by "
                f"{subject.requested_by} {iso(subject.created_at)}, is {subject.state}{end}",
                subject.outcome or "",
            )
        case Silence():
            what = "is planned maintenance" if subject.kind == "maintenance" else "silences"
            shown = ", ".join(map(str, subject.matchers))
            return wording.sentence(
                f"{subject.id} {what}{':' if subject.kind == 'maintenance' else ''} {shown} from "
                f"{iso(subject.starts_at)} to {iso(subject.ends_at)}, set by {subject.created_by}: {subject.comment}"
            )
        case Gone():
            return f"There is no {subject.id} any more, but decisions about it are kept."
        case Group():
            told = f", its last was {iso(subject.flushed_at)}" if subject.flushed_at is not None else ""
            return (
                f"{subject.key} has been a group of {subject.route} since {iso(subject.created_at)}. "
                f"Its next tick is {iso(subject.next_at)}{told}."
            )


def standing(alert: Alert, withheld: Sequence[Withheld], groups: Sequence[Group]) -> list[str]:
    """How it stands with telling people of an alert: on which routes nobody is, since when and why, and its groups."""
    lines = []
    for one in withheld:
        where = f" on {one.route}" if one.route else ""
        why = "; ".join(reason.text for reason in one.reasons)
        ends = [reason.until for reason in one.reasons if reason.until is not None]
        again = f" It is looked at again {iso(min(ends))}." if ends else ""
        lines.append(wording.sentence(f"Nobody{where} has been notified of it since {iso(one.since)}: {why}") + again)
    for group in groups:
        told = f"last told {iso(group.flushed_at)}" if group.flushed_at is not None else "not told yet"
        lines.append(f"It is in the group {group.key} of {group.route}, {told}, next tick {iso(group.next_at)}.")
    return lines


def hiding(silence: Silence, alerts: Sequence[Alert], incidents: Sequence[str]) -> list[str]:
    """What a silence hides now, and the incidents it has hidden alerts of."""
    firing = [wording.named(alert) for alert in alerts if alert.status == "firing"]
    lines = [f"It hides {', '.join(firing)}." if firing else "It hides nothing that fires."]
    return [*lines, f"Over its life it hid alerts of {', '.join(incidents)}."] if incidents else lines


def happening(event: dict[str, Any]) -> str:
    """What happened, as a person would say it."""
    match event:
        case {"type": "AlertRaised", "labels": labels, "values": values}:
            asked = _asked(values)
            seen = wording.measured({**values, "window": None} if asked else values)
            return " ".join(filter(None, (f"{labels.get('alertname', 'An alert')} was raised", asked, seen)))
        case {"type": "AlertCleared", "labels": labels}:
            return f"{labels.get('alertname', 'An alert')} was cleared"
        case {"type": "RunStarting", "run_id": run_id}:
            return f"{run_id} asked whether it may act"
        case {"type": "RunActed", "run_id": run_id}:
            return f"{run_id} reported that it acted"
        case {"type": "RunFailed", "run_id": run_id, "cancelled": cancelled}:
            return f"{run_id} {'was cancelled' if cancelled else 'failed'}"
        case {"type": "AlertsRefreshed", "untils": untils}:
            return f"{len(untils)} firing alerts were reported again" if len(untils) != 1 else "It was reported again"
        case {"type": "AlertTimedOut", "fingerprint": mark}:
            return f"{mark} was not repeated before its end"
        case {"type": "AlertAcknowledged", "actor": actor, "identity": identity}:
            return f"{actor} acknowledged {identity.get('alertname', 'the alert')} where it came from"
        case {"type": "ChangeReported", "sender": sender, "summary": summary}:
            return f"{sender or 'Somebody'} reported a change: {summary}"
        case {"type": "SilenceSet", "actor": actor, "replaces": replaced}:
            return f"{actor} set a silence" + (f" in the place of {replaced}" if replaced else "")
        case {"type": "SilenceExpired", "actor": actor, "silence_id": silence}:
            return f"{actor} ended the silence {silence}"
        case {"type": "IncidentsMerged", "actor": actor, "incident_id": into, "merged": merged}:
            return f"{actor} merged {merged} into {into}"
        case {"type": "IncidentSplit", "actor": actor, "incident_id": incident, "alert_ids": alert_ids}:
            return f"{actor} split {', '.join(alert_ids)} off {incident}"
        case {"type": "AutomationResumed", "actor": actor}:
            return f"{actor} let automation act again"
        case {"type": "RemediesChanged", "version": version}:
            return f"Configuration {version} came into force with other remedies"
        case {"type": "RoutesChanged", "version": version}:
            return f"Configuration {version} came into force with other routes"
        case {"type": "ShadowRehearsed", "runbook": runbook}:
            return f"It was looked at whether {runbook} could have run"
        case {"type": "TimerDue", "kind": kind, "subject": subject}:
            return _TIMERS.get(kind, f"The {kind} timer of {{}} ran out").format(subject)
        case {"type": "HoldOver", "incident_id": incident}:
            return f"Pages of {incident} were about to leave, held beyond their time"
        case {"type": "Undelivered", "notification_id": notification_id}:
            return f"{notification_id} was given up"
        case {"type": "Acknowledged", "actor": actor}:
            return f"{actor} acknowledged"
        case {"type": "ResolvedByHand", "actor": actor}:
            return f"{actor} resolved by hand"
        case {"type": "Noted", "actor": actor}:
            return f"{actor} wrote a note"
        case {"type": "RunRequested", "actor": actor, "runbook": runbook}:
            return f"{actor} asked for {runbook}"
        case _:
            return f"{event.get('type', 'Something')} happened"


def _asked(values: dict[str, Any]) -> str:
    """What a rule looks at: `by system.filesystem.utilization, max over 5m`; nothing of other alerts."""
    match values:
        case {"metric": metric, "statistic": statistic, "window": (int() | float()) as window}:
            what = f"{metric} / {values['per']}" if "per" in values else f"{metric}, {statistic}"
            return f"by {what} over {format_duration(float(window))}"
        case _:
            return ""


def _about(subject: str, decision: Decided) -> list[str]:
    """The reasons that speak of the subject; all of them where none names it, for then they are what touched it."""
    named = [reason.text for reason in decision.reasons if subject in reason.subjects]
    return named or [reason.text for reason in decision.reasons]


def _repeated(times: int) -> list[str]:
    if not times:
        return []
    return ["  (and once more)" if times == 1 else f"  (and {times} times more)"]


def _delivery(notification: Notification) -> str:
    error = f" (last error: {notification.last_error})" if notification.last_error else ""
    match notification.state:
        case "sent":
            took = seconds((notification.sent_at or notification.created_at) - notification.created_at)
            return f"sent {format_duration(max(0.0, took))} after it was written"
        case "held":
            return f"held until {iso(notification.not_before)} unless a remedy heals it first"
        case "dead":
            return f"given up after {notification.attempts} attempts{error}"
        case "failed":
            return f"to be tried again {iso(notification.not_before)} after {notification.attempts} attempts{error}"
        case _:
            return f"on its way since {iso(notification.not_before)}{error}"
