"""What people say about an incident."""

from __future__ import annotations

from forewatch.errors import NotFound
from forewatch.incidents.deciding.closing import close_by_hand
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.events import Acknowledged, Noted, ResolvedByHand
from forewatch.incidents.incident import Incident


def acknowledged(draft: Draft, event: Acknowledged) -> None:
    """A person takes it on. What is to be delivered still is. Raises NotFound, TransitionRefused."""
    incident = _incident(draft, event.incident_id)
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
