"""A run asks whether it may act, has acted, has failed, or is asked for by a person."""

from __future__ import annotations

from dataclasses import replace

from forewatch.clock import micros
from forewatch.errors import ActionRefused, NotFound
from forewatch.incidents import wording
from forewatch.incidents.deciding.automation import (
    end_before_acting,
    end_healed,
    end_in_failure,
    judge,
    release_unattended,
    start,
    unhealed,
)
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.deciding.look_before_acting import Seen
from forewatch.incidents.deciding.paging import release, tell_of_failure
from forewatch.incidents.deciding.remedy_wait import again, ask_later, end_waiting, run_is_over
from forewatch.incidents.deciding.withheld_alerts import held_back_from_acting
from forewatch.incidents.events import RunActed, RunFailed, RunRequested, RunStarting
from forewatch.incidents.outcome import CancelTimers, SetTimer
from forewatch.remedy.choose import choose
from forewatch.remedy.run import UNRECORDED, Run
from forewatch.remedy.verdict import Allowed, Refused, Verdict
from forewatch.remedy.verification import time_to_heal


def run_starting(draft: Draft, event: RunStarting) -> None:
    """The moment of acting: everything that allowed the run is asked again, inside the transaction.

    The run is `started` by this flow run, or `refused`. A caller whose run is another's, or over, leaves it untouched:
    it reads the run afterwards and acts only where that says `started` by itself.
    """
    run = _run(draft, event.run_id)
    subjects = (run.id, run.incident_id)
    if run.state in ("started", "acted"):
        if run.flow_run_id == event.flow_run_id:
            draft.because("started-already", f"{run.id} was started by this flow run, it goes on.", *subjects)
        else:
            text = f"{run.id} was started by flow run {run.flow_run_id}, so flow run {event.flow_run_id} leaves it."
            draft.because("started-elsewhere", text, *subjects)
        return
    if run.state not in ("waiting", "claimed"):
        draft.because("run-over", f"{run.id} is {run.state} already and does not start again.", *subjects)
        return
    verdict = _may_start(draft, run, event.seen)
    if isinstance(verdict, Refused):
        _refuse(draft, run, verdict)
        return
    draft.change_run(run, state="started", flow_run_id=event.flow_run_id, started_at=event.at)
    draft.order(CancelTimers(run.id, "start"))
    if alert := draft.view.alert(run.alert_id) if run.alert_id is not None else None:
        end_waiting(draft, alert)
    where = f"in flow run {event.flow_run_id}"
    if event.flow_run_id.startswith(UNRECORDED):
        where = "without a flow run: Prefect is away, and gets one afterwards"
    text = f"{run.id} ({run.runbook}) starts {where}."
    draft.because("run-started", f"{text} Nothing stood in its way at the moment of acting.", *subjects)
    draft.log(run.incident_id, "run", text, run=run.id)


def run_acted(draft: Draft, event: RunActed) -> None:
    """The runbook is through; now the service's own alerts must end, within the remedy's time to verify."""
    run = _run(draft, event.run_id)
    if run.state not in ("waiting", "claimed", "started"):
        text = f"{run.id} was {run.state} already when it reported: {wording.sentence(event.outcome)}"
        draft.because("run-over", text, run.id, run.incident_id)
        draft.log(run.incident_id, "run", text, run=run.id)
        return
    if _is_anothers(draft, run, event, "is through"):
        return
    text = wording.sentence(f"{run.id} ({run.runbook}) acted: {event.outcome}")
    draft.because("run-acted", text, run.id, run.incident_id)
    draft.log(run.incident_id, "run", text, run=run.id)
    acted_at = run.acted_at if run.acted_at is not None else event.at
    if run.alert_id is None:
        draft.change_run(run, state="done", acted_at=acted_at, finished_at=draft.now, outcome=event.outcome)
        draft.order(CancelTimers(run.id))
        run_is_over(draft, run)
    elif not unhealed(draft, run):
        end_healed(draft, run, acted_at=acted_at, outcome=event.outcome)
        incident = draft.view.incident(run.incident_id) if run.incident_id is not None else None
        if incident is not None and incident.open:
            release_unattended(draft, incident, run.id)
    else:
        draft.change_run(run, state="acted", acted_at=acted_at, outcome=event.outcome)
        within = time_to_heal(draft.view.config, run, draft.view.alert(run.alert_id))
        draft.order(CancelTimers(run.id, "start"), SetTimer("verification", run.id, draft.now + micros(within)))


def run_failed(draft: Draft, event: RunFailed) -> None:
    """A run failed, was cancelled or never started: people take over at once."""
    run = _run(draft, event.run_id)
    how = "was cancelled" if event.cancelled else "failed"
    if run.state not in ("waiting", "claimed", "started"):
        text = wording.sentence(f"{run.id} was {run.state} already when it {how}: {event.reason}")
        draft.because("run-over", text, run.id, run.incident_id)
        draft.log(run.incident_id, "run", text, run=run.id)
        return
    if _is_anothers(draft, run, event, how):
        return
    incident = draft.view.incident(run.incident_id) if run.incident_id is not None else None
    text = wording.sentence(f"{run.id} ({run.runbook}) {how}: {event.reason}")
    state, code = ("cancelled", "run-cancelled") if event.cancelled else ("failed", "run-failed")
    end_in_failure(draft, run, incident, code, text, state=state)


