"""Two open incidents become one: by the hand of a person, or because what fires now links them."""

from __future__ import annotations

from forewatch.alerting.alert import Alert
from forewatch.clock import micros
from forewatch.incidents import wording
from forewatch.incidents.deciding.correlation import graph_of, names_its_service, of_strangers
from forewatch.incidents.deciding.draft import FOREWATCH, Draft
from forewatch.incidents.incident import Incident
from forewatch.incidents.outcome import CancelTimers, MoveNotices, SetTimer


def linked_by(draft: Draft, alert: Alert, incident: Incident) -> list[Incident]:
    """Incidents that opened moments before `incident` got this alert and that its service links to it: db and cache
    fail together, and app, which needs both, fails a second later. What somebody has in hand stays theirs."""
    if not names_its_service(draft.view.config, alert) or incident.status == "acknowledged":
        return []
    graph = graph_of(draft.view.config)
    near = [*graph.dependencies(alert.service), *graph.dependants(alert.service)]
    since = draft.now - micros(draft.view.config.correlation.ended)
    found = {other.id: other for other, _ in draft.view.linked(near, since)} if near else {}
    return [
        other
        for other in found.values()
        if other.id != incident.id
        and other.status == "triggered"
        and min(other.opened_at, incident.opened_at) >= since
        and not of_strangers(other)
    ]


def move_into(draft: Draft, gone: Incident, into: Incident, text: str, *, actor: str = FOREWATCH) -> None:
    """All alerts, runs and notices of one incident become another's, and it is over."""
    for alert in draft.view.alerts_of(gone.id):
        draft.move_alert(alert, into.id)
    for run in draft.view.runs_of(gone.id):
        draft.change_run(run, incident_id=into.id)
    draft.change(MoveNotices(gone.id, into.id))
    for until in {one.not_before for one in draft.view.held_in(gone.id)}:
        draft.hold_until(into.id, until)
    if any(alert.status == "resolved" for alert in draft.view.alerts_of(gone.id)):
        # Who was told of what is well of it by now hears so as part of the other.
        draft.order(CancelTimers(gone.id, "partly-over"), CancelTimers(into.id, "partly-over"))
        draft.order(SetTimer("partly-over", into.id, draft.now + micros(wording.TOGETHER)))
    draft.change_incident(
        gone,
        "merged",
        text,
        actor=actor,
        status="resolved",
        resolved_at=draft.now,
        resolution=f"merged into {into.id} by {actor}" if actor != FOREWATCH else f"merged into {into.id}",
    )
    draft.because("merged", text, into.id, gone.id)
