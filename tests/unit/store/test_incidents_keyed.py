"""Open incidents by their group key: what strangers without a service are placed by."""

from __future__ import annotations

import pytest

from forewatch.clock import MICROSECONDS
from forewatch.config.models import Config
from forewatch.deciding import decide
from forewatch.incidents.events import AlertRaised
from forewatch.store import incident_services

pytestmark = pytest.mark.unit

NOW = 1_767_225_600 * MICROSECONDS
MINUTE = 60 * MICROSECONDS


def strange(store, name: str, monitor: str, now: int) -> None:
    labels = {"alertname": name, "monitor": monitor, "severity": "warning"}
    decide(store, AlertRaised(labels, {}, now), config=(1, Config()), now=now)


def keyed(store, name: str, service: str = "host") -> list[tuple[str, int]]:
    with store.read() as conn:
        found = incident_services.open_keyed(conn, f'host:{{alertname="{name}"}}', service)
    return [(incident.id, last_at) for incident, last_at in found]


def test_they_are_found_with_those_that_begin_so_and_no_others(store):
    strange(store, "Down", "a", NOW)
    strange(store, "Down", "b", NOW + MINUTE)
    strange(store, "Downed", "a", NOW + MINUTE)
    strange(store, "Down", "c", NOW + 60 * MINUTE)
    assert keyed(store, "Down") == [("INC-1", NOW + MINUTE), ("INC-3", NOW + 60 * MINUTE)]
    assert keyed(store, "Downed") == [("INC-2", NOW + MINUTE)]
    assert keyed(store, "Down", service="shop") == [("INC-1", 0), ("INC-3", 0)], "the keys are taken all the same"


def test_a_storm_of_strangers_costs_each_of_them_the_same(store, monkeypatch):
    def read_all(*_):
        raise AssertionError("with thousands open, reading all of them for each makes a storm worse")

    monkeypatch.setattr(incident_services, "open_with", read_all)
    for number in range(3):
        strange(store, f"Down{number}", "a", NOW)
    asked = {"key": "k", "after": "k0", "service": "host"}
    query = str(incident_services._KEYED.params(asked).compile(compile_kwargs={"literal_binds": True}))
    with store.read() as conn:
        plan = [row.detail for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}")]
    assert not [step for step in plan if "SCAN" in step]
    assert any("uq_incidents_open" in step for step in plan)
