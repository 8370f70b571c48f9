"""What automation does about an alert, and the ends a run may come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from forewatch.alerting.alert import Alert
from forewatch.clock import micros, seconds
from forewatch.config.models import Remedy
from forewatch.incidents import wording
from forewatch.incidents.deciding.dependencies import dependency_fails, dependency_unclear
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.deciding.look_before_acting import Seen, keys_for
from forewatch.incidents.deciding.paging import release, tell_of_failed_run, tell_of_failure
from forewatch.incidents.deciding.passing_check import passed_meanwhile
from forewatch.incidents.deciding.remedy_wait import again, ask_later, holding, run_is_over
from forewatch.incidents.deciding.sender_trust import not_vouched_for
from forewatch.incidents.deciding.side_effects import covered_by, covering_run
from forewatch.incidents.incident import Incident
from forewatch.incidents.outcome import CancelTimers, Dispatch, Look, SetTimer
from forewatch.remedy.choose import choose, remedy_key
from forewatch.remedy.limits import counted_since
from forewatch.remedy.may_act import SHADOW, may_act
from forewatch.remedy.run import UNDER_WAY, Run
from forewatch.remedy.verdict import Refused, Verdict
from forewatch.remedy.verification import HEALED, NOT_HEALED, still_ill
from forewatch.units import format_duration

MOST_COMPARED = 50
"""Firing alerts of an incident that are looked at, to tell whether anybody is to hear of one."""
START_WITHIN = 10.0
"""Seconds a dispatched run gets to start before people are told that automation did not."""


def judge(draft: Draft, alert: Alert, remedy: Remedy, *, run: Run | None = None, seen: Seen = ()) -> Verdict:
    """Whether the alert's remedy may act now. `run` is the run that asks, once there is one; `seen` what a look saw."""
    view = draft.view
    counted = view.runs_counted(remedy_key(alert.service, remedy.runbook), counted_since(remedy.limits, draft.now))
    itself = run.id if run is not None else None
    verdict = may_act(
        remedy,
        firing=alert.status == "firing" if run is None else bool(unhealed(draft, run)),
        stopped=view.automation_stopped(),
        incident_runs=[other for other in _runs_beside(draft, alert) if other.id != itself],
        counted=[other for other in counted if other.id != itself],
        now=draft.now,
    )
    if isinstance(verdict, Refused):
        return verdict
    return (
        dependency_fails(draft, alert)
        or passed_meanwhile(draft, alert, seen)
        or dependency_unclear(draft, alert, seen)
        or verdict
    )


@dataclass(frozen=True)
class Answer:
    """What automation does about an alert: the run at work on it, if any, and a sentence that says so or why not."""

    run: Run | None
    said: str
    covered: bool = False
    """The run was at work before the alert fired."""
    held_until: int | None = None
    """Of a covered alert: when the run's own hold ends, so that its page waits no longer. None: as its routes say."""
    again_at: int | None = None
    """When a remedy that was refused for now is asked again, where that is known."""
    holds_until: int | None = None
    """Until when held pages wait with a remedy that waits; None: they do not."""


def send_remedy(draft: Draft, alert: Alert, values: Mapping[str, Any] | None = None, *, seen: Seen = ()) -> Answer:
    """Dispatch the alert's remedy if it may act and can be started; else have it asked again when it may.

    `values`: what was measured when it was raised; `seen`: what a look saw just now.
    """
    if (at_work := covering_run(draft, alert)) is not None:
        return _covered(draft, alert, at_work)
    remedy = choose(draft.view.config, alert)
    if remedy is None:
        missing = Refused("no-remedy", f"no remedy of {alert.service} is bound to this alert")
        return Answer(None, hold_back(draft, alert, missing))
    if values and values.get("observer_late"):
        busy = Refused("observer-late", "this machine is too busy to trust a time-out")
        return Answer(None, hold_back(draft, alert, busy))
    verdict = not_vouched_for(draft.view.config, alert) or judge(draft, alert, remedy, seen=seen)
    if isinstance(verdict, Refused):
        said = hold_back(draft, alert, verdict)
        ask_later(draft, alert, verdict)
        if verdict.code == SHADOW:
            # People do not wait for what is found: it goes on the timeline.
            draft.order(Look(alert.id, "shadow", (), draft.now))
        return Answer(None, said, again_at=verdict.again_at, holds_until=verdict.holds_until)
    down = draft.view.automation_down()
    run = _dispatch(draft, alert, remedy, timed=down is None)
    if down is not None:
        # The run waits in the store and asks again before it acts; people do not wait for it.
        text = f"Automation is down: {down.rstrip('.')}. {run.id} ({run.runbook}) waits for it."
        draft.because("automation-down", text, run.id, alert.id, alert.incident_id)
        draft.log(alert.incident_id, "automation", text)
        return Answer(None, text)
    return Answer(run, wording.trying(run.runbook, run.id))


