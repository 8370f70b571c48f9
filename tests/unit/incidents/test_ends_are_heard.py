"""Who was told of a trouble hears of its end, once, whatever came between."""

from dataclasses import replace

import pytest
from memory_view import World, shop
from test_withheld_alerts import silence

from forewatch.clock import micros
from forewatch.config.models import Config
from forewatch.incidents.events import AlertCleared, AlertRaised, RoutesChanged

pytestmark = pytest.mark.unit


def kinds(world, notifier="ops"):
    return [one.kind for one in world.view.outbox.values() if one.notifier == notifier]


def test_a_silence_set_while_an_update_waits_takes_nothing_back_of_the_page_before_it():
    world = World({**shop(hold="0s"), "digest": {"within": "5s"}})
    world.fails()
    world.wait(1)
    world.view.stopped = "ana stopped automation"
    world.starting()
    assert "update-bundled" in world.codes()
    silence(world, "service=shop")
    world.wait(10)
    world.recovers()
    assert kinds(world) == ["page", "resolved"]


def test_a_silence_set_while_a_worse_page_waits_takes_nothing_back_of_the_page_before_it():
    services = [{"name": "shop"}, {"name": "depot"}]
    world = World({**shop(), "services": services, "digest": {"within": "5s"}})
    identity = {"alertname": "Slow", "service": "shop"}
    said = {"summary": "shop is slow: 2 s"}
    world.decide(AlertRaised({**identity, "severity": "warning"}, said, world.now, {}, identity=identity))
    world.wait(20)
    world.fails(service="depot")
    world.wait(1)
    world.decide(AlertRaised({**identity, "severity": "critical"}, said, world.now, {}, identity=identity))
    assert "page-bundled" in world.codes()
    silence(world, "service=shop")
    world.wait(20)
    assert [(one.severity, one.paged) for one in world.view.named("AL-1")] == [("warning", True)]
    world.decide(AlertCleared({**identity, "severity": "critical"}, world.now, identity=identity))
    world.wait(20)
    assert kinds(world) == ["page", "page", "resolved"]


def test_a_page_that_left_by_itself_has_an_end_also_where_that_is_decided_first():
    world = World(shop(hold="30s"))
    world.fails()
    world.starting()
    world.now += micros(36)  # nobody decides, and then the recovery before the end of the hold
    world.view.outbox["NT-1"] = replace(world.view.outbox["NT-1"], state="sent")
    world.recovers()
    world.wait(60)
    assert kinds(world) == ["page", "resolved"]


def test_a_page_that_was_let_go_and_is_no_longer_theirs_does_not_count_as_one_that_left_by_itself():
    world = World(shop(hold="30s"))
    world.fails()
    world.starting()
    world.wait(5)
    world.failed()
    world.wait(2)
    world.view.config = Config.model_validate({"digest": {"within": "0s"}, **shop(routes=[{"notify": ["web"]}])})
    world.decide(RoutesChanged(["AL-1"], 2, world.now))
    world.wait(60)
    world.recovers()
    assert kinds(world) == ["page", "resolved"]
    assert kinds(world, "web") == ["page", "resolved"]


def test_a_held_page_of_what_flaps_and_is_over_for_now_has_an_end_once_it_is_calm():
    world = World(shop(hold="30s", limits={"per_hour": 30, "cooldown": "0s"}))
    for number in range(1, 8):
        world.fails()
        if (run := world.view.runs.get(f"RUN-{number}")) is not None:
            world.starting(run.id)
            world.wait(3)
            world.acted(run.id)
        world.wait(5)
        world.recovers()
        world.wait(5)
    assert kinds(world)[-1] == "page"
    assert "over for now, but flapping" in list(world.view.outbox.values())[-1].content["title"]
    world.wait(3600)
    assert kinds(world)[-1] == "resolved"
