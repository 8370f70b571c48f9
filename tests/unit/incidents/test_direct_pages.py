"""An alert that people were paged of while the store took no decisions."""

import pytest
from memory_view import World, shop

from forewatch.incidents.events import AlertRaised

pytestmark = pytest.mark.unit

LABELS = {"alertname": "CheckFailing", "service": "shop", "check": "http", "severity": "critical"}


def fails(world, *notifiers):
    told = {name: {"id": f"NT-direct-1-{name}", "at": world.now} for name in notifiers}
    return world.decide(AlertRaised(LABELS, {"summary": "shop is down"}, world.now, told_directly=told))


def routes(*notify):
    return shop(autonomy="shadow", routes=[{"notify": list(notify)}])


def test_they_count_as_told_and_the_others_are_paged():
    world = World(routes("ops", "web"))
    fails(world, "ops")
    assert sorted(world.told()) == [("page", "ops", "sent"), ("page", "web", "due")]
    assert "told-directly" in world.codes()


def test_the_record_keeps_what_the_page_would_have_said():
    world = World(routes("ops"))
    fails(world, "ops")
    [page] = world.view.outbox.values()
    assert (page.kind, page.incident_id, page.alert_id, page.sent_at) == ("page", "INC-1", "AL-1", world.now)
    assert page.content["title"] == "shop is down"
    assert any("NT-direct-1-ops" in text for text in map(str, world.view.timeline))


def test_a_page_that_would_wait_for_a_remedy_has_left_and_its_end_is_told_as_of_any_page():
    world = World(shop(hold="60s"))
    fails(world, "ops")
    assert world.told() == [("page", "ops", "sent")]
    world.recovers()
    assert world.told() == [("page", "ops", "sent"), ("resolved", "ops", "due")]


def test_who_was_paged_though_no_route_leads_there_hears_of_its_end():
    world = World(routes("ops"))
    fails(world, "web")
    assert sorted(world.told()) == [("page", "ops", "due"), ("page", "web", "sent")]
    world.send()
    world.recovers()
    assert sorted(world.told())[2:] == [("resolved", "ops", "due"), ("resolved", "web", "due")]


def test_one_that_got_worse_is_not_told_again_either():
    """A new configuration may have made it critical just while the store took no decisions."""
    world = World(routes("ops"))
    warning = {**LABELS, "severity": "warning"}
    world.decide(AlertRaised(warning, {"summary": "shop is down"}, world.now))
    told = {"ops": {"id": "NT-direct-1-ops", "at": world.now}}
    world.decide(AlertRaised(LABELS, {"summary": "shop is down"}, world.now, before=warning, told_directly=told))
    assert {"got-worse", "told-directly"} <= set(world.codes())
    assert world.told() == [("page", "ops", "due"), ("page", "ops", "sent")]