def _covered(draft: Draft, alert: Alert, run: Run) -> Answer:
    """A run is at work already that the alert may come of, or that may heal it as well."""
    waits = covered_by(draft, alert, run)
    said = wording.sentence(waits.reason)
    draft.because(waits.code, said, alert.id, alert.incident_id, run.id)
    draft.log(alert.incident_id, "automation", said, run=run.id)
    ask_later(draft, alert, waits)
    held_until = waits.holds_until if waits.holds_until is not None else draft.now
    return Answer(run, said, covered=True, held_until=held_until, holds_until=waits.holds_until)


def hold_back(draft: Draft, alert: Alert, refused: Refused) -> str:
    """Why no remedy acts and when it is asked again: kept with the ids, returned as people are told."""
    # That nothing is bound to it, or that its remedy is only tried out, is no decision against acting.
    plain = refused.code in ("no-remedy", SHADOW)
    said = refused.reason[:1].upper() + refused.reason[1:] if plain else f"Automation does not act: {refused.reason}"
    text = wording.joined(said, again(refused, refused.waits_for))
    draft.because(refused.code, text, alert.id, alert.incident_id)
    draft.log(alert.incident_id, "automation", text)
    return wording.joined(said, again(refused))


def _runs_beside(draft: Draft, alert: Alert) -> list[Run]:
    """The runs of its incident on the same service: work on a symptom does not keep one from its cause."""
    if alert.incident_id is None:
        return []
    return [run for run in draft.view.runs_of(alert.incident_id) if run.service in (None, alert.service)]


