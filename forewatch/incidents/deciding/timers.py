"""A timer ran out: of a run, a refused remedy, a notification group, a withheld alert, a flapping one, or a silence.

A timer that has become pointless is recorded and nothing else: it must never hold up the ones behind it.
"""

from __future__ import annotations

from forewatch.incidents.deciding.alert_response import reroute, review
from forewatch.incidents.deciding.alerts import calm_due, flapping_stays_down
from forewatch.incidents.deciding.automation import (
    START_WITHIN,
    end_before_acting,
    end_healed,
    end_not_healed,
    release_unattended,
    unhealed,
)
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.deciding.groups import group_due
from forewatch.incidents.deciding.paging import release, tell_of_failed_run, tell_of_failure
from forewatch.incidents.deciding.partial_recovery import tell_what_is_over
from forewatch.incidents.deciding.remedy_retry import ask_again
from forewatch.incidents.deciding.sending import digest_due, hold_due
from forewatch.incidents.deciding.silencing import silence_due
from forewatch.incidents.events import TimerDue
from forewatch.incidents.incident import Incident
from forewatch.remedy.run import Run
from forewatch.units import format_duration


def timer_due(draft: Draft, event: TimerDue) -> None:
    match event.kind:
        case "group":
            group_due(draft, event.subject)
        case "reroute":
            reroute(draft, event.subject)
        case "review" | "recheck":
            review(draft, event.subject, event.seen)
        case "digest":
            digest_due(draft, event.subject)
        case "hold":
            hold_due(draft, event.subject)
        case "flap-down":
            flapping_stays_down(draft, event.subject)
        case "remedy":
            ask_again(draft, event.subject, event.seen)
        case "partly-over":
            tell_what_is_over(draft, event.subject)
        case "calm":
            calm_due(draft, event.subject)
        case "silence-start" | "silence-warning" | "silence-end":
            silence_due(draft, event.kind, event.subject)
        case _:
            _of_a_run(draft, event)


def _of_a_run(draft: Draft, event: TimerDue) -> None:
    run = draft.view.run(event.subject)
    incident = draft.view.incident(run.incident_id) if run is not None and run.incident_id is not None else None
    if run is not None and event.kind == "start" and run.state in ("waiting", "claimed"):
        _not_started(draft, run, incident)
    elif run is not None and event.kind == "verification" and run.state == "acted":
        _verify(draft, run, incident)
    else:
        state = f"is {run.state} already" if run is not None else "is not known"
        text = f"The {event.kind} timer of {event.subject} ran out, but {event.subject} {state}: nothing to do."
        draft.because("timer-pointless", text, event.subject)


def _not_started(draft: Draft, run: Run, incident: Incident | None) -> None:
    """The worker has not taken the run up. While automation is down the run keeps waiting for it; people do not."""
    late = f"{run.runbook} has not started within {format_duration(START_WITHIN)}"
    down = draft.view.automation_down()
    if down is None:
        end_before_acting(draft, run, "run-not-started", late, state="failed")
    else:
        late = f"{late}, {down.rstrip('.')}"
        text = f"{run.id} still waits for automation: {late}. It asks again before it acts."
        draft.because("run-waits", text, run.id, run.incident_id)
        draft.log(run.incident_id, "run", text, run=run.id)
    because = f"Automation did not start: {late}."
    if incident is None:
        tell_of_failed_run(draft, run, because)
    elif incident.open and not release(draft, incident, because, run.id, run=run):
        tell_of_failure(draft, incident, run, because)


def _verify(draft: Draft, run: Run, incident: Incident | None) -> None:
    if firing := unhealed(draft, run):
        end_not_healed(draft, run, incident, firing)
        return
    end_healed(draft, run)
    if incident is not None and incident.open:
        release_unattended(draft, incident, run.id)
