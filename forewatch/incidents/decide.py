"""The one place where it is decided what an event means. Pure: same view, event and time, same outcome."""

from __future__ import annotations

from forewatch.incidents.deciding.alert_response import routes_changed
from forewatch.incidents.deciding.alerts import alert_cleared, alert_raised, alert_timed_out, alerts_refreshed
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.deciding.merge_and_split import incident_split, incidents_merged
from forewatch.incidents.deciding.people import (
    acknowledged,
    alert_acknowledged,
    change_reported,
    noted,
    resolved_by_hand,
)
from forewatch.incidents.deciding.remedy_retry import automation_resumed, remedies_changed, shadow_rehearsed
from forewatch.incidents.deciding.runs import run_acted, run_failed, run_requested, run_starting
from forewatch.incidents.deciding.sending import hold_due, send_posted
from forewatch.incidents.deciding.silencing import silence_expired, silence_set
from forewatch.incidents.deciding.timers import timer_due
from forewatch.incidents.deciding.undelivered import undelivered
from forewatch.incidents.events import (
    Acknowledged,
    AlertAcknowledged,
    AlertCleared,
    AlertRaised,
    AlertsRefreshed,
    AlertTimedOut,
    AutomationResumed,
    ChangeReported,
    Event,
    HoldOver,
    IncidentsMerged,
    IncidentSplit,
    Noted,
    RemediesChanged,
    ResolvedByHand,
    RoutesChanged,
    RunActed,
    RunFailed,
    RunRequested,
    RunStarting,
    ShadowRehearsed,
    SilenceExpired,
    SilenceSet,
    TimerDue,
    Undelivered,
)
from forewatch.incidents.outcome import Outcome
from forewatch.incidents.view import View


def decide(view: View, event: Event, now: int) -> Outcome:
    """What `event` changes, what must be carried out, and why. The caller applies it in the same transaction.

    Raises NotFound for an id a person or run names that is not there, TransitionRefused for a step an incident may not
    take, ActionRefused for a run asked for while automation is stopped; nothing is decided then.
    """
    draft = Draft(view, now)
    match event:
        case AlertRaised():
            alert_raised(draft, event)
        case AlertCleared():
            alert_cleared(draft, event)
        case AlertsRefreshed():
            alerts_refreshed(draft, event)
        case AlertTimedOut():
            alert_timed_out(draft, event)
        case AlertAcknowledged():
            alert_acknowledged(draft, event)
        case ChangeReported():
            change_reported(draft, event)
        case SilenceSet():
            silence_set(draft, event)
        case SilenceExpired():
            silence_expired(draft, event)
        case IncidentsMerged():
            incidents_merged(draft, event)
        case IncidentSplit():
            incident_split(draft, event)
        case RunStarting():
            run_starting(draft, event)
        case RunActed():
            run_acted(draft, event)
        case RunFailed():
            run_failed(draft, event)
        case RunRequested():
            run_requested(draft, event)
        case AutomationResumed():
            automation_resumed(draft, event)
        case RemediesChanged():
            remedies_changed(draft, event)
        case RoutesChanged():
            routes_changed(draft, event)
        case ShadowRehearsed():
            shadow_rehearsed(draft, event)
        case TimerDue():
            timer_due(draft, event)
        case HoldOver():
            hold_due(draft, event.incident_id)
        case Undelivered():
            undelivered(draft, event)
        case Acknowledged():
            acknowledged(draft, event)
        case ResolvedByHand():
            resolved_by_hand(draft, event)
        case Noted():
            noted(draft, event)
        case _:
            raise TypeError(f"{type(event).__name__} is not an event that can be processed")
    send_posted(draft)
    return draft.outcome()
