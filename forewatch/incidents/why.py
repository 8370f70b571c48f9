"""Why: the chain of decisions behind an alert, an incident, a notification or a run, in plain sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from forewatch.alerting.alert import Alert
from forewatch.alerting.notification import Notification
from forewatch.clock import iso, seconds
from forewatch.incidents import telling
from forewatch.incidents.incident import Incident
from forewatch.incidents.outcome import Reason
from forewatch.remedy.run import Run
from forewatch.units import format_duration

Subject = Alert | Incident | Notification | Run


@dataclass(frozen=True)
class Decided:
    """One stored decision with what it was taken upon. `seq` and `config_version` are what a replay needs."""

    at: int
    seq: int
    config_version: int
    event: dict[str, Any]
    """As `Event.as_json` wrote it."""
    reasons: Sequence[Reason]


def explain(subject: Subject, decisions: Iterable[Decided]) -> list[str]:
    """What it is now, then each decision about it: a line for what happened, an indented one for each reason.

    A decision that only repeats the one before (an alert that still fires) is counted instead of told again.
    """
    lines = [describe(subject)]
    told: list[str] = []
    repeated = 0
    for decision in decisions:
        reasons = _about(subject.id, decision)
        if reasons == told:
            repeated += 1
            continue
        lines += _repeated(repeated)
        told, repeated = reasons, 0
        where = f"observation {decision.seq}, configuration {decision.config_version}"
        lines.append(f"{iso(decision.at)}  {happening(decision.event)} ({where})")
        lines += [f"  {reason}" for reason in reasons]
    return lines + _repeated(repeated)


def describe(subject: Subject) -> str:
    """What the subject is and how it stands, in one sentence."""
    match subject:
        case Alert():
            end = f", over since {iso(subject.ends_at)}" if subject.ends_at is not None else ""
            return telling.sentence(
                f"{subject.id} ({subject.severity}, {subject.incident_id}) is {subject.status}: "
                f"{telling.summary(subject)}, since {iso(subject.starts_at)}{end}"
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
            return telling.joined(
                f"{subject.id} ({subject.runbook}) for {subject.service or 'no service'}, asked for by "
                f"{subject.requested_by} {iso(subject.created_at)}, is {subject.state}{end}",
                subject.outcome or "",
            )


def happening(event: dict[str, Any]) -> str:
    """What was decided upon, as a person would say it."""
    match event:
        case {"type": "AlertRaised", "labels": labels, "values": values}:
            return f"{labels.get('alertname', 'An alert')} was raised {telling.measured(values)}".rstrip()
        case {"type": "AlertCleared", "labels": labels}:
            return f"{labels.get('alertname', 'An alert')} was cleared"
        case {"type": "RunStarting", "run_id": run_id}:
            return f"{run_id} asked whether it may act"
        case {"type": "RunActed", "run_id": run_id}:
            return f"{run_id} reported that it acted"
        case {"type": "RunFailed", "run_id": run_id, "cancelled": cancelled}:
            return f"{run_id} {'was cancelled' if cancelled else 'failed'}"
        case {"type": "TimerDue", "kind": kind, "subject": subject}:
            return f"The {kind} timer of {subject} ran out"
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
