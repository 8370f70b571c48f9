"""An incident comes to its end: by itself, by a run, or by a person."""

from __future__ import annotations

from forewatch.alerting.alert import Alert
from forewatch.clock import micros
from forewatch.incidents import wording
from forewatch.incidents.deciding.automation import end_before_acting, end_healed
from forewatch.incidents.deciding.correlation import of_strangers
from forewatch.incidents.deciding.draft import FOREWATCH, Draft
from forewatch.incidents.deciding.incident_assignment import MOST_COMPARED, Recovered, recovered
from forewatch.incidents.deciding.paging import tell_of_recovery
from forewatch.incidents.deciding.partial_recovery import TELLS_AFTER
from forewatch.incidents.deciding.withheld_alerts import look_again
from forewatch.incidents.incident import Incident
from forewatch.incidents.outcome import CancelTimers
from forewatch.remedy.run import Run
from forewatch.remedy.verification import NOT_HEALED

TOGETHER = TELLS_AFTER
"""Seconds before the end of an incident in which what recovers is part of what it was about in the end; of what
recovered before people were told."""


def close_recovered(draft: Draft, incident: Incident, unwatched: str = "") -> None:
    """Its last alert is over: resolved, its runs verified, its people told. `unwatched` says why nobody looks any more,
    where that is what ended it."""
    runs = draft.view.runs_of(incident.id)
    for run in runs:
        if run.state == "acted":
            end_healed(draft, run)
    _call_off(draft, runs, f"{incident.id} recovered before")
    _close(draft, incident, "incident-resolved", unwatched or _credit(runs), unwatched or wording.RESOLVED)


def close_by_hand(draft: Draft, incident: Incident, actor: str, reason: str) -> None:
    """A person says it is over. Its alerts keep their own truth; runs that have not begun are called off."""
    resolution = f"by {actor}: {reason}" if reason else f"by {actor}"
    _call_off(draft, draft.view.runs_of(incident.id), f"{actor} resolved {incident.id} before")
    firing = draft.view.firing_in(incident.id)
    ended = f"closed by {actor}, still failing" if firing else wording.RESOLVED
    _close(draft, incident, "resolved-by-hand", resolution, ended, actor=actor)
    for alert in firing:
        # Nobody has it before them any more, so elsewhere it explains nothing.
        look_again(draft, alert.id, outside=incident.id)


def _close(draft: Draft, incident: Incident, code: str, resolution: str, ended: str, *, actor: str = FOREWATCH) -> None:
    text = wording.sentence(f"{incident.id} is {'resolved' if ended == wording.RESOLVED else 'closed'}: {resolution}")
    lately = _over_lately(draft, incident) if ended == wording.RESOLVED else []
    was = _what_it_was(draft, incident, lately)
    closed = draft.change_incident(
        incident,
        "resolved",
        text,
        actor=actor,
        status="resolved",
        resolved_at=draft.now,
        resolution=resolution,
        service=was.service,
        title=was.title,
    )
    draft.order(CancelTimers(incident.id, "hold"), CancelTimers(incident.id, "partly-over"))
    draft.because(code, text, incident.id)
    unwatched = [alert for alert in lately if alert.ended]
    tell_of_recovery(draft, closed, resolution, ended, was.lasted, was.others, unwatched)


def _over_lately(draft: Draft, incident: Incident) -> list[Alert]:
    since = draft.now - micros(TOGETHER)
    return [draft.alert_now(alert.id) or alert for alert in draft.view.over_lately(incident.id, since, MOST_COMPARED)]


def _what_it_was(draft: Draft, incident: Incident, lately: list[Alert]) -> Recovered:
    """Of what recovered together in the end, where that is known; else of the incident as it stands."""
    over = [alert for alert in lately if not alert.ended]  # what nobody looks at any more did not recover
    found = recovered(draft, over) if not of_strangers(incident) else None
    return found or Recovered(incident.service, incident.title, wording.span(incident.opened_at, draft.now), [])


def _call_off(draft: Draft, runs: list[Run], reason: str) -> None:
    for run in runs:
        if run.state in ("waiting", "claimed"):
            end_before_acting(draft, run, "run-called-off", reason, state="cancelled")


def _credit(runs: list[Run]) -> str:
    """Whose doing the recovery is: the last run that acted without having failed, else nobody's."""
    acted = [run for run in runs if run.acted_at is not None and run.state != "failed" and run.verified != NOT_HEALED]
    if acted:
        return f"fixed by {acted[-1].id} ({acted[-1].runbook})"
    at_work = [run for run in runs if run.state == "started"]
    if at_work:
        return f"recovered while {at_work[-1].id} ({at_work[-1].runbook}) was at work"
    return wording.BY_ITSELF
