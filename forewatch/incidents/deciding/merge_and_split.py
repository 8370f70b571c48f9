"""People say that two incidents are one, or that one is two."""

from __future__ import annotations

from forewatch.alerting.alert import worst
from forewatch.errors import ActionRefused, NotFound
from forewatch.incidents import wording
from forewatch.incidents.deciding.correlation import group_key_for
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.deciding.merge import move_into
from forewatch.incidents.deciding.paging import release, tell_where_it_is_now
from forewatch.incidents.events import IncidentsMerged, IncidentSplit
from forewatch.incidents.incident import Incident


def incidents_merged(draft: Draft, event: IncidentsMerged) -> None:
    """All alerts, runs and notices of one open incident become another's; the one is over. Raises NotFound,
    ActionRefused."""
    into, gone = _open(draft, event.incident_id), _open(draft, event.merged)
    if into.id == gone.id:
        raise ActionRefused(f"{into.id} cannot be merged with itself")
    text = f"{event.actor} merged {gone.id} ({gone.title}) into {into.id}."
    draft.change_incident(into, "merged", text, actor=event.actor, severity=worst([into.severity, gone.severity]))
    move_into(draft, gone, into, text, actor=event.actor)


def incident_split(draft: Draft, event: IncidentSplit) -> None:
    """Some firing alerts of an open incident become one of their own, with the runs sent for them. Raises NotFound,
    ActionRefused."""
    incident = _open(draft, event.incident_id)
    alerts = draft.view.alerts_of(incident.id)
    moved = [alert for alert in alerts if alert.id in event.alert_ids]
    missing = [alert_id for alert_id in event.alert_ids if alert_id not in {alert.id for alert in alerts}]
    if missing:
        raise NotFound(f"{incident.id} has no alert {', '.join(missing)}")
    left = [alert for alert in alerts if alert not in moved and alert.status == "firing"]
    if not any(alert.status == "firing" for alert in moved) or not left:
        raise ActionRefused(f"splitting {incident.id} must leave at least one firing alert on either side")
    new_id = draft.view.new_id("INC")
    first = moved[0]
    new = Incident(
        id=new_id,
        group_key=group_key_for(draft, first, new_id),
        service=first.service,
        title=wording.summary(first),
        severity=worst([alert.severity for alert in moved]),
        status="triggered",
        opened_at=draft.now,
        revision=1,
    )
    names = ", ".join(wording.named(alert) for alert in moved)
    text = f"{event.actor} split {names} off {incident.id} as {new_id}."
    draft.open_incident(new, text)
    services = ", ".join(dict.fromkeys(alert.service for alert in moved))
    said = f"{event.actor} split {services} off {incident.id} as {new_id}."
    # A page that waits for a run speaks for the one incident alone; what becomes of the other must not stop it.
    release(draft, incident, said, new_id, moved={alert.id: new_id for alert in moved})
    for alert in moved:
        draft.move_alert(alert, new_id)
    for run in draft.view.runs_of(incident.id):
        if run.alert_id in event.alert_ids:
            draft.change_run(run, incident_id=new_id)
    draft.change_incident(
        incident, "split", text, actor=event.actor, severity=worst([alert.severity for alert in left])
    )
    draft.because("split", text, incident.id, new_id, *(alert.id for alert in moved))
    tell_where_it_is_now(draft, new, [alert for alert in moved if alert.status == "firing"], said)


def _open(draft: Draft, incident_id: str) -> Incident:
    incident = draft.view.incident(incident_id)
    if incident is None:
        raise NotFound(f"there is no incident {incident_id} (forewatch incidents list shows them)")
    if not incident.open:
        raise ActionRefused(f"{incident_id} is resolved already ({incident.resolution})")
    return incident
