"""An incident in which one alert flaps and others come and go."""

import pytest
from memory_view import World, shop

pytestmark = pytest.mark.unit


def test_an_incident_waits_for_a_flapping_alert_whichever_of_its_alerts_ends_last():
    world = World(shop(autonomy="shadow") | {"flapping": {"after": 3, "within": "10m", "calm": "5m"}})
    for _ in range(3):
        world.fails("http")
        world.wait(20)
        world.recovers("http")
        world.wait(20)
    incident = world.view.alerts["AL-3"].incident_id
    assert world.view.incidents[incident].open
    world.fails("tcp")
    world.wait(20)
    world.recovers("tcp")
    assert world.view.incidents[incident].open
    world.wait(600)
    assert not world.view.incidents[incident].open


def test_a_flapping_alert_whose_incident_another_of_its_episodes_left_ends_it_when_calm():
    world = World(shop(autonomy="shadow") | {"flapping": {"after": 3, "within": "10m", "calm": "5m"}})
    for _ in range(4):
        world.fails("http")
        world.wait(20)
        world.recovers("http")
        world.wait(20)
    world.fails("tcp")
    world.wait(900)
    world.recovers("tcp")
    assert not any(incident.open for incident in world.view.incidents.values())


def test_an_incident_with_two_flapping_alerts_ends_with_the_calm_of_the_second():
    world = World(shop(autonomy="shadow") | {"flapping": {"after": 3, "within": "10m", "calm": "5m"}})
    for check in ("http", "tcp"):
        for _ in range(4):
            world.fails(check)
            world.wait(20)
            world.recovers(check)
            world.wait(20)
    incident = world.view.alerts["AL-8"].incident_id
    assert world.view.alerts["AL-4"].incident_id == incident
    world.wait(200)
    assert world.view.incidents[incident].open
    world.wait(200)
    assert not world.view.incidents[incident].open


def test_what_flaps_of_one_service_leaves_an_incident_that_is_over_together():
    services = [{"name": "shop", "depends_on": ["db"]}, {"name": "db"}]
    world = World({"services": services, "flapping": {"after": 2, "within": "10m", "calm": "5m"}})
    world.fails(service="db")
    for _ in range(2):
        for check in ("http", "tcp"):
            world.fails(check)
            world.recovers(check)
    world.recovers(service="db")
    assert not world.view.incidents["INC-1"].open
    left = [one for one in world.view.incidents.values() if one.open]
    assert [(one.service, one.group_key) for one in left] == [("shop", "shop")]
    assert {alert.incident_id for alert in world.view.alerts.values() if alert.id in ("AL-4", "AL-5")} == {left[0].id}
    world.wait(900)
    assert not any(one.open for one in world.view.incidents.values())


def test_what_has_ended_and_is_moved_links_nobody_by_that():
    services = [
        {"name": "shop", "depends_on": ["db"]},
        {"name": "db"},
        {"name": "other", "depends_on": ["shop", "mail"]},
    ]
    world = World(
        {
            "services": [*services, {"name": "mail"}],
            "flapping": {"after": 2, "within": "10m", "calm": "5m"},
        }
    )
    world.fails(service="db")
    for _ in range(2):
        world.fails()
        world.recovers()
    world.wait(11)
    world.recovers(service="db")
    moved = world.view.alerts["AL-3"].incident_id
    assert moved != "INC-1"
    world.fails(service="other")
    assert world.view.alerts["AL-4"].incident_id != moved, "shop ended 11 s ago"
