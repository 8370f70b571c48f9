"""Which incident an alert belongs to: its service's own, else one of a service it stands on or that stands on it."""

from __future__ import annotations

from forewatch.alerting.compiled import Compiled
from forewatch.clock import micros
from forewatch.config.graph import Graph
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.incident import Incident
from forewatch.units import format_duration

graph_of = Compiled(Graph)


def incident_for(draft: Draft, service: str) -> tuple[Incident, str] | None:
    """The open incident an alert of `service` joins now, and why as a clause; None if it opens one.

    An incident of the service itself takes it whenever it comes. One of a neighbour in the dependency graph takes it
    within `correlation.within` of that neighbour's last alert; of several the one whose service is nearest, then the
    oldest.
    """
    own = draft.view.open_incidents_with([service])
    if own:
        incident = own[0][0]
        return incident, f"an open incident of {service}"
    graph = graph_of(draft.view.config)
    dependencies, dependants = graph.dependencies(service), graph.dependants(service)
    if not dependencies and not dependants:
        return None
    within = draft.view.config.correlation.within
    near = {name: rank for names in (dependencies, dependants) for rank, name in enumerate(names)}
    found = [
        (near[other], incident, other)
        for incident, other, last_at in draft.view.open_incidents_with(list(near))
        # A clock set back leaves alerts dated in the future: those are recent too.
        if last_at >= draft.now - micros(within)
    ]
    if not found:
        return None
    _, incident, other = min(found, key=lambda each: (each[0], each[1].opened_at, each[1].id))
    how = f"which {service} depends on" if other in dependencies else f"which depends on {service}"
    return incident, f"{other}, {how}, had its last alert there within {format_duration(within)}"
