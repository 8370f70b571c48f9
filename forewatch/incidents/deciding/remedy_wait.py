"""What a refused remedy waits for, and being asked again when that is over."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from forewatch.alerting.alert import Alert
from forewatch.clock import iso, micros
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.outcome import CancelTimers, DropWaits, EndWaits, PutWait, SetTimer
from forewatch.remedy.may_act import AUTOMATION
from forewatch.remedy.run import Run
from forewatch.remedy.verdict import Refused
from forewatch.remedy.wait import Wait

FALLBACK = 300.0
"""Seconds after which a remedy that waits for a run or an alert is asked again whatever became of that."""
IN_LINE = 60.0
"""Seconds from one to the next of those that wait for automation to be resumed, should the one before not end."""


def ask_later(draft: Draft, alert: Alert, refused: Refused) -> None:
    """Have the remedy asked again when the reason of its refusal ends; nothing where it does not end."""
    if not refused.for_now:
        return
    same = (
        one.since
        for one in draft.view.waits(alert.id)
        if one.kind == refused.code and one.by == refused.waits_for and (one.active or one.until is not None)
    )
    since = next(same, draft.now)
    draft.change(PutWait(Wait(alert.id, refused.code, refused.waits_for, since, refused.holds_until)))
    draft.order(CancelTimers(alert.id, "remedy"))
    if refused.again_at is not None:
        draft.order(SetTimer("remedy", alert.id, max(draft.now, refused.again_at)))
    elif refused.waits_for != AUTOMATION:  # that ends with an event of its own
        draft.order(SetTimer("remedy", alert.id, draft.now + micros(FALLBACK)))


def end_waiting(draft: Draft, alert: Alert) -> None:
    """The remedy was asked again, or need not be."""
    draft.change(EndWaits(alert.id))
    draft.order(CancelTimers(alert.id, "remedy"))


def forget_waiting(draft: Draft, alert: Alert) -> None:
    """The alert is over."""
    draft.change(DropWaits(alert.id))
    draft.order(CancelTimers(alert.id, "remedy"))


def ask_now(draft: Draft, subject: str) -> None:
    """What waited for this run or alert is asked again, now that it is over."""
    for alert_id in draft.view.waits_by(subject):
        draft.order(CancelTimers(alert_id, "remedy"), SetTimer("remedy", alert_id, draft.now))


def run_is_over(draft: Draft, run: Run) -> None:
    """What waited for the run is asked again, and after a resume of automation the next in line."""
    ask_now(draft, run.id)
    next_in_line(draft)


def next_in_line(draft: Draft, but: Iterable[str] = ()) -> None:
    """After a resume of automation the remedies that waited for it are asked one at a time."""
    if draft.view.automation_stopped() is not None:
        return
    following = next((one for one in draft.view.waits_by(AUTOMATION) if one not in set(but)), None)
    if following is not None:
        draft.order(CancelTimers(following, "remedy"), SetTimer("remedy", following, draft.now))


def holding(draft: Draft, incident_id: str, but: Collection[str] = ()) -> bool:
    """Whether held pages of an incident wait with a remedy that waits; `but`: not for these alerts.

    One whose time is up is about to be asked again: what comes of that lets them go, if nothing before does.
    """
    waits = draft.view.waits_in(incident_id)
    return any(one.alert_id not in but and one.active and one.until is not None for one in waits)


def again(refused: Refused, waits_for: str = "that") -> str:
    """A sentence that says when the remedy is asked again; nothing where it is not. `waits_for`: how to call what it
    waits for, where the sentence does not follow the one that says so."""
    if refused.again_at is not None:
        return f"It tries again at {clock_time(refused.again_at)}."
    if refused.waits_for == AUTOMATION:
        return "It tries again once automation is resumed."
    return f"It tries again once {waits_for} is over." if refused.waits_for else ""


def clock_time(at: int) -> str:
    """`17:03:05 UTC`."""
    return f"{iso(at)[11:19]} UTC"
