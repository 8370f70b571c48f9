"""Which incident an alert belongs to: its service's own, else one of a service it is linked to that fails with it.

Services are linked by `depends_on`, up or down, any steps; sideways only through a service that fires too, which is
then in the incident itself. What ended longer ago than `correlation.ended` links nobody: db mended ten minutes ago and
nginx dead now are two incidents.

An alert that names no service is a stranger: what it has in common with the others under the default service is only
that nobody said more. It joins an incident of its own alert name, and only while that is recent and nobody has taken
it on; else a person who works on one such alert would never hear of the next. Many names of one source in a short time
are one storm.
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

    Of several the service's own, then the one whose service is nearest, then the oldest.
    """
    if not names_its_service(draft.view.config, alert):
        return _among_strangers(draft, alert)
    service = alert.service
    own = [found for found, _, _ in draft.view.open_incidents_with([service]) if not of_strangers(found)]
    if own:
        return own[0], f"an open incident of {service}"
    graph = graph_of(draft.view.config)
    dependencies, dependants = graph.dependencies(service), graph.dependants(service)
    if not dependencies and not dependants:
        return None
    near = {name: rank for names in (dependencies, dependants) for rank, name in enumerate(names)}
    # A clock set back leaves ends dated in the future: those are recent too.
    since = draft.now - micros(draft.view.config.correlation.ended)
    found = [
        (near[other], incident, other)
        for incident, other in draft.view.linked(list(near), since)
        if not of_strangers(incident)
    ]
    if not found:
        return None
    _, incident, other = min(found, key=lambda each: (each[0], each[1].opened_at, each[1].id))
    how = f"which {service} depends on" if other in dependencies else f"which depends on {service}"
    return incident, f"where {other}, {how}, fails too"


def group_key_for(draft: Draft, alert: Alert, new_id: str) -> str:
    """The key of a new incident: no two open ones have the same."""
    if names_its_service(draft.view.config, alert):
        key = alert.service
    elif _is_storm(draft, alert):
        key = _storm_key(alert)
    else:
        key = _strangers_key(alert)
    taken = any(incident.group_key == key for incident, _ in draft.view.open_incidents_keyed(key, alert.service))
    return f"{key}/{new_id}" if taken else key


def names_its_service(config: Config, alert: Alert) -> bool:
    """Whether the alert says itself which service it is of, in one of the labels its source is asked for."""
    source = next((source for source in config.sources if source.name == alert.source), None)
    return any(alert.labels.get(name) for name in (source.service if source is not None else ("service",)))


def of_strangers(incident: Incident) -> bool:
    """Whether it is an incident of alerts that name no service."""
    return ":{alertname=" in incident.group_key or is_storm(incident)


def is_storm(incident: Incident) -> bool:
    """Whether it is the one incident of many alerts of one source that name no service."""
    return ":{storm=" in incident.group_key


def _among_strangers(draft: Draft, alert: Alert) -> tuple[Incident, str] | None:
    within = format_duration(draft.view.config.correlation.within)
    for incident, last_at in draft.view.open_incidents_keyed(_strangers_key(alert), alert.service):
        if incident.status != "acknowledged" and _recent(draft, last_at):
            return incident, f"where another {alert.name or 'alert'} without a service came within {within}"
    for incident, last_at in draft.view.open_incidents_keyed(_storm_key(alert), alert.service):
        if _recent(draft, last_at):
            return incident, f"the storm of alerts without a service from {alert.source or 'our own rules'}"
    return None


def _is_storm(draft: Draft, alert: Alert) -> bool:
    """Whether its source has named so many alerts without a service lately that one more makes a storm."""
    settings = draft.view.config.correlation
    since = draft.now - micros(settings.storm_within)
    return draft.view.names_lately(alert.source, since) >= settings.storm - 1


def _strangers_key(alert: Alert) -> str:
    return f'{alert.service}:{{alertname="{alert.name}"}}'


def _storm_key(alert: Alert) -> str:
    return f'{alert.service}:{{storm="{alert.source}"}}'


def _recent(draft: Draft, last_at: int) -> bool:
    # A clock set back leaves alerts dated in the future: those are recent too.
    return last_at >= draft.now - micros(draft.view.config.correlation.within)
