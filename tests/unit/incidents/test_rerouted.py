"""A new configuration leads what fires already to others: who is on its routes hears of it, and nobody twice."""

import pytest
from memory_view import World, shop

from forewatch.clock import micros
from forewatch.config.models import Config
from forewatch.incidents.deciding.withheld_alerts import CONFIGURATION_READ_WITHIN
from forewatch.incidents.events import RoutesChanged

pytestmark = pytest.mark.unit

OPS, WEB, BOTH = [{"notify": ["ops"]}], [{"notify": ["web"]}], [{"notify": ["ops", "web"]}]


def routed(routes, **more):
    return shop(autonomy="shadow", routes=routes, **more)


def reroute(world, routes, *alert_ids):
    world.view.config = Config.model_validate(routed(routes))
    world.decide(RoutesChanged(list(alert_ids or ("AL-1",)), 2, world.now))
    world.wait(10)


def pages(world):
    return [(kind, notifier) for kind, notifier, _ in world.told()]


def test_a_receiver_added_to_its_route_hears_of_what_fires():
    world = World(routed(OPS))
    world.fails()
    world.wait(10)
    reroute(world, BOTH)
    assert pages(world) == [("page", "ops"), ("page", "web")]


def test_one_whose_route_is_gone_hears_that_it_is_not_theirs_any_more():
    world = World(routed(OPS))
    world.fails()
    world.wait(10)
    reroute(world, WEB)
    assert pages(world) == [("page", "ops"), ("resolved", "ops"), ("page", "web")]
    assert world.view.outbox["NT-2"].content["ended"] == "no longer yours"


def test_heard_twice_it_is_told_once():
    world = World(routed(OPS))
    world.fails()
    world.wait(10)
    for _ in range(2):
        reroute(world, BOTH)
    assert pages(world) == [("page", "ops"), ("page", "web")]


def test_of_what_a_person_has_called_over_nobody_new_hears_and_that_is_written():
    world = World(routed(OPS))
    world.fails()
    world.wait(10)
    world.resolve()
    reroute(world, BOTH)
    assert "web" not in [notifier for _, notifier in pages(world)]
    assert world.last.reasons[0].text == "AL-1 notifies ops, web by the routes in force, and is of no open incident."


def test_of_what_is_over_meanwhile_nobody_hears():
    world = World(routed(OPS))
    world.fails()
    world.wait(10)
    world.recovers()
    reroute(world, BOTH)
    assert pages(world) == [("page", "ops"), ("resolved", "ops")]


def test_several_that_are_not_theirs_any_more_are_told_as_that_and_not_as_over():
    world = World(routed(OPS) | {"digest": {"within": "5s"}})
    for check in ("http", "tcp", "tls"):
        world.fails(check)
    world.wait(10)
    reroute(world, WEB, "AL-1", "AL-2", "AL-3")
    [*_, last] = [one for one in world.view.outbox.values() if one.notifier == "ops"]
    assert last.content["ended"] == "no longer yours"
    assert last.content["title"] == "shop: 2 alerts are no longer yours"
    assert last.content["alerts"] == [], "they fire, and are not shown as over"


def test_it_is_decided_when_every_process_has_read_the_new_configuration():
    """Sooner, it may be decided by a process that still goes by the one before, and never again."""
    world = World(shop(autonomy="shadow"))
    world.fails()
    world.decide(RoutesChanged(["AL-1"], 2, world.now))
    [timer] = [one for one in world.view.timers if one.kind == "reroute"]
    assert timer.due_at == world.now + micros(CONFIGURATION_READ_WITHIN)
