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