def run_requested(draft: Draft, event: RunRequested) -> None:
    """A person starts a runbook: only the stop switch can keep them from it. Raises ActionRefused, NotFound.

    Without an incident it belongs to the oldest open one of its service, which may owe it its recovery.
    """
    if (stopped := draft.view.automation_stopped()) is not None:
        raise ActionRefused(
            f"{event.runbook} may not run: {stopped.rstrip('.')} (forewatch stop-automation --resume lets it act again)"
        )
    incident = draft.view.incident(event.incident_id) if event.incident_id is not None else None
    if event.incident_id is not None and incident is None:
        raise NotFound(f"there is no incident {event.incident_id} (forewatch incidents list shows them)")
    if incident is None and event.service is not None:
        incident = next((found for found, _, _ in draft.view.open_incidents_with([event.service])), None)
    incident_id = incident.id if incident is not None else None
    run = Run(
        id=draft.view.new_id("RUN"),
        kind="runbook",
        runbook=event.runbook,
        service=event.service or (incident.service if incident is not None else None),
        incident_id=incident_id,
        alert_id=None,
        remedy=None,
        inputs=event.inputs,
        autonomy="person",
        requested_by=event.actor,
        state="waiting",
        attempts=0,
        flow_run_id=None,
        created_at=draft.now,
        started_at=None,
        acted_at=None,
        finished_at=None,
        outcome=None,
        verified=None,
    )
    if event.flow_run_id is not None:
        draft.new_run(replace(run, state="started", flow_run_id=event.flow_run_id, started_at=event.at))
    else:
        start(draft, draft.new_run(run))
    text = f"{event.actor} starts {event.runbook} as {run.id}."
    draft.because("run-requested", text, run.id, incident_id)
    draft.log(incident_id, "run", text, actor=event.actor, run=run.id)


def _may_start(draft: Draft, run: Run, seen: Seen) -> Verdict:
    if run.kind == "runbook":
        stopped = draft.view.automation_stopped()
        return Allowed() if stopped is None else Refused("automation-stopped", stopped.rstrip("."))
    alert = draft.view.alert(run.alert_id) if run.alert_id is not None else None
    incident = draft.view.incident(run.incident_id) if run.incident_id is not None else None
    if alert is None or incident is None or not incident.open:
        return Refused("incident-over", "its incident is over")
    if incident.status == "acknowledged":
        # A run may have waited for Prefect; what a person has taken in hand meanwhile is not meddled with.
        return Refused("acknowledged", f"{incident.acknowledged_by} has {incident.id} in hand")
    remedy = choose(draft.view.config, alert)
    if remedy is None or remedy.runbook != run.runbook:
        return Refused(
            "no-remedy", f"{run.runbook} is no longer the remedy for this, because the configuration has changed"
        )
    held_back = held_back_from_acting(draft, alert)
    return held_back if held_back is not None else judge(draft, alert, remedy, run=run, seen=seen)


def _refuse(draft: Draft, run: Run, refused: Refused) -> None:
    end_before_acting(draft, run, refused.code, refused.reason, state="refused")
    incident = draft.view.incident(run.incident_id) if run.incident_id is not None else None
    alert = draft.view.alert(run.alert_id) if run.alert_id is not None else None
    if incident is None or not incident.open:
        return
    asked_before = alert is not None and bool(draft.view.waits(alert.id))
    if alert is not None and incident.status != "acknowledged":
        ask_later(draft, alert, refused)
    if refused.holds_until is not None:
        return  # held pages wait with it, as long as they would have anyway
    # A service or a runbook keeps its name as it is written.
    named = refused.reason.startswith((f"{run.service} ", f"{run.runbook} "))
    said = refused.reason if named else refused.reason[:1].upper() + refused.reason[1:]
    because = wording.joined(said, again(refused))
    # What is over needs no remedy: that it did not act, or not to its end, is nobody's trouble.
    trouble = refused.code != "not-firing" and not asked_before
    if not release(draft, incident, because, run.id, run=run) and trouble:
        tell_of_failure(draft, incident, run, because)


def _is_anothers(draft: Draft, run: Run, event: RunActed | RunFailed, what: str) -> bool:
    """Whether a flow run that was thought dead speaks of a run which another carries out by now."""
    if event.flow_run_id is None or event.flow_run_id == run.flow_run_id:
        return False
    text = f"Flow run {event.flow_run_id} {what}, but {run.id} is flow run {run.flow_run_id}'s by now and goes on."
    draft.because("taken-over", text, run.id, run.incident_id)
    draft.log(run.incident_id, "run", text, run=run.id)
    return True


def _run(draft: Draft, run_id: str) -> Run:
    run = draft.view.run(run_id)
    if run is None:
        raise NotFound(f"there is no run {run_id} (forewatch runbooks list shows the last ones)")
    return run
