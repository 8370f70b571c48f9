"""Which incident an alert belongs to: its service's own, else one of a service it stands on or that stands on it.

An alert that names no service is a stranger: what it has in common with the others under the default service is only
that nobody said more. It joins an incident of its own alert name, and only while that is recent and nobody has taken
it on; else a person who works on one such alert would never hear of the next.
"""

from __future__ import annotations

from forewatch.alerting.alert import Alert
from forewatch.alerting.compiled import Compiled
from forewatch.clock import micros
from forewatch.config.graph import Graph
from forewatch.config.models import Config
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.incident import Incident
from forewatch.units import format_duration

graph_of = Compiled(Graph)


def incident_for(draft: Draft, alert: Alert) -> tuple[Incident, str] | None:
    """The open incident an alert joins now, and why as a clause; None if it opens one.

    An incident of the service itself takes it whenever it comes. One of a neighbour in the dependency graph takes it
    within `correlation.within` of that neighbour's last alert; of several the one whose service is nearest, then the
    oldest.
    """
    if not names_its_service(draft.view.config, alert):
        return _among_strangers(draft, alert)
    service = alert.service
    own = [found for found, _, _ in draft.view.open_incidents_with([service]) if not _of_strangers(found)]
    if own:
        return own[0], f"an open incident of {service}"
    graph = graph_of(draft.view.config)
    dependencies, dependants = graph.dependencies(service), graph.dependants(service)
    if not dependencies and not dependants:
        return None
    near = {name: rank for names in (dependencies, dependants) for rank, name in enumerate(names)}
    found = [
        (near[other], incident, other)
        for incident, other, last_at in draft.view.open_incidents_with(list(near))
        if _recent(draft, last_at) and not _of_strangers(incident)
    ]
    if not found:
        return None
    _, incident, other = min(found, key=lambda each: (each[0], each[1].opened_at, each[1].id))
    how = f"which {service} depends on" if other in dependencies else f"which depends on {service}"
    within = format_duration(draft.view.config.correlation.within)
    return incident, f"{other}, {how}, had its last alert there within {within}"


def group_key_for(draft: Draft, alert: Alert, new_id: str) -> str:
    """The key of a new incident: no two open ones have the same."""
    named = names_its_service(draft.view.config, alert)
    key = alert.service if named else _strangers_key(alert)
    taken = any(incident.group_key == key for incident, _ in draft.view.open_incidents_keyed(key, alert.service))
    return f"{key}/{new_id}" if taken else key


def names_its_service(config: Config, alert: Alert) -> bool:
    """Whether the alert says itself which service it is of, in one of the labels its source is asked for."""
    source = next((source for source in config.sources if source.name == alert.source), None)
    return any(alert.labels.get(name) for name in (source.service if source is not None else ("service",)))


def _among_strangers(draft: Draft, alert: Alert) -> tuple[Incident, str] | None:
    for incident, last_at in draft.view.open_incidents_keyed(_strangers_key(alert), alert.service):
        if incident.status != "acknowledged" and _recent(draft, last_at):
            within = format_duration(draft.view.config.correlation.within)
            return incident, f"where another {alert.name or 'alert'} without a service came within {within}"
    return None


def _strangers_key(alert: Alert) -> str:
    return f'{alert.service}:{{alertname="{alert.name}"}}'


def _of_strangers(incident: Incident) -> bool:
    return ":{alertname=" in incident.group_key


def _recent(draft: Draft, last_at: int) -> bool:
    # A clock set back leaves alerts dated in the future: those are recent too.
    return last_at >= draft.now - micros(draft.view.config.correlation.within)
