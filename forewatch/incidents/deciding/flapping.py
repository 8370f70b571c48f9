"""Alerts that come and go: counted, told once, and calm again when they have been left alone long enough."""

from __future__ import annotations

from forewatch.alerting.alert import Alert
from forewatch.alerting.flapping import calm_at, calmed, fired, flaps
from forewatch.incidents import telling
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.outcome import CancelTimers, DropFlap, PutFlap, SetTimer
from forewatch.units import format_duration


def count_firing(draft: Draft, alert: Alert) -> bool:
    """Count a new episode. Whether the alert begins to flap with it."""
    settings = draft.view.config.flapping
    before = draft.view.flap(alert.fingerprint)
    flap = fired(before, alert.fingerprint, draft.now, settings)
    draft.change(PutFlap(flap))
    if not flaps(flap):
        return False
    draft.order(CancelTimers(alert.fingerprint, "calm"), SetTimer("calm", alert.fingerprint, calm_at(flap, settings)))
    if before is not None and flaps(before):
        return False
    text = f"{telling.named(alert)}: {said_of(draft)}"
    draft.because("flaps", text, alert.id, alert.incident_id)
    draft.log(alert.incident_id, "alert", text, alert=alert.id)
    return True


def said_of(draft: Draft) -> str:
    """What people are told of an alert that flaps, and then nothing more."""
    settings = draft.view.config.flapping
    return (
        f"It flaps: it fired {settings.after} times within {format_duration(settings.within)}, and nothing more is "
        f"told of it until it has been calm for {format_duration(settings.calm)}."
    )


def calm_down(draft: Draft, mark: str) -> bool:
    """Whether the alert has calmed down; if it has not, look again later."""
    settings = draft.view.config.flapping
    flap = draft.view.flap(mark)
    if flap is None:
        draft.because("timer-pointless", f"The alert {mark} does not flap: nothing to do.")
        return False
    alert = draft.view.alert_last(mark)
    who = telling.named(alert) if alert is not None else mark
    subjects = (alert.id, alert.incident_id) if alert is not None else ()
    left = calmed(flap, draft.now, settings)
    if left is not None and flaps(left):
        draft.order(SetTimer("calm", mark, calm_at(left, settings)))
        draft.because("still-flapping", f"{who} flaps still.", *subjects)
        return False
    draft.change(DropFlap(mark))
    text = f"{who} has not fired anew for {format_duration(settings.calm)}: it flaps no more."
    draft.because("calm", text, *subjects)
    if alert is not None:
        draft.log(alert.incident_id, "alert", text, alert=alert.id)
    return True