def _dispatch(draft: Draft, alert: Alert, remedy: Remedy, *, timed: bool) -> Run:
    run = draft.new_run(
        Run(
            id=draft.view.new_id("RUN"),
            kind="respond",
            runbook=remedy.runbook,
            service=alert.service,
            incident_id=alert.incident_id,
            alert_id=alert.id,
            remedy=remedy_key(alert.service, remedy.runbook),
            inputs=dict(remedy.inputs),
            autonomy=remedy.autonomy,
            requested_by="forewatch",
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
    )
    start(draft, run, timed=timed)
    if keys := keys_for(draft.view.config, alert):
        # With the dispatch, so that probing overlaps the start of its process.
        draft.order(Look(run.id, "act", keys, draft.now))
    text = f"{run.id} ({run.runbook}) is sent to heal {alert.service}: its autonomy is auto and its limits allow it."
    draft.because("remedy-sent", text, run.id, alert.id, alert.incident_id)
    draft.log(alert.incident_id, "run", text, run=run.id)
    return run


def start(draft: Draft, run: Run, *, timed: bool = True) -> None:
    """Have a waiting run started, and if `timed` be woken where it does not start in time."""
    draft.order(Dispatch(run.id))
    if timed:
        draft.order(SetTimer("start", run.id, draft.now + micros(START_WITHIN)))


def end_healed(draft: Draft, run: Run, **fields: Any) -> None:
    """The run acted and what it was sent for is over. `fields` are what this decision learnt of it besides."""
    run = draft.change_run(run, state="done", verified=HEALED, finished_at=draft.now, **fields)
    draft.order(CancelTimers(run.id))
    text = f"{run.id} ({run.runbook}) healed {run.service}: its alerts are resolved {_since_acting(draft, run)}."
    run_is_over(draft, run)
    draft.because("healed", text, run.id, run.alert_id, run.incident_id)
    draft.log(run.incident_id, "verified", text, run=run.id)


def end_not_healed(draft: Draft, run: Run, incident: Incident | None, firing: list[Alert]) -> None:
    """The run acted, its time is over, and what it was sent for still fires: people must know at once."""
    ids = ", ".join(alert.id for alert in firing)
    did_not, since = f"{run.id} ({run.runbook}) did not heal {run.service}", _since_acting(draft, run)
    end_in_failure(
        draft,
        run,
        incident,
        "not-healed",
        f"{did_not}: {ids} still firing {since}.",
        state="failed",
        verified=NOT_HEALED,
        page=f"{did_not}: still firing {since}.",
        notice=f"Still firing {since} ({run.id}): {wording.summaries(firing)}.",
    )


def _since_acting(draft: Draft, run: Run) -> str:
    acted_at = run.acted_at if run.acted_at is not None else draft.now
    return f"{format_duration(max(0.0, seconds(draft.now - acted_at)))} after it acted"


def end_in_failure(
    draft: Draft,
    run: Run,
    incident: Incident | None,
    code: str,
    text: str,
    *,
    state: str,
    verified: str | None = None,
    page: str = "",
    notice: str = "",
) -> None:
    """A run failed, was cancelled or did not heal: held pages go out, and its failure is told.

    `page`, `notice`: what these say, where that is not the text, which is kept: a page's title says what is wrong.
    """
    draft.change_run(run, state=state, finished_at=draft.now, outcome=text, verified=verified)
    draft.order(CancelTimers(run.id))
    run_is_over(draft, run)
    draft.because(code, text, run.id, run.alert_id, run.incident_id)
    draft.log(run.incident_id, "run", text, run=run.id)
    if incident is None:
        tell_of_failed_run(draft, run, notice or text)
        return
    released = release(draft, incident, page or text, run.id, run=run) if incident.open else []
    tell_of_failure(draft, incident, run, notice or text, released=released)


def end_before_acting(draft: Draft, run: Run, code: str, reason: str, *, state: str) -> None:
    """A run that is not to act any more, before it did: `refused` or `cancelled`."""
    text = f"{run.id} ({run.runbook}) does not act: {reason.rstrip('.')}."
    draft.change_run(run, state=state, finished_at=draft.now, outcome=wording.sentence(reason))
    draft.order(CancelTimers(run.id))
    run_is_over(draft, run)
    draft.because(code, text, run.id, run.alert_id, run.incident_id)
    draft.log(run.incident_id, "run", text, run=run.id)


def unhealed(draft: Draft, run: Run, alerts: list[Alert] | None = None) -> list[Alert]:
    """The firing alerts the run was to heal; `alerts` are its incident's where this decision changes them."""
    if alerts is None:
        alerts = draft.view.firing_in(run.incident_id) if run.incident_id is not None else []
    return still_ill(draft.view.config, run, alerts)


def release_unattended(
    draft: Draft, incident: Incident, *over: str, because: str = "", ended: str = "", refused: str = ""
) -> None:
    """Pages are held only while a run is at work, or a remedy waits with them: where none does but those just `over`,
    they go out. What fires and is withheld, as while it is being checked again, wakes nobody.

    `ended`: the alert that this decision ends; `refused`: the one whose remedy it does not let wait.
    """
    at_work = [run for run in draft.view.runs_of(incident.id) if run.state in UNDER_WAY and run.id not in over]
    if not at_work and not holding(draft, incident.id, (ended, refused)) and not _all_withheld(draft, incident, ended):
        release(draft, incident, because or f"Alerts of {incident.id} still fire and no run is at work on them.", *over)


def _all_withheld(draft: Draft, incident: Incident, ended: str) -> bool:
    firing = [alert for alert in draft.view.firing_in(incident.id, MOST_COMPARED) if alert.id != ended]
    return bool(firing) and all(any(not one.route for one in draft.view.withheld(alert.id)) for alert in firing)
