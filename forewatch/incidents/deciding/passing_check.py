"""The check of a firing alert passes again: its own verdict is waited for, once, before anything is done about it."""

from __future__ import annotations

from forewatch.alerting.alert import Alert
from forewatch.alerting.suppression import Suppression, Withheld
from forewatch.clock import iso, micros
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.deciding.look_before_acting import Glimpse, Seen, own_check, own_glimpse
from forewatch.incidents.outcome import SetTimer
from forewatch.remedy.verdict import Refused

CHECKED_AGAIN_WITHIN = 30.0
"""Seconds at most that an alert is not told because its dependency has recovered and it is being checked again."""
SLACK = 0.5
"""Seconds a round of a check may take beyond its period until we look whether it was held."""


def passed_meanwhile(draft: Draft, alert: Alert, seen: Seen) -> Refused | None:
    """The alert's own check passes just now. It is no remedy's turn; held pages wait for its verdict, once."""
    own = own_glimpse(draft.view.config, alert, seen)
    if own is None or own.ok is not True:
        return None
    before = next((one for one in draft.view.waits(alert.id) if one.kind == "passed-meanwhile"), None)
    if before is None:
        hold_ends = held_until(draft, alert.incident_id)
        until = draft.now + micros(_verdict(own))
        until = until if hold_ends is None else max(draft.now, min(until, hold_ends))
    elif before.until is not None and draft.now < before.until:
        until = before.until
    else:
        reason = "its check passes now, though it has not passed often enough in a row"
        return Refused("passes-now", reason, again_at=draft.now + micros(_verdict(own)))
    reason = f"its check passes again ({own.reason}), and its own verdict is awaited"
    again_at = min(until, draft.now + micros(own.check.every + SLACK))
    return Refused("passed-meanwhile", reason, again_at=again_at, holds_until=until)


def still_checked(draft: Draft, alert: Alert, before: list[Withheld], seen: Seen) -> Suppression | None:
    """Why people are not told yet of an alert whose last reason to be withheld is over; None: they are told now."""
    own = own_glimpse(draft.view.config, alert, seen)
    if own_check(draft.view.config, alert) is None:
        return None
    reasons = [reason for one in before if not one.route for reason in one.reasons]
    if own is None or own.ok is None or own.at is None or _recovered(draft, reasons, own.at):
        return _dependency_recovered(draft, alert, reasons)
    if not own.ok:
        return None
    until = next((reason.until for reason in reasons if reason.kind == "checking"), None)
    if until is None:
        until = draft.now + micros(min(_verdict(own), CHECKED_AGAIN_WITHIN))
        text = f"its check passed at {iso(own.at)}, and its own verdict is awaited"
    else:
        text = next(reason.text for reason in reasons if reason.kind == "checking")
    if draft.now >= until:
        return None
    draft.order(SetTimer("review", alert.id, min(until, draft.now + micros(own.check.every + SLACK))))
    return Suppression("checking", alert.id, text, until)


def held_until(draft: Draft, incident_id: str | None, run_id: str | None = None) -> int | None:
    """When the last held page of an incident leaves, of those held for `run_id` where it is given; None: none is."""
    held = draft.view.held_in(incident_id) if incident_id is not None else []
    ends = [one.not_before for one in held if run_id in (None, one.run_id)]
    return max(ends, default=None)


def recovered_lately(draft: Draft, alert: Alert, cause: Alert, ended_at: int) -> Suppression:
    """The reason that stands from the recovery of a dependency until the alert's check has been asked again."""
    text = f"{cause.service} recovered at {iso(ended_at)}, and {alert.service} is being checked again"
    return Suppression("dependency", cause.id, text, ended_at + micros(CHECKED_AGAIN_WITHIN))


def _dependency_recovered(draft: Draft, alert: Alert, reasons: list[Suppression]) -> Suppression | None:
    """Its dependency recovered a moment ago, and it has not been checked since."""
    for reason in reasons:
        cause = draft.view.alert(reason.by) if reason.kind == "dependency" else None
        if cause is None or cause.status != "resolved":
            continue
        found = recovered_lately(draft, alert, cause, cause.updated_at)
        if found.until is not None and draft.now < found.until:
            draft.order(SetTimer("review", alert.id, min(found.until, draft.now + micros(_SOON))))
            return found
    return None


_SOON = 2.0
"""Seconds until an alert whose check did not answer is looked at again."""


def _recovered(draft: Draft, reasons: list[Suppression], at: int) -> bool:
    """Whether a dependency recovered after `at`, so that what was seen then says nothing."""
    causes = (draft.view.alert(reason.by) for reason in reasons if reason.kind == "dependency")
    return any(cause is not None and cause.status == "resolved" and cause.updated_at > at for cause in causes)


def _verdict(one: Glimpse) -> float:
    """Seconds in which a check that passes comes to its verdict."""
    return one.check.recovers_after * one.check.every
