"""An incident from which a person has split a service off is no incident of that service any more."""

from __future__ import annotations

import pytest

from forewatch.clock import MICROSECONDS
from forewatch.config.models import Config
from forewatch.deciding import decide
from forewatch.incidents.events import AlertCleared, AlertRaised, IncidentSplit
from forewatch.store import alerts, incident_services

pytestmark = pytest.mark.unit

NOW = 1_767_225_600 * MICROSECONDS
SECOND = MICROSECONDS
CONFIG = Config.model_validate(
    {
        "services": [
            {"name": "app", "depends_on": ["db"]},
            {"name": "worker", "depends_on": ["db"]},
            {"name": "db"},
        ]
    }
)


def at(store, seconds: int, event_for):
    now = NOW + seconds * SECOND
    return decide(store, event_for(now), config=(1, CONFIG), now=now)


def fails(service: str, name: str = "Down"):
    return lambda now: AlertRaised({"alertname": name, "service": service, "severity": "critical"}, {}, now)


def recovers(service: str, name: str = "Down"):
    return lambda now: AlertCleared({"alertname": name, "service": service, "severity": "critical"}, now)


def split(*alert_ids: str):
    return lambda now: IncidentSplit("INC-1", list(alert_ids), "ana", now)


def incident_of(store, alert_id: str) -> str | None:
    with store.read() as conn:
        return alerts.get(conn, alert_id).incident_id


def open_with(store, service: str) -> list[str]:
    with store.read() as conn:
        return [incident.id for incident, _, _ in incident_services.open_with(conn, [service])]


def test_what_fails_there_next_is_an_incident_of_its_own(store) -> None:
    for service in ("worker", "db", "app"):
        at(store, 0, fails(service))
    at(store, 1, split("AL-1"))
    at(store, 2, recovers("worker"))
    at(store, 3, recovers("db"))
    at(store, 60, fails("worker"))
    assert incident_of(store, "AL-3") == "INC-1"
    assert incident_of(store, "AL-4") == "INC-3", "app fails on in INC-1, with which worker has nothing to do"


def test_it_stays_one_of_a_service_of_which_something_else_is_left(store) -> None:
    at(store, 0, fails("worker"))
    at(store, 0, fails("worker", "Slow"))
    at(store, 1, split("AL-1"))
    assert open_with(store, "worker") == ["INC-1", "INC-2"]
