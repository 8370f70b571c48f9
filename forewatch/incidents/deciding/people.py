"""What people say about an incident."""

from __future__ import annotations

from forewatch.alerting.fingerprint import fingerprint
from forewatch.errors import NotFound
from forewatch.incidents import wording
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.deciding.resolution import close_by_hand
from forewatch.incidents.events import Acknowledged, AlertAcknowledged, ChangeReported, Noted, ResolvedByHand
from forewatch.incidents.incident import Incident
from forewatch.incidents.outcome import AddChange


def acknowledged(draft: Draft, event: Acknowledged) -> None:
    """A person takes it on, or all that a notification was about. What is to be delivered still is.

    Raises NotFound, TransitionRefused.
    """
    if event.incident_id.startswith("NT-"):
        _acknowledge_all(draft, event)
        return
    _acknowledge(draft, _incident(draft, event.incident_id), event)


def _acknowledge_all(draft: Draft, event: Acknowledged) -> None:
    """Of a digest or a notice of a group every incident that still waits for somebody."""
    notice = draft.view.notification(event.incident_id)
    if notice is None:
        raise NotFound(f"there is no notification {event.incident_id} (forewatch incidents show lists them)")
    ids = notice.content.get("incidents") or ([notice.incident_id] if notice.incident_id is not None else [])
    found = [draft.view.incident(one) for one in ids]
    waiting = [one for one in found if one is not None and one.status in ("triggered", "mitigated")]
    if not waiting:
        draft.because("nothing-to-acknowledge", f"No incident of {notice.id} waits to be acknowledged.", notice.id)
    for incident in waiting:
        _acknowledge(draft, incident, event)


def _acknowledge(draft: Draft, incident: Incident, event: Acknowledged) -> None:
    text = f"{event.actor} acknowledged {incident.id}."
    draft.change_incident(
        incident,
        "acknowledged",
        text,
        actor=event.actor,
        status="acknowledged",
        acknowledged_at=event.at,
        acknowledged_by=event.actor,
    )
    draft.because("acknowledged", text, incident.id)


def alert_acknowledged(draft: Draft, event: AlertAcknowledged) -> None:
    """It was acknowledged in the tool it came from. With nothing open to acknowledge, nothing happens."""
    mark = fingerprint(event.identity)
    alert = draft.view.firing_alert(mark)
    incident = draft.view.incident(alert.incident_id) if alert is not None and alert.incident_id is not None else None
    if incident is None or incident.status not in ("triggered", "mitigated"):
        subjects = (alert.id, alert.incident_id) if alert is not None else ()
        text = f"{event.actor} acknowledged the alert {mark}, of which no incident waits for that."
        draft.because("nothing-to-acknowledge", text, *subjects)
        return
    acknowledged(draft, Acknowledged(incident.id, event.actor, event.at))


def change_reported(draft: Draft, event: ChangeReported) -> None:
    """Somebody changed something: kept, and written on the timeline of what is open there."""
    draft.change(AddChange(event))
    text = wording.sentence(f"{event.sender or 'Somebody'} reports a change: {event.summary}")
    found = draft.view.open_incidents_with([event.service]) if event.service else []
    for incident, _, _ in found:
        draft.log(incident.id, "change", text)
    draft.because("change-reported", text, *(incident.id for incident, _, _ in found))


def resolved_by_hand(draft: Draft, event: ResolvedByHand) -> None:
    """A person calls it over. Its alerts stay as they are. Raises NotFound, TransitionRefused."""
    close_by_hand(draft, _incident(draft, event.incident_id), event.actor, event.reason)


def noted(draft: Draft, event: Noted) -> None:
    """A person writes on the timeline, of an incident that is over too. Raises NotFound."""
    incident = _incident(draft, event.incident_id)
    draft.log(incident.id, "note", event.text, actor=event.actor)
    draft.because("noted", f"{event.actor} wrote a note on {incident.id}.", incident.id)


def _incident(draft: Draft, incident_id: str) -> Incident:
    incident = draft.view.incident(incident_id)
    if incident is None:
        raise NotFound(f"there is no incident {incident_id} (forewatch incidents list shows them)")
    return incident
