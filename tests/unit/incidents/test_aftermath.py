"""Alerts that look back over an outage already told open no incident and keep none open."""

import pytest
from memory_view import World, shop

from forewatch.clock import micros
from forewatch.incidents.events import AlertCleared, AlertRaised

pytestmark = pytest.mark.unit

LABELS = {"alertname": "HttpSlow", "service": "shop", "severity": "warning"}


def slow(world, *, since=None, for_seconds=300):
    values = {
        "value": 2.0,
        "high": 0.5,
        "recovered_at": world.now,
        "since_recovery": since,
        "aftermath_until": world.now + micros(for_seconds),
    }
    world.decide(AlertRaised(LABELS, {"summary": "shop is slow"}, world.now, values))


def shown(world):
    return [(incident.id, incident.open) for incident in world.view.incidents.values()]


def test_an_alert_that_sees_only_the_outage_opens_no_incident():
    world = World(shop(autonomy="shadow"))
    slow(world)
    assert shown(world) == []
    assert [reason.kind for one in world.view.withheld("AL-1") for reason in one.reasons] == ["aftermath"]
    world.wait(60)
    world.decide(AlertCleared(LABELS, world.now))
    assert world.told() == []


def test_it_keeps_no_incident_open():
    world = World(shop(autonomy="shadow"))
    world.fails()
    world.wait(10)
    world.decide(AlertRaised(LABELS, {"summary": "shop is slow"}, world.now, {"value": 2.0, "high": 0.5}))
    world.wait(10)
    world.recovers()
    assert shown(world) == [("INC-1", True)]
    slow(world)
    assert shown(world) == [("INC-1", False)]
    assert [kind for kind, _, _ in world.told()][-1] == "resolved"


def test_what_still_fires_when_the_outage_is_out_of_sight_is_judged_as_any_other():
    world = World(shop(autonomy="shadow"))
    slow(world)
    world.wait(301)
    assert shown(world) == [("INC-1", True)]
    assert world.told() == [("page", "ops", "sent")]


def test_what_fails_since_the_recovery_too_is_no_aftermath():
    world = World(shop(autonomy="shadow"))
    slow(world, since=0.9)
    assert shown(world) == [("INC-1", True)]


def test_what_turns_out_to_fail_since_the_recovery_is_told_then():
    world = World(shop(autonomy="shadow"))
    slow(world)
    world.wait(30)
    slow(world, since=0.9)
    assert shown(world) == [("INC-1", True)]
    assert world.told() == [("page", "ops", "due")]


def test_who_knows_of_nothing_else_in_an_incident_that_goes_on_hears_that_it_left():
    config = shop(
        autonomy="shadow", routes=[{"match": {"alertname": "HttpSlow"}, "notify": ["web"]}, {"notify": ["ops"]}]
    )
    config["services"].append({"name": "website", "depends_on": ["shop"]})
    world = World(config)
    world.fails(severity="warning")
    world.decide(AlertRaised(LABELS, {"summary": "shop is slow"}, world.now, {"value": 2.0, "high": 0.5}))
    world.fails("cert", service="website", summary="website has a certificate problem: expired")
    world.wait(10)
    world.recovers(severity="warning")
    slow(world)
    told = [(one.kind, one.content.get("ended")) for one in world.view.outbox.values() if one.notifier == "web"][1:]
    assert told == [("resolved", "it looks back on an outage that ended 09:00:10 UTC")]
