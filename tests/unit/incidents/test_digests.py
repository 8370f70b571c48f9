"""A receiver's first page leaves at once, what else is due to it in the next seconds as one."""

import pytest
from memory_view import World

from forewatch.incidents.events import AlertCleared, AlertRaised

pytestmark = pytest.mark.unit


def world_of(count, **config):
    services = [{"name": f"svc{n}"} for n in range(count)]
    people = {"notifiers": [{"name": "ops", "console": {}}], "routes": [{"notify": ["ops"]}]}
    return World({"services": services, "digest": {"within": "5s"}, **people, **config})


def told(world):
    return [(notice.kind, notice.state) for notice in world.view.outbox.values()]


def last(world):
    return list(world.view.outbox.values())[-1]


def test_hundreds_of_services_down_are_one_page_at_once_then_a_few_digests_and_one_recovery_notice():
    world = world_of(300)
    for n in range(300):
        world.fails(service=f"svc{n}")
        world.wait(0.03)
    world.wait(6)
    pages = [notice for notice in world.view.outbox.values() if notice.kind == "page"]
    assert pages[0].created_at - world.view.incidents["INC-1"].opened_at == 0
    assert len(pages) <= 4
    named = [one for notice in pages for one in notice.content["named"]]
    assert sorted(named) == sorted(world.view.alerts)
    assert "and " in pages[-1].content["text"]
    for n in range(300):
        world.recovers(service=f"svc{n}")
        world.wait(0.06)
    world.wait(15)
    ends = [notice for notice in world.view.outbox.values() if notice.kind == "resolved"]
    assert len(ends) == 1
    assert ends[0].content["title"].startswith("300 services are back")
    assert not any(incident.open for incident in world.view.incidents.values())


def test_a_digest_of_several_incidents_belongs_to_none_and_acknowledging_it_acknowledges_all():
    world = world_of(3)
    for n in range(3):
        world.fails(service=f"svc{n}")
    world.wait(5)
    digest = last(world)
    assert (digest.incident_id, digest.content["incidents"]) == (None, ["INC-2", "INC-3"])
    world.ack(digest.id)
    assert [one.status for one in world.view.incidents.values()] == ["triggered", "acknowledged", "acknowledged"]


def test_a_critical_page_waits_for_no_warning():
    world = world_of(3)
    world.fails(service="svc0", severity="warning")
    world.wait(1)
    world.fails(service="svc1", severity="warning")
    world.fails(service="svc2", severity="critical")
    assert [kind for kind, _ in told(world)] == ["page", "page"]
    assert last(world).content["named"] == ["AL-2", "AL-3"]


def test_what_was_over_before_its_digest_left_is_reported_as_that():
    world = world_of(2)
    world.fails(service="svc0")
    world.wait(1)
    world.fails(service="svc1", summary="svc1 is down")
    world.wait(2)
    world.recovers(service="svc1")
    world.wait(3)
    assert [kind for kind, _ in told(world)] == ["page", "report"]
    assert last(world).content["title"] == "svc1 was down for 2s"


def test_one_service_that_stays_down_does_not_hold_back_the_recovery_of_the_others_for_long():
    world = world_of(20)
    for n in range(20):
        world.fails(service=f"svc{n}")
    world.wait(6)
    for n in range(19):
        world.recovers(service=f"svc{n}")
    world.wait(16)
    assert last(world).kind == "resolved"
    assert last(world).content["title"].startswith("19 services are back")


def test_nothing_waits_where_digests_are_off():
    world = world_of(2, digest={"within": "0s"})
    world.fails(service="svc0")
    world.fails(service="svc1")
    assert [kind for kind, _ in told(world)] == ["page", "page"]
    assert world.view.timers == []


def test_a_clock_set_back_delays_no_page():
    world = world_of(2)
    world.fails(service="svc0")
    world.now -= 3_600_000_000
    world.fails(service="svc1")
    assert [kind for kind, _ in told(world)] == ["page", "page"]


def strangers(world, numbers):
    for n in numbers:
        labels = {"alertname": f"Odd{n}", "severity": "critical"}
        world.decide(AlertRaised(labels, {}, world.now, sender="prometheus"))


def test_an_acknowledged_storm_pages_of_new_names_once_a_minute_at_most():
    world = world_of(0, digest={"within": "0s"})
    strangers(world, range(12))
    world.ack(list(world.view.incidents)[-1])
    world.wait(61)
    before = len(world.told())
    strangers(world, range(12, 15))
    assert [kind for kind, _, _ in world.told()[before:]] == ["page", "update", "update"]


@pytest.mark.parametrize(("names", "incidents"), [(9, 9), (15, 10)])
def test_from_the_tenth_name_on_strangers_of_one_source_are_one_storm(names, incidents):
    world = world_of(0)
    strangers(world, range(names))
    assert len(world.view.incidents) == incidents
    if names > 10:
        storm = list(world.view.incidents.values())[-1]
        assert storm.title == "Storm of alerts without a service from prometheus"


def test_names_that_came_and_went_count_for_a_storm_too():
    world = world_of(0)
    for n in range(15):
        labels = {"alertname": f"Odd{n}", "severity": "critical"}
        world.decide(AlertRaised(labels, {}, world.now, sender="prometheus"))
        if n < 9:
            world.wait(1)
            world.decide(AlertCleared(labels, world.now, sender="prometheus"))
    assert len(world.view.incidents) == 10


def test_one_name_that_comes_again_and_again_is_no_storm():
    world = world_of(0)
    for _ in range(15):
        strangers(world, [1])
        world.ack(list(world.view.incidents)[-1])
        labels = {"alertname": "Odd1", "severity": "critical"}
        world.decide(AlertCleared(labels, world.now, sender="prometheus"))
    assert not any("Storm" in incident.title for incident in world.view.incidents.values())


def test_what_ends_as_a_digest_leaves_is_not_shown_as_firing_in_it():
    world = world_of(2)
    world.fails(service="svc0", severity="warning")
    world.fails(service="svc1", severity="warning")
    world.now += 10_000_000  # nobody has come to its digest yet
    world.recovers(service="svc0", severity="warning")
    assert {one["id"]: one["status"] for one in last(world).content["alerts"]} == {"AL-1": "resolved", "AL-2": "firing"}


def test_what_is_over_when_a_digest_leaves_stands_in_it_as_over():
    world = world_of(3)
    for n in (2, 0, 1):
        world.fails(service=f"svc{n}", summary=f"svc{n} is down: refused")
    world.wait(3)
    world.recovers(service="svc0")
    world.wait(3)
    assert last(world).content["text"].splitlines() == [
        "OVER svc0 was down for 3s (INC-2)",
        "CRITICAL svc1 is down: refused (INC-3)",
    ]


def test_a_digest_of_what_is_over_says_so_in_its_title():
    world = world_of(3)
    for n in (2, 0, 1):
        world.fails(service=f"svc{n}", summary=f"svc{n} is down: refused")
    world.wait(3)
    for n in (0, 1):
        world.recovers(service=f"svc{n}")
    world.wait(3)
    titles = [one.content["title"] for one in world.view.outbox.values() if one.kind == "report"]
    assert titles == ["2 services had problems: svc0, svc1"]


def test_what_fires_on_in_an_incident_that_a_person_closed_is_not_shown_as_over():
    world = world_of(2)
    world.fails(service="svc0", severity="warning")
    world.fails(service="svc1", severity="warning")
    world.now += 10_000_000
    world.resolve("INC-1")
    assert [one["id"] for one in last(world).content["alerts"]] == ["AL-2"]
