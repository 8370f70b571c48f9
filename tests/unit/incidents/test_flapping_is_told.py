"""What people are told of an alert that comes and goes, and which incident it is of."""

import pytest
from memory_view import World, shop

pytestmark = pytest.mark.unit

FLAPPING = {"flapping": {"after": 3, "within": "10m", "calm": "15m"}}


def flaps(config=None, service="shop", failure="refused"):
    world = World(config or shop(autonomy="shadow") | FLAPPING)
    for _ in range(3):
        world.fails(service=service, values={"failure": failure})
        world.wait(1)
        world.recovers(service=service)
        world.wait(1)
    return world


def pages(world):
    return [notice for notice in world.view.outbox.values() if notice.kind == "page"]


def test_the_notice_that_it_flaps_says_until_when_it_is_quiet():
    world = flaps()
    assert "Quiet until it has been calm for 15m (09:15 UTC at the earliest)" in pages(world)[-1].content["text"]
    before = len(world.told())
    world.fails(values={"failure": "refused"})
    assert len(world.told()) == before


def test_another_kind_of_failure_is_told_once():
    world = flaps()
    before = len(pages(world))
    for _ in range(2):
        world.fails(values={"failure": "certificate"})
        world.wait(1)
        world.recovers()
        world.wait(1)
    assert len(pages(world)) == before + 1
    assert "this kind of failure (certificate) is new" in pages(world)[-1].content["text"]


def test_what_stays_down_for_two_minutes_pages_again():
    world = flaps()
    world.fails(values={"failure": "refused"})
    before = len(pages(world))
    world.wait(119)
    assert len(pages(world)) == before
    world.wait(2)
    assert len(pages(world)) == before + 1
    assert "has now been down for 2m" in pages(world)[-1].content["text"]


def test_what_stays_down_gets_at_least_two_rounds_of_its_check():
    config = shop(autonomy="shadow") | FLAPPING
    config["services"][0]["checks"][0] |= {"every": "5m"}
    world = flaps(config)
    world.fails(values={"failure": "refused"})
    before = len(pages(world))
    world.wait(500)
    assert len(pages(world)) == before
    world.wait(120)
    assert len(pages(world)) == before + 1


def test_a_flapping_dependant_moves_quietly_to_an_incident_of_its_own_when_the_services_are_well():
    services = [{"name": "app", "depends_on": ["db"]}, {"name": "db"}]
    people = {"notifiers": [{"name": "ops", "console": {}}], "routes": [{"notify": ["ops"]}]}
    world = flaps({"services": services, **people, **FLAPPING}, service="app")
    world.fails(service="db")
    incident = world.view.firing_in(world.view.alerts["AL-4"].incident_id)[0].incident_id
    world.wait(1)
    world.recovers(service="db")
    assert not world.view.incidents[incident].open
    [moved] = [one for one in world.view.incidents.values() if one.open]
    assert (moved.service, moved.follows) == ("app", incident)
    told = [notice.kind for notice in world.view.outbox.values()][-1]
    assert told == "resolved"
    world.wait(1000)
    assert not any(one.open for one in world.view.incidents.values())


def test_a_page_that_was_held_says_that_what_it_is_of_is_over_for_now_and_flaps():
    routes = [{"match": {"check": "disk"}, "notify": ["web"], "hold": "45s"}, {"notify": ["ops"], "hold": "60s"}]
    flapping = {"flapping": {"after": 2, "within": "10m", "calm": "15m"}}
    world = World(shop(on=["check=~http|tcp"], routes=routes, verify={"within": "10m"}) | flapping)
    world.fails("http")
    world.starting()
    for _ in range(2):
        world.fails("disk")
        world.wait(5)
        world.recovers("disk")
        world.wait(5)
    world.wait(40)
    told = [one for one in world.view.outbox.values() if one.notifier == "web" and one.state == "sent"]
    assert told
    assert all("(over for now, but flapping)" in f"{one.content['title']} {one.content['text']}" for one in told)
    assert all(one.content["text"].count("It is flapping") <= 1 for one in told)
