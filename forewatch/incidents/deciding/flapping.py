"""Alerts that come and go: counted, told once, and calm again when they have been left alone long enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from forewatch.alerting.alert import SEVERITIES, Alert
from forewatch.alerting.flapping import calm_at, calmed, fired, flaps
from forewatch.clock import iso, micros
from forewatch.incidents import wording
from forewatch.incidents.deciding.correlation import group_key_for
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.incident import Incident
from forewatch.incidents.outcome import CancelTimers, DropFlap, PutFlap, SetTimer
from forewatch.units import format_duration


def count_firing(draft: Draft, alert: Alert, kind: str) -> str:
    """Count a new episode, of a kind of failure. What people are to be told of its flapping now, if anything.

    Told is that it begins to flap, and each kind of failure that was not told since.
    """
    settings = draft.view.config.flapping
    before = draft.view.flap(alert.fingerprint)
    flap = fired(before, alert.fingerprint, draft.now, settings)
    if not flaps(flap):
        draft.change(PutFlap(flap))
        return ""
    begins = before is None or not flaps(before)
    news = bool(kind) and kind not in flap.kinds
    draft.change(PutFlap(replace(flap, kinds=(*flap.kinds, kind)) if news else flap))
    draft.order(CancelTimers(alert.fingerprint, "calm"), SetTimer("calm", alert.fingerprint, calm_at(flap, settings)))
    draft.order(SetTimer("flap-down", alert.id, draft.now + micros(_stays_down(draft, alert))))
    if not begins and not news:
        return ""
    said = said_of(draft) if begins else f"It is flapping, and this kind of failure ({kind}) is new."
    text = f"{wording.named(alert)}: {said}"
    draft.because("flaps" if begins else "flaps-otherwise", text, alert.id, alert.incident_id)
    draft.log(alert.incident_id, "alert", text, alert=alert.id)
    return said


def _stays_down(draft: Draft, alert: Alert) -> float:
    """Seconds after which a flapping alert that still fires is told again: at least two rounds of its check."""
    service = draft.view.config.service(alert.service)
    checks = service.checks if service is not None else []
    every = next((check.every for check in checks if check.label == alert.labels.get("check")), 0.0)
    return max(draft.view.config.flapping.down, 2 * every)


def said_of(draft: Draft) -> str:
    """What people are told of an alert that flaps, before it is quiet."""
    settings = draft.view.config.flapping
    until = iso(draft.now + micros(settings.calm))[11:16]
    return (
        f"It is flapping: it fired {settings.after} times within {format_duration(settings.within)}. Quiet until it "
        f"has been calm for {format_duration(settings.calm)} ({until} UTC at the earliest), unless it fails in another "
        f"way or stays down for {format_duration(settings.down)}."
    )


def move_away(draft: Draft, incident: Incident, flapping: Sequence[Alert]) -> None:
    """Flapping alerts of other services leave an incident that is over, quietly, each service's for one of its own."""
    together: dict[str, list[Alert]] = {}
    for alert in flapping:
        together.setdefault(group_key_for(draft, alert, ""), []).append(alert)
    for alerts in together.values():
        _move(draft, incident, alerts)


def _move(draft: Draft, incident: Incident, alerts: Sequence[Alert]) -> None:
    new_id = draft.view.new_id("INC")
    top = max(alerts, key=lambda alert: SEVERITIES.index(alert.severity))
    names = ", ".join(wording.named(alert) for alert in alerts)
    flap, move = ("is flapping", "moves") if len(alerts) == 1 else ("are flapping", "move")
    text = f"{names} {flap}, and {move} from {incident.id} to {new_id}, because {incident.service} is well."
    new = Incident(
        id=new_id,
        group_key=group_key_for(draft, top, new_id),
        service=top.service,
        title=wording.summary(top),
        severity=top.severity,
        status=incident.status,
        opened_at=draft.now,
        revision=1,
        acknowledged_at=incident.acknowledged_at,
        acknowledged_by=incident.acknowledged_by,
        follows=incident.id,
    )
    draft.open_incident(new, text)
    for alert in alerts:
        draft.move_alert(alert, new_id)
        draft.log(incident.id, "alert", text, alert=alert.id)
    draft.because("flapping-moved", text, *(alert.id for alert in alerts), incident.id, new_id)


def calm_down(draft: Draft, mark: str) -> bool:
    """Whether the alert has calmed down; if it has not, look again later."""
    settings = draft.view.config.flapping
    flap = draft.view.flap(mark)
    if flap is None:
        draft.because("timer-pointless", f"The alert {mark} does not flap: nothing to do.")
        return False
    alert = draft.view.alert_last(mark)
    who = wording.named(alert) if alert is not None else mark
    subjects = (alert.id, alert.incident_id) if alert is not None else ()
    left = calmed(flap, draft.now, settings)
    if left is not None and flaps(left):
        draft.order(SetTimer("calm", mark, calm_at(left, settings)))
        draft.because("still-flapping", f"{who} is still flapping.", *subjects)
        return False
    draft.change(DropFlap(mark))
    text = f"{who} has not fired again for {format_duration(settings.calm)} and is no longer flapping."
    draft.because("calm", text, *subjects)
    if alert is not None:
        draft.log(alert.incident_id, "alert", text, alert=alert.id)
    return True
